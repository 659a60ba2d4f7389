// Package config reads the relay's configuration: one YAML file, and the secrets in files of their
// own that it names. It is read as a whole or refused as a whole.
package config

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/alertmanager/pkg/labels"
	"go.yaml.in/yaml/v3"
	"golang.org/x/net/http/httpguts"

	"lookout/app/relay/internal/channel"
	"lookout/app/relay/internal/channel/kinds"
	"lookout/app/relay/internal/message"
	"lookout/app/relay/internal/notification"
	"lookout/app/relay/internal/pair"
	"lookout/app/relay/internal/roster"
)

// maxSecret bounds a secret's file; a token has 64 characters.
const maxSecret = 64 << 10

// Config is a configuration that has been checked. It is never changed after Load.
type Config struct {
	TimeZone string `yaml:"time_zone"`
	// Templates is a folder of *.tmpl files, relative to the configuration's.
	Templates string `yaml:"templates"`
	// Keyword stands in front of every message; robots with other keywords get theirs as well.
	Keyword channel.Word `yaml:"keyword"`
	// BearerTokenFile protects everything but health, readiness and metrics.
	BearerTokenFile string `yaml:"bearer_token_file"`
	// AdminTokenFile protects the page and the dead letters, which the senders' token does not open.
	AdminTokenFile string `yaml:"admin_token_file"`
	// Hosts are names with a dot that browsers know the relay by.
	Hosts []string `yaml:"hosts"`
	// DuplicateWindow is read at start only.
	DuplicateWindow channel.Duration      `yaml:"duplicate_window"`
	Retry           Retry                 `yaml:"retry"`
	Targets         map[string]*Target    `yaml:"targets"`
	Routes          []Route               `yaml:"routes"`
	Heartbeats      map[string]*Heartbeat `yaml:"heartbeats"`
	// Answers are what people can say to a message from their phone; nil if nothing.
	Answers *Answers `yaml:"answers"`
	// Pair is what this relay shares with another one that gets the same notifications; nil for a relay alone. It is
	// read at start only.
	Pair *Pair `yaml:"pair"`
	// People are those whom rosters name, by their names here.
	People map[string]*Person `yaml:"people"`
	// Rosters say who is on call.
	Rosters map[string]*roster.Roster `yaml:"rosters"`
	// Organisations are DingTalk organisations whose robots share a quota.
	Organisations map[string]*Organisation `yaml:"organisations"`

	// Peers are the robots, mailboxes and gateways of all kinds by their ID, such as robot:ops.
	Peers map[string]channel.Peer `yaml:"-"`
	// What Load derives.
	Zone        *time.Location     `yaml:"-"`
	BearerToken string             `yaml:"-"`
	AdminToken  string             `yaml:"-"`
	Texts       *message.Templates `yaml:"-"`
	// Files are all files that were read; Digest is their fingerprint.
	Files  []string `yaml:"-"`
	Digest string   `yaml:"-"`
	// Secrets are all secret values, to be kept out of everything that is written.
	Secrets  []string `yaml:"-"`
	redactor *strings.Replacer
}

// Person is somebody who can be called. What reaches them stands in files, as other secrets do.
type Person struct {
	// MobileFile holds the mobile number and UserIDFile the user id in DingTalk.
	MobileFile string `yaml:"mobile_file"`
	UserIDFile string `yaml:"user_id_file"`
	// IDFiles hold the ids in other chats by their kind: feishu, wecom.
	IDFiles map[string]string `yaml:"id_files"`

	mention channel.Mention
}

// Mentions are whom a target's messages call at a moment: those who are on call take the place of their rosters.
func (c *Config) Mentions(t *Target, now time.Time) []channel.Mention {
	var out []channel.Mention
	for _, m := range t.Mentions {
		out = append(out, m)
		if m.Roster == "" {
			continue
		}
		who := c.People[c.Rosters[m.Roster].At(now, c.Zone)].mention
		who.Match = m.Match
		out = append(out, who)
	}
	return out
}

// Retry is the backoff between tries of a channel that fails for the moment; every wait is
// randomised by half.
type Retry struct {
	Initial channel.Duration `yaml:"initial"`
	Max     channel.Duration `yaml:"max"`
}

// Pair is what two relays share, so that one of them delivers and the other steps in.
type Pair struct {
	// DSNFile holds the address of a PostgreSQL, with user and password.
	DSNFile string `yaml:"dsn_file"`
	// Name tells pairs in one database apart.
	Name string `yaml:"name"`
	// Takeover is after how long a silence of one relay the other delivers.
	Takeover channel.Duration `yaml:"takeover"`
	// Peer is the address of the other relay, to ask it while PostgreSQL does not answer.
	Peer string `yaml:"peer"`
	// Origins are the external addresses of senders that are one, such as the Alertmanagers of a cluster.
	Origins []string `yaml:"origins"`

	DSN string `yaml:"-"`
}

// Organisation is a DingTalk organisation.
type Organisation struct {
	// MonthlyQuota is how many messages its robots may send in a calendar month, 0 if that is not known.
	MonthlyQuota int `yaml:"monthly_quota"`
}

// Answers is where people answer messages: a page of the relay's that the signed link in a message opens.
type Answers struct {
	// URL is how phones reach the relay.
	URL string `yaml:"url"`
	// KeyFile holds what links are signed with.
	KeyFile string `yaml:"key_file"`
	// Silences is the Alertmanager that silences are made in, or a Grafana's: http://grafana:3000/api/alertmanager/grafana.
	Silences string `yaml:"silences"`
	// HeaderFiles are headers for it whose value is a secret.
	HeaderFiles map[string]string `yaml:"header_files"`

	Key    string            `yaml:"-"`
	Header map[string]string `yaml:"-"`
}

// Target is where alerts go: channels, the next one for what the one before did not deliver.
type Target struct {
	Channels []Channel         `yaml:"channels"`
	Mentions []channel.Mention `yaml:"mentions"`
	Digest   Digest            `yaml:"digest"`
	// Templates is a folder of templates for this target, over the built-in ones; the configuration's by default.
	Templates string `yaml:"templates"`

	Name  string             `yaml:"-"`
	Texts *message.Templates `yaml:"-"`
}

// Digest says when and how notifications are merged.
type Digest struct {
	// Above this many waiting notifications they are merged; up to it each gets its own message.
	Above int `yaml:"above"`
	// Pause is the least time between two messages of a target; what comes meanwhile can be merged.
	Pause channel.Duration `yaml:"pause"`
	// Settle is how long a storm must be quiet before its digest goes out, MaxWait how long at most
	// it is waited for.
	Settle  channel.Duration `yaml:"settle"`
	MaxWait channel.Duration `yaml:"max_wait"`
	// MaxMessages of one digest; alerts beyond are counted by name.
	MaxMessages int `yaml:"max_messages"`
}

// Channel is one way to people: peers of one kind, in turn.
type Channel struct {
	Kind *channel.Kind
	// Names of the peers.
	Names []string
	// EscalateAfter is how long a message may stay undelivered here before the next channel gets it,
	// or, in the last one, before it becomes a dead letter.
	EscalateAfter channel.Duration
}

// UnmarshalYAML reads the peers under the key of their kind, one name or a list.
func (c *Channel) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: a channel is written like {robots: [ops], escalate_after: 5m}", n.Line)
	}
	var keys []string
	for _, k := range kinds.All {
		keys = append(keys, k.Key)
	}
	given := 0
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Value == "escalate_after" {
			if err := c.EscalateAfter.UnmarshalYAML(value); err != nil {
				return err
			}
			continue
		}
		at := slices.Index(keys, key.Value)
		if at < 0 {
			return fmt.Errorf("line %d: field %s not found: a channel has escalate_after and one of %s", key.Line, key.Value, strings.Join(keys, ", "))
		}
		given++
		c.Kind = kinds.All[at]
		if value.Kind == yaml.ScalarNode && value.Value != "" {
			c.Names = []string{value.Value}
		} else if err := value.Decode(&c.Names); err != nil {
			return fmt.Errorf("line %d: %s is a name or a list of names", value.Line, key.Value)
		}
	}
	if given != 1 || len(c.Names) == 0 {
		return fmt.Errorf("line %d: a channel has exactly one of %s, with a name", n.Line, strings.Join(keys, ", "))
	}
	return nil
}

// IDs are those of the peers.
func (c Channel) IDs() []string {
	var out []string
	for _, name := range c.Names {
		out = append(out, c.Kind.ID(name))
	}
	return out
}

// Label names the channel in metrics and messages.
func (c Channel) Label() string { return c.Kind.ID(strings.Join(c.Names, "+")) }

// Route sends alerts with all labels of Match that fulfil all Matchers to a target. The first that fits wins.
type Route struct {
	Match    map[string]string `yaml:"match"`
	Matchers Matchers          `yaml:"matchers"`
	Target   string            `yaml:"target"`
	// Continue looks at the following routes as well.
	Continue bool `yaml:"continue"`
}

// Heartbeat is an always-firing alert that proves by its arrival that the whole chain works.
type Heartbeat struct {
	// Match are the labels of the alert; {alertname: Watchdog} by default.
	Match map[string]string `yaml:"match"`
	// Timeout without a sign of life raises the alarm.
	Timeout channel.Duration `yaml:"timeout"`
	// Repeat the alarm this often while it lasts.
	Repeat channel.Duration `yaml:"repeat"`
	Target string           `yaml:"target"`
	// Channel of the target to begin with, from 0: the next one (1) by default, if there is one.
	Channel  *int   `yaml:"channel"`
	Severity string `yaml:"severity"`

	Name string `yaml:"-"`
}

// Matchers are conditions on labels as Alertmanager writes them: team="db", severity=~"critical|page".
type Matchers []*labels.Matcher

// UnmarshalYAML reads a list of matchers, or one text with all of them.
func (m *Matchers) UnmarshalYAML(n *yaml.Node) error {
	var list []string
	if n.Kind == yaml.ScalarNode {
		list = []string{n.Value}
	} else if err := n.Decode(&list); err != nil {
		return fmt.Errorf("line %d: matchers are a list of texts such as 'team=\"db\"'", n.Line)
	}
	for _, text := range list {
		parsed, err := parse.Matchers(text)
		if err != nil {
			return fmt.Errorf("line %d: %s is not a valid matcher, write it like team=\"db\" or severity=~\"critical|page\": %w", n.Line, text, err)
		}
		*m = append(*m, parsed...)
	}
	return nil
}

// Match tells whether labels fulfil all matchers.
func (m Matchers) Match(alert map[string]string) bool {
	for _, one := range m {
		if !one.Matches(alert[one.Name]) {
			return false
		}
	}
	return true
}

// fileType is the type of the whole file: the common part, and a section for each kind of channel.
func fileType() reflect.Type {
	fields := []reflect.StructField{{Name: "Config", Type: reflect.TypeFor[Config](), Tag: `yaml:",inline"`}}
	for i, kind := range kinds.All {
		peer := reflect.TypeOf(kind.New())
		fields = append(fields, reflect.StructField{
			Name: fmt.Sprintf("Kind%d", i), Type: reflect.MapOf(reflect.TypeFor[string](), peer), Tag: reflect.StructTag(fmt.Sprintf("yaml:%q", kind.Section)),
		})
	}
	return reflect.StructOf(fields)
}

// typed is what the library says about the Go type of a field.
var typed = regexp.MustCompile(`(field \S+ (?:not found|already set)) in type .*`)

var quoted = regexp.MustCompile("`[^`]*`")

type loader struct {
	dir   string
	files map[string][]byte
	c     *Config
	errs  []error
}

// Defaults are what whoever starts the relay knows and the file need not say.
type Defaults struct {
	// AnswersURL and AnswersSilences stand in for url and silences of a file that has answers without them.
	AnswersURL, AnswersSilences string
}

// Load reads and checks the configuration at path. The error lists everything that is wrong, with
// names and remedies and without any secret's value.
func Load(path string) (*Config, error) { return LoadWith(path, Defaults{}) }

// LoadWith is Load with defaults for what the file does not say.
func LoadWith(path string, d Defaults) (*Config, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	file := reflect.New(fileType())
	if err := dec.Decode(file.Interface()); err != nil && !errors.Is(err, io.EOF) {
		// The library quotes what it can't read, and that may be a token in the wrong place; the type says nothing.
		return nil, fmt.Errorf("configuration %s: %s", path, typed.ReplaceAllString(quoted.ReplaceAllString(err.Error(), "`…`"), "$1"))
	}
	c := file.Elem().Field(0).Interface().(Config)
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("configuration %s: it holds a second YAML document (after ---), which would not be read: join them", path)
	}
	if a := c.Answers; a != nil {
		if a.KeyFile != "" {
			a.URL = cmp.Or(a.URL, d.AnswersURL)
		}
		a.Silences = cmp.Or(a.Silences, d.AnswersSilences)
	}
	var root yaml.Node
	if yaml.Unmarshal(raw, &root) == nil {
		if err := zeros(&root); err != nil {
			return nil, fmt.Errorf("configuration %s: %w", path, err)
		}
	}
	l := &loader{dir: filepath.Dir(path), files: map[string][]byte{path: raw}, c: &c}
	c.Peers = map[string]channel.Peer{}
	for i, kind := range kinds.All {
		peers := file.Elem().Field(i + 1)
		for _, name := range peers.MapKeys() {
			peer := peers.MapIndex(name)
			if peer.IsNil() {
				l.fail("%s.%s is empty: it needs %s", kind.Section, name, kind.Needs)
				c.Peers[kind.ID(name.String())] = nil
				continue
			}
			c.Peers[kind.ID(name.String())] = peer.Interface().(channel.Peer)
		}
	}
	l.check()
	if len(l.errs) > 0 {
		return nil, fmt.Errorf("configuration %s: %w", path, errors.Join(l.errs...))
	}
	h := sha256.New()
	for _, f := range slices.Sorted(maps.Keys(l.files)) {
		sum := sha256.Sum256(l.files[f])
		fmt.Fprintf(h, "%s %x\n", f, sum)
	}
	c.Files = slices.Sorted(maps.Keys(l.files))
	c.Digest = fmt.Sprintf("%x", h.Sum(nil)[:8])
	c.redactor = redactor(c.Secrets)
	return &c, nil
}

// counts are numbers that mean the default where they are left out; as 0 they would mean it as well, which no one who writes 0 does.
var counts = []string{"limit", "above", "max_messages", "max_bytes"}

// zeros refuses counts that are written as 0.
func zeros(n *yaml.Node) error {
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && slices.Contains(counts, child.Value) && n.Content[i+1].Kind == yaml.ScalarNode {
			if v, err := strconv.ParseFloat(n.Content[i+1].Value, 64); err == nil && v == 0 {
				return fmt.Errorf("line %d: %s 0 lets nothing through: leave it out for the default", n.Content[i+1].Line, child.Value)
			}
		}
		if err := zeros(child); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) fail(format string, a ...any) { l.errs = append(l.errs, fmt.Errorf(format, a...)) }

func (l *loader) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(l.dir, p)
}

// secret reads a secret's file; who names the field in errors.
func (l *loader) secret(who, file string) string {
	if file == "" {
		return ""
	}
	p := l.path(file)
	info, err := os.Stat(p)
	if err == nil && info.Size() > maxSecret {
		err = fmt.Errorf("%s is larger than a secret can be", p)
	}
	var raw []byte
	if err == nil {
		raw, err = os.ReadFile(p)
	}
	if err != nil {
		l.fail("%s: %w", who, err)
		return ""
	}
	l.files[p] = raw
	s := strings.TrimSpace(strings.TrimPrefix(string(raw), "\ufeff"))
	if s == "" {
		l.fail("%s: %s is empty", who, p)
	}
	if strings.ContainsAny(s, "\r\n\x00") {
		l.fail("%s: %s holds more than one line", who, p)
		return ""
	}
	l.c.Secrets = append(l.c.Secrets, s)
	return s
}

// templates reads a folder of templates over the built-in ones; "" for those alone.
func (l *loader) templates(who, folder string) *message.Templates {
	if folder != "" {
		folder = l.path(folder)
		files, _ := filepath.Glob(filepath.Join(folder, "*.tmpl"))
		for _, f := range files {
			if raw, err := os.ReadFile(f); err == nil {
				l.files[f] = raw
			}
		}
	}
	t, err := message.Load(folder, l.c.Zone)
	if err != nil {
		l.fail("%s: %w", who, err)
	}
	return t
}

var nameRE = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

func (l *loader) names(kind string, names []string) {
	for _, n := range names {
		if !nameRE.MatchString(n) {
			l.fail("%s %q: a name has lower-case letters, digits, - and _ only, since it stands in URLs and metrics", kind, n)
		}
	}
}

func (l *loader) check() {
	c := l.c
	c.TimeZone = cmp.Or(c.TimeZone, "Asia/Shanghai")
	c.Keyword = cmp.Or(c.Keyword, channel.Word("报警"))
	c.DuplicateWindow.Or(time.Minute)
	c.Retry.Initial.Or(time.Second)
	c.Retry.Max.Or(time.Minute)
	var err error
	if c.Zone, err = time.LoadLocation(c.TimeZone); err != nil {
		l.fail("time_zone %q is not known: use a name like Asia/Shanghai", c.TimeZone)
		c.Zone = time.UTC
	}
	if c.TimeZone == "Local" {
		l.fail("time_zone Local is another one on every machine: use a name like Asia/Shanghai")
	}
	l.most("duplicate_window", c.DuplicateWindow, time.Hour, "an alert that its sender repeats on purpose would not be shown")
	l.most("retry.max", c.Retry.Max, time.Hour, "a channel that works again would not be used for as long")
	if c.Retry.Max < c.Retry.Initial {
		l.fail("retry: max %s is shorter than initial %s", c.Retry.Max.Std(), c.Retry.Initial.Std())
	}
	c.BearerToken = l.secret("bearer_token_file", c.BearerTokenFile)
	c.AdminToken = l.secret("admin_token_file", c.AdminTokenFile)
	if c.AdminToken != "" && c.AdminToken == c.BearerToken {
		l.fail("admin_token_file: it holds the senders' token: an operator's is another one")
	}
	for i, h := range c.Hosts {
		if u, err := url.Parse("http://" + h); err != nil || h == "" || u.Host != h || u.Port() != "" || strings.ContainsAny(h, "*@ ") {
			l.fail("hosts[%d]: %q is not a host name: write it like relay.example.com, without scheme, port or *", i, h)
		}
		c.Hosts[i] = strings.ToLower(h)
	}
	c.Texts = l.templates("templates", c.Templates)
	l.answers()
	used, member := map[string]bool{}, map[string]bool{}
	for _, kind := range kinds.All {
		names := c.Names(kind)
		l.names(kind.Section, names)
		for _, name := range names {
			peer := c.Peers[kind.ID(name)]
			if peer == nil {
				continue
			}
			peer.Check(&checker{l, kind, name})
			t := peer.Traits()
			used[t.Template] = true
			member[t.Organisation] = true
			who := kind.Section + "." + name
			l.least(who+".timeout", channel.Duration(t.Timeout), 10*time.Millisecond, "nothing is answered that quickly")
			l.least(who+".block", channel.Duration(t.Rest), 10*time.Millisecond, "the next call would be one too many again")
			l.most(who+".timeout", channel.Duration(t.Timeout), time.Minute, "what waits behind it would wait for as long")
			l.most(who+".block", channel.Duration(t.Rest), 24*time.Hour, "it would hardly ever be used")
			for _, limit := range t.Limits {
				l.most(who+".window", channel.Duration(limit.Length), time.Hour, "its messages would wait for as long")
			}
			for field, token := range map[string]string{"bearer_token_file": c.BearerToken, "admin_token_file": c.AdminToken} {
				if token != "" && token == t.Token {
					l.fail("%s: it holds the token of %s, which senders or operators need not know", field, who)
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Organisations)) {
		if o := c.Organisations[name]; o != nil && o.MonthlyQuota < 0 {
			l.fail("organisations.%s: monthly_quota %d is not a number of messages", name, o.MonthlyQuota)
		}
		if !member[name] {
			l.fail("organisations.%s: no robot says organisation: %s, so its quota counts nothing", name, name)
		}
	}
	if c.Texts != nil {
		for _, name := range c.Texts.Unused(used) {
			l.fail("templates: %q is defined and used by nothing: it replaces no built-in template, none includes it, and no webhook names it", name)
		}
	}
	// A robot that no target is named after is a target by itself: the simplest configuration.
	if c.Targets == nil {
		c.Targets = map[string]*Target{}
	}
	alone := map[string]*channel.Kind{}
	for _, kind := range kinds.All {
		for _, name := range c.Names(kind) {
			_, given := c.Targets[name]
			before := alone[name]
			switch {
			case !kind.Alone || given && before == nil:
			case before != nil:
				l.fail("%s.%s and %s.%s have one name: define targets.%s, so that it is known which of them it means", before.Section, name, kind.Section, name, name)
			default:
				alone[name] = kind
				c.Targets[name] = &Target{Channels: []Channel{{Kind: kind, Names: []string{name}}}}
			}
		}
	}
	if len(c.Targets) == 0 {
		l.fail("no robots and no targets: there is nowhere to deliver to")
	}
	l.names("target", slices.Sorted(maps.Keys(c.Targets)))
	l.people()
	for _, name := range slices.Sorted(maps.Keys(c.Targets)) {
		l.target(name)
	}
	var earlier []map[string]bool
	for i, r := range c.Routes {
		who := fmt.Sprintf("routes[%d]", i)
		if c.Targets[r.Target] == nil {
			l.fail("%s: target %q is not defined", who, r.Target)
		}
		l.labels(who+".match", r.Match)
		conditions, never := r.conditions()
		if never != "" {
			l.fail("%s: no alert fits it: %s", who, never)
		}
		for j, before := range earlier {
			if before == nil || !within(before, conditions) {
				continue
			}
			takes := "takes all that fits"
			if len(before) == 0 {
				takes = "takes all"
			}
			l.fail("%s: no alert gets here, routes[%d] %s: move it up, or give that one continue: true", who, j, takes)
			break
		}
		all := len(conditions) == 0
		if r.Continue {
			earlier = append(earlier, nil)
		} else {
			earlier = append(earlier, conditions)
		}
		if r.Continue && i == len(c.Routes)-1 {
			l.fail("%s: continue: true has nothing to go on to, it is the last one", who)
		}
		if i == len(c.Routes)-1 && !all {
			l.fail("routes: the last one must have no match, so that no alert is without a target")
		}
	}
	l.twins()
	l.pair()
	same := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Heartbeats)) {
		l.heartbeat(name)
		h := c.Heartbeats[name]
		key := fmt.Sprintf("%q %q", h.Target, h.Match)
		if other, twice := same[key]; twice {
			l.fail("heartbeats.%s is heartbeats.%s: both wait for the same alert and tell the same target", name, other)
		}
		same[key] = name
	}
	l.names("heartbeat", slices.Sorted(maps.Keys(c.Heartbeats)))
}

// pair checks what two relays share.
func (l *loader) pair() {
	p := l.c.Pair
	if p == nil {
		return
	}
	p.Name = cmp.Or(p.Name, "default")
	l.names("pair.name", []string{p.Name})
	p.Takeover.Or(30 * time.Second)
	if t := p.Takeover.Std(); t < 2*time.Second || t > 10*time.Minute {
		l.fail("pair.takeover: %s is not between 2s and 10m: a short one takes a slow PostgreSQL for a dead relay", t)
	}
	if p.DSNFile == "" {
		l.fail("pair.dsn_file is missing: it holds the address of the PostgreSQL that both relays share, such as postgres://user:password@host:5432/database")
	} else if p.DSN = l.secret("pair.dsn_file", p.DSNFile); p.DSN != "" {
		password, err := pair.Check(p.DSN)
		if err != nil {
			l.fail("pair.dsn_file: %w", err)
		}
		if password != "" {
			l.c.Secrets = append(l.c.Secrets, password)
		}
	}
	if p.Peer != "" {
		l.base("pair.peer", p.Peer, "/-/pair", "/-/healthy")
	}
	for i, origin := range p.Origins {
		p.Origins[i] = strings.TrimRight(origin, "/")
		l.httpURL(fmt.Sprintf("pair.origins[%d]", i), origin)
	}
	if len(p.Origins) == 1 {
		l.fail("pair.origins: one sender is one anyway: name the external addresses of all Alertmanagers of the cluster, or leave it out")
	}
	for _, kind := range kinds.All {
		for _, name := range l.c.Names(kind) {
			peer := l.c.Peers[kind.ID(name)]
			if peer == nil {
				continue
			}
			for _, limit := range peer.Traits().Limits {
				if limit.Calls < pair.LeastLimit {
					l.fail("%s.%s: two relays cannot share a limit of %d: it takes %d", kind.Section, name, limit.Calls, pair.LeastLimit)
				}
			}
		}
	}
}

// answers checks how people answer.
func (l *loader) answers() {
	a := l.c.Answers
	if a == nil {
		return
	}
	if a.URL == "" && a.KeyFile == "" && a.Silences != "" && l.buttons() {
		// People answer by the buttons of cards alone.
	} else if a.URL == "" {
		l.fail("answers.url is missing: it is how phones reach the console or the relay, such as https://lookout.example.com")
	} else {
		l.base("answers.url", a.URL, "/answer")
	}
	if u, err := url.Parse(a.URL); err == nil && u.Hostname() != "" {
		// Browsers come by this name.
		l.c.Hosts = append(l.c.Hosts, strings.ToLower(u.Hostname()))
	}
	if a.KeyFile == "" && a.URL != "" {
		l.fail("answers: key_file is missing: it holds what links are signed with, such as 32 random characters")
	}
	a.Key = l.secret("answers.key_file", a.KeyFile)
	if a.Key != "" && len(a.Key) < 16 {
		l.fail("answers.key_file: %d characters can be guessed: use 16 or more", len(a.Key))
	}
	if a.Silences != "" {
		l.base("answers.silences", a.Silences, "/api/v2/silences", "/api/v2")
	} else if len(a.HeaderFiles) > 0 {
		l.fail("answers: header_files are sent to answers.silences, which is missing")
	}
	a.Header = map[string]string{}
	for _, h := range slices.Sorted(maps.Keys(a.HeaderFiles)) {
		if !httpguts.ValidHeaderFieldName(h) {
			l.fail("answers.header_files: %q is not the name of a header", h)
		}
		a.Header[h] = l.secret("answers.header_files."+h, a.HeaderFiles[h])
	}
}

// buttons tells whether any peer sends messages with buttons to answer by.
func (l *loader) buttons() bool {
	for _, kind := range kinds.All {
		if len(kind.Types) > 0 && kind.Sample(kind.Types[0]).Traits().Form.Buttons && len(l.c.Names(kind)) > 0 {
			return true
		}
	}
	return false
}

// conditions are what an alert has to fulfil, each in one form; never says why none can.
func (r Route) conditions() (out map[string]bool, never string) {
	out = map[string]bool{}
	for name, value := range r.Match {
		out[(&labels.Matcher{Type: labels.MatchEqual, Name: name, Value: value}).String()] = true
	}
	for _, m := range r.Matchers {
		if value, ok := r.Match[m.Name]; ok && !m.Matches(value) {
			never = fmt.Sprintf("%s=%q does not fulfil %s", m.Name, value, m)
		}
		if m.Type == labels.MatchRegexp && (m.Value == ".*" || m.Value == "^.*$") {
			// Everything does, also a label that is not there.
			continue
		}
		for _, other := range r.Matchers {
			if m.Type == labels.MatchEqual && other.Name == m.Name && !other.Matches(m.Value) {
				never = fmt.Sprintf("%s and %s exclude each other", m, other)
			}
		}
		out[m.String()] = true
	}
	return out, never
}

// within tells whether whatever fulfils more fulfils few.
func within(few, more map[string]bool) bool {
	for c := range few {
		if !more[c] {
			return false
		}
	}
	return true
}

// most bounds a duration.
func (l *loader) most(who string, d channel.Duration, most time.Duration, why string) {
	if d.Std() > most {
		l.fail("%s: %s is longer than %s: %s", who, d.Std(), most, why)
	}
}

// least is the other bound; what is not given has its default later.
func (l *loader) least(who string, d channel.Duration, least time.Duration, why string) {
	if d != 0 && d.Std() < least {
		l.fail("%s: %s is shorter than %s: %s", who, d.Std(), least, why)
	}
}

// labels checks labels that are compared for equality.
func (l *loader) labels(who string, match map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(match)) {
		if name == "" {
			l.fail("%s: a label has no name", who)
		}
		l.equality(who+"."+name, name, match[name])
	}
}

// equality refuses what is meant as a regular expression: compared for equality it never fits.
func (l *loader) equality(who, name, v string) {
	if strings.Contains(v, ".*") || strings.Contains(v, ".+") || strings.Contains(v, "|") || strings.HasPrefix(v, "^") || strings.HasSuffix(v, "$") && len(v) > 1 {
		l.fail("%s: %q looks like a regular expression, and match compares for equality: write matchers: ['%s=~\"…\"']", who, v, name)
	}
}

// twins refuses two robots with one address and token: they share one limit, whatever they are called.
func (l *loader) twins() {
	known := map[[2]string]string{}
	for _, kind := range kinds.All {
		for _, name := range l.c.Names(kind) {
			peer := l.c.Peers[kind.ID(name)]
			if peer == nil {
				continue
			}
			t := peer.Traits()
			if t.Token == "" {
				continue
			}
			id := [2]string{t.Address, t.Token}
			if other, ok := known[id]; ok {
				l.fail("%s and %s.%s have the same address and token: they are one robot, use one name", other, kind.Section, name)
			}
			known[id] = kind.Section + "." + name
		}
	}
}

// Names of a kind's peers, in order.
func (c *Config) Names(kind *channel.Kind) []string {
	var out []string
	for id := range c.Peers {
		if name, ok := strings.CutPrefix(id, kind.Name+":"); ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// checker is what a peer's check can ask for.
type checker struct {
	*loader
	kind *channel.Kind
	name string
}

func (c *checker) who(field string) string {
	return strings.TrimSuffix(c.kind.Section+"."+c.name+"."+field, ".")
}

// Name implements [channel.Checker], as do the others.
func (c *checker) Name() string { return c.name }

func (c *checker) Fail(field, format string, args ...any) {
	c.fail("%s: %w", c.who(field), fmt.Errorf(format, args...))
}

func (c *checker) Secret(field, file string) string { return c.secret(c.who(field), file) }

func (c *checker) File(field, file string) []byte {
	raw, err := os.ReadFile(c.path(file))
	if err != nil {
		c.Fail(field, "%w", err)
		return nil
	}
	c.files[c.path(file)] = raw
	return raw
}

func (c *checker) Address(field, address string) {
	c.httpURL(c.who(field), address)
	c.address(c.who(field), address)
}

func (c *checker) HasTemplate(name string) bool { return c.c.Texts == nil || c.c.Texts.Has(name) }

func (c *checker) HasOrganisation(name string) bool { return c.c.Organisations[name] != nil }

// address keeps what an address holds besides its host out of everything that is written, and refuses one with
// user and password.
func (l *loader) address(who, raw string) {
	u, err := url.Parse(raw)
	if err != nil {
		return
	}
	if u.User != nil {
		// Some gateways take their key for a user's name.
		l.c.Secrets = append(l.c.Secrets, u.User.Username())
		if p, ok := u.User.Password(); ok {
			l.c.Secrets = append(l.c.Secrets, p)
		}
		l.fail("%s holds a user or a password: put it into header_files (Authorization)", who)
	}
	for part := range strings.SplitSeq(u.Path, "/") {
		if len(part) >= 16 && strings.ContainsAny(part, "0123456789") {
			l.c.Secrets = append(l.c.Secrets, part)
		}
	}
	for _, values := range u.Query() {
		for _, v := range values {
			if len(v) >= 8 {
				l.c.Secrets = append(l.c.Secrets, v)
			}
		}
	}
}

// base checks an address that a path is put behind.
func (l *loader) base(who, raw string, own ...string) {
	u, err := url.Parse(raw)
	if err == nil && u.User != nil {
		l.c.Secrets = append(l.c.Secrets, u.User.String())
		if p, ok := u.User.Password(); ok {
			l.c.Secrets = append(l.c.Secrets, p)
		}
		l.fail("%s holds a user or a password: leave it out, it would stand in messages or logs (a token belongs into header_files)", who)
		return
	}
	l.httpURL(who, raw)
	l.address(who, raw)
	if err != nil {
		return
	}
	if u.RawQuery != "" || u.Fragment != "" {
		l.fail("%s holds a query or a fragment: leave what begins with ? or # out, since a path is put behind it", who)
	}
	for _, end := range own {
		if strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), end) {
			l.fail("%s ends with %s: leave that out, the relay puts it behind", who, end)
			return
		}
	}
}

func (l *loader) httpURL(who, raw string) {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		// Not quoted: an address may carry a secret.
		l.fail("%s is not an http(s) address", who)
		return
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			l.fail("%s has the port %s, and ports end at 65535", who, p)
		}
	}
}

func (l *loader) target(name string) {
	who := "targets." + name
	t := l.c.Targets[name]
	if t == nil || len(t.Channels) == 0 {
		l.fail("%s has no channels", who)
		l.c.Targets[name] = &Target{Name: name}
		return
	}
	t.Name = name
	if t.Templates != "" {
		t.Texts = l.templates(who+".templates", t.Templates)
	}
	used := map[string]int{}
	for i := range t.Channels {
		ch := &t.Channels[i]
		for _, name := range ch.Names {
			id := ch.Kind.Name + " " + name
			if before, ok := used[id]; ok && before == i {
				l.fail("%s.channels[%d]: %s stands there twice", who, i, id)
			} else if ok {
				l.fail("%s.channels[%d]: %s is in channels[%d] already: what it did not deliver there it will not deliver here", who, i, id, before)
			}
			used[id] = i
			if _, ok := l.c.Peers[ch.Kind.ID(name)]; !ok {
				l.fail("%s.channels[%d]: %s %q is not defined: add it to %s", who, i, ch.Kind.Name, name, ch.Kind.Section)
			}
		}
		if i == len(t.Channels)-1 {
			// No channel is left, so it is tried for as long as it can still be of use.
			ch.EscalateAfter.Or(24 * time.Hour)
		} else {
			ch.EscalateAfter.Or(5 * time.Minute)
			if ch.EscalateAfter.Std() > 24*time.Hour {
				l.fail("%s.channels[%d]: escalate_after %s is longer than the day for which an alert is news", who, i, ch.EscalateAfter.Std())
			}
		}
	}
	for i, m := range t.Mentions {
		l.labels(fmt.Sprintf("%s.mentions[%d].match", who, i), m.Match)
		everyone := slices.Clone(m.UserIDs)
		for _, ids := range m.IDs {
			everyone = append(everyone, ids...)
		}
		if slices.ContainsFunc(everyone, func(id string) bool { return strings.TrimSpace(id) == "" }) {
			l.fail("%s.mentions[%d]: an id is empty", who, i)
		}
		if len(m.Mobiles)+len(m.UserIDs)+len(m.IDs) == 0 && !m.All && m.Roster == "" {
			l.fail("%s.mentions[%d] names nobody: mobiles, user_ids, ids, roster or all", who, i)
		}
		l.onCall(fmt.Sprintf("%s.mentions[%d]", who, i), t, m.Roster)
		for _, name := range slices.Sorted(maps.Keys(m.IDs)) {
			if kind := kinds.Find(name); kind == nil || !kind.Alone {
				l.fail("%s.mentions[%d]: ids are given by chat, like {feishu: [ou_…], wecom: [zhangsan]}, and %q is none", who, i, name)
			}
		}
		if (m.Roster == "" || len(m.Mobiles)+len(m.UserIDs)+len(m.IDs) > 0) && !l.canCall(t, m) {
			l.fail("%s.mentions[%d]: no channel of the target can call them: Feishu and WeCom know people by ids, like ids: {feishu: [ou_…], wecom: [zhangsan]}; by mobiles WeCom does in messages of type text alone; e-mail and webhooks call no one", who, i)
		}
		for _, mobile := range m.Mobiles {
			if digits := strings.Map(func(r rune) rune {
				if r < '0' || r > '9' {
					return -1
				}
				return r
			}, mobile); strings.Trim(mobile, "+-0123456789") != "" || len(digits) < 5 {
				l.fail("%s.mentions[%d]: %q is no mobile number (quote it in YAML)", who, i, mobile)
			}
		}
	}
	t.Digest.Above = cmp.Or(t.Digest.Above, 3)
	t.Digest.Pause.Or(time.Second)
	t.Digest.MaxWait.Or(15 * time.Second)
	if t.Digest.Settle > t.Digest.MaxWait {
		l.fail("%s.digest: settle %s is longer than max_wait %s", who, t.Digest.Settle.Std(), t.Digest.MaxWait.Std())
	}
	t.Digest.Settle.Or(min(1500*time.Millisecond, t.Digest.MaxWait.Std()))
	l.most(who+".digest.max_wait", t.Digest.MaxWait, 10*time.Minute, "a storm would be told that late")
	l.most(who+".digest.pause", t.Digest.Pause, 10*time.Minute, "the second of two alerts would be told that late")
	t.Digest.MaxMessages = cmp.Or(t.Digest.MaxMessages, 10)
	if t.Digest.MaxMessages < 1 || t.Digest.MaxMessages > 1000 || t.Digest.Above < 1 || t.Digest.Above > 1000 {
		l.fail("%s.digest: above and max_messages are 1 to 1000", who)
	}
}

// people reads the files of those whom rosters name.
func (l *loader) people() {
	for _, name := range slices.Sorted(maps.Keys(l.c.People)) {
		p := l.c.People[name]
		if p == nil || p.MobileFile == "" && p.UserIDFile == "" && len(p.IDFiles) == 0 {
			l.fail("people.%s has nothing to call them by: mobile_file, user_id_file or id_files", name)
			continue
		}
		who := "people." + name
		if mobile := l.secret(who+".mobile_file", p.MobileFile); mobile != "" {
			if strings.Trim(mobile, "+-0123456789") != "" || len(mobile) < 5 {
				// The value is nobody's business, a mistake in it included.
				l.fail("%s.mobile_file: what %s holds is not a mobile number", who, p.MobileFile)
			}
			p.mention.Mobiles = []string{mobile}
		}
		if id := l.secret(who+".user_id_file", p.UserIDFile); id != "" {
			p.mention.UserIDs = []string{id}
		}
		for _, kindName := range slices.Sorted(maps.Keys(p.IDFiles)) {
			if kind := kinds.Find(kindName); kind == nil || !kind.Alone {
				l.fail("%s.id_files: files are given by chat, like {feishu: /secrets/li.feishu}, and %q is none", who, kindName)
				continue
			}
			if id := l.secret(who+".id_files."+kindName, p.IDFiles[kindName]); id != "" {
				if p.mention.IDs == nil {
					p.mention.IDs = map[string][]string{}
				}
				p.mention.IDs[kindName] = []string{id}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.c.Rosters)) {
		r := l.c.Rosters[name]
		if r == nil {
			l.fail("rosters.%s is empty: it needs starts and people", name)
			continue
		}
		if err := r.Check(func(person string) bool { return l.c.People[person] != nil }); err != nil {
			l.fail("rosters.%s: %w", name, err)
		}
	}
}

// onCall says whether everybody on a roster can be called by a channel of a target.
func (l *loader) onCall(where string, t *Target, name string) {
	if name == "" {
		return
	}
	r := l.c.Rosters[name]
	if r == nil {
		l.fail("%s: there is no roster %q; known are %s", where, name, cmp.Or(strings.Join(slices.Sorted(maps.Keys(l.c.Rosters)), ", "), "none"))
		return
	}
	people := slices.Clone(r.People)
	for _, s := range r.Swaps {
		people = append(people, s.Person)
	}
	slices.Sort(people)
	for _, person := range slices.Compact(people) {
		if p := l.c.People[person]; p != nil && !l.canCall(t, p.mention) {
			l.fail("%s: no channel of the target can call %s, who is on the roster %s", where, person, name)
		}
	}
}

// canCall tells whether any channel of a target can call any of those whom a mention names.
func (l *loader) canCall(t *Target, m channel.Mention) bool {
	if len(m.Mobiles)+len(m.UserIDs)+len(m.IDs) == 0 && !m.All {
		// That is said already.
		return true
	}
	for _, ch := range t.Channels {
		for _, id := range ch.IDs() {
			peer := l.c.Peers[id]
			if peer == nil {
				return true
			}
			if who := peer.Traits().Form.Who; who != nil {
				if known := who(m); len(known.Mobiles)+len(known.UserIDs) > 0 || known.All {
					return true
				}
			}
		}
	}
	return false
}

func (l *loader) heartbeat(name string) {
	who := "heartbeats." + name
	h := l.c.Heartbeats[name]
	if h == nil {
		h = &Heartbeat{}
		l.c.Heartbeats[name] = h
	}
	h.Name = name
	if len(h.Match) == 0 {
		h.Match = map[string]string{"alertname": "Watchdog"}
	}
	l.labels(who+".match", h.Match)
	if h.Severity != "" && notification.Rank(strings.ToLower(h.Severity)) > 3 {
		l.fail("%s: severity %q is not known: write critical, error, warning or info", who, h.Severity)
	}
	l.most(who+".timeout", h.Timeout, 7*24*time.Hour, "a chain that broke would be reported that late")
	l.least(who+".timeout", h.Timeout, 100*time.Millisecond, "no sender is that punctual")
	l.least(who+".repeat", h.Repeat, 10*time.Second, "the alarm would fill the chat")
	h.Timeout.Or(5 * time.Minute)
	h.Repeat.Or(4 * time.Hour)
	h.Severity = cmp.Or(h.Severity, "critical")
	t := l.c.Targets[h.Target]
	if t == nil {
		l.fail("%s: target %q is not defined", who, h.Target)
		return
	}
	if h.Channel == nil {
		next := min(1, len(t.Channels)-1)
		h.Channel = &next
	}
	if *h.Channel < 0 || *h.Channel >= len(t.Channels) {
		l.fail("%s: channel %d does not exist, target %s has %d (from 0)", who, *h.Channel, h.Target, len(t.Channels))
		return
	}
	if ch := t.Channels[*h.Channel]; *h.Channel < len(t.Channels)-1 && h.Repeat < ch.EscalateAfter {
		l.fail("%s: repeat %s is shorter than escalate_after %s of targets.%s.channels[%d]: a repeat replaces the alarm before it could be escalated",
			who, h.Repeat.Std(), ch.EscalateAfter.Std(), h.Target, *h.Channel)
	}
}

// TextsOf are the templates of a target's messages.
func (c *Config) TextsOf(t *Target) *message.Templates {
	if t != nil && t.Texts != nil {
		return t.Texts
	}
	return c.Texts
}

// Redact replaces every secret in s, however it got there: other sides like to repeat in their
// answers what they were sent. It has to be called before s is cut to length.
func (c *Config) Redact(s string) string {
	if r := c.redactor; r != nil {
		s = r.Replace(s)
	} else if len(c.Secrets) > 0 {
		s = redactor(c.Secrets).Replace(s)
	}
	return answerLinks.ReplaceAllString(signed.ReplaceAllString(s, "${1}=[secret]"), "${1}[secret]")
}

// answerLinks are the relay's own, by which people answer: their signature lets in.
var answerLinks = regexp.MustCompile(`(?i)(answer(?:/|%2f)[0-9a-f]{8,}\S{0,30}?(?:[&;]|%26|\\u0026)s(?:=|%3d))[\w-]{8,}`)

// signed are parameters of addresses that nobody needs to see, whoever made them.
var signed = regexp.MustCompile(`(?i)\b(access_token|sign|signature|secret|password|key)=[^\s&"'<>\\)]+`)

// redactor finds secrets in the forms that they take on their way through addresses, JSON, HTML and encodings.
func redactor(secrets []string) *strings.Replacer {
	forms := map[string]bool{}
	for _, secret := range secrets {
		quotedJSON, _ := json.Marshal(secret)
		escaped, percent, entities, numbers := &strings.Builder{}, &strings.Builder{}, &strings.Builder{}, &strings.Builder{}
		for _, r := range secret {
			fmt.Fprintf(escaped, "\\u%04x", r)
			fmt.Fprintf(entities, "&#%d;", r)
			fmt.Fprintf(numbers, "&#x%X;", r)
		}
		for _, b := range []byte(secret) {
			fmt.Fprintf(percent, "%%%02X", b)
		}
		all := []string{
			secret, url.QueryEscape(secret), url.PathEscape(secret), url.QueryEscape(url.QueryEscape(secret)), url.QueryEscape(url.PathEscape(secret)),
			string(quotedJSON[1 : len(quotedJSON)-1]), strings.ReplaceAll(secret, "/", `\/`), html.EscapeString(secret), escaped.String(),
			percent.String(), entities.String(), numbers.String(), strings.ToLower(numbers.String()),
			hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret))), strconv.Quote(secret),
		}
		all = append(all, insideBase64(secret)...)
		for _, form := range all {
			if len(form) >= 4 {
				forms[form] = true
				forms[lowerEscapes.ReplaceAllStringFunc(form, strings.ToLower)] = true
			}
		}
	}
	// The longest first, so that none hides another.
	sorted := slices.SortedFunc(maps.Keys(forms), func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	var pairs []string
	for _, form := range sorted {
		pairs = append(pairs, form, "[secret]")
	}
	return strings.NewReplacer(pairs...)
}

var lowerEscapes = regexp.MustCompile(`%[0-9A-F]{2}`)

// insideBase64 is what a secret looks like within something longer that is encoded, such as the user and
// password of a login: three forms, by where it falls into the groups of three bytes, without the
// characters at both ends that depend on its neighbours.
func insideBase64(secret string) []string {
	var forms []string
	for before := range 3 {
		text := base64.RawStdEncoding.EncodeToString(append(make([]byte, before), secret...))
		from, to := (before*8+5)/6, (before+len(secret))*8/6
		if from+8 <= to {
			form := text[from:to]
			forms = append(forms, form, strings.NewReplacer("+", "-", "/", "_").Replace(form))
		}
	}
	return forms
}

// Route returns the targets for an alert's labels, none if there are no routes.
func (c *Config) Route(alert map[string]string) []string {
	var out []string
	for _, r := range c.Routes {
		if !notification.Matches(alert, r.Match) || !r.Matchers.Match(alert) {
			continue
		}
		if !slices.Contains(out, r.Target) {
			out = append(out, r.Target)
		}
		if !r.Continue {
			break
		}
	}
	return out
}
