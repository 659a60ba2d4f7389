// Package config reads the relay's configuration: one YAML file, and the secrets in files of their
// own that it names. It is read as a whole or refused as a whole.
package config

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"lookout/app/relay/internal/message"
	"lookout/app/relay/internal/notification"
)

// maxSecret bounds a secret's file; a token has 64 characters.
const maxSecret = 64 << 10

// Config is a configuration that has been checked. It is never changed after Load.
type Config struct {
	TimeZone string `yaml:"time_zone"`
	// Templates is a folder of *.tmpl files, relative to the configuration's.
	Templates string `yaml:"templates"`
	// Keyword stands in front of every message; robots with other keywords get theirs as well.
	Keyword Word `yaml:"keyword"`
	// BearerTokenFile protects everything but health, readiness and metrics.
	BearerTokenFile string `yaml:"bearer_token_file"`
	// AdminTokenFile protects the page and the dead letters, which the senders' token does not open.
	AdminTokenFile string `yaml:"admin_token_file"`
	// Hosts are names with a dot that browsers know the relay by.
	Hosts []string `yaml:"hosts"`
	// DuplicateWindow is read at start only.
	DuplicateWindow Duration              `yaml:"duplicate_window"`
	Retry           Retry                 `yaml:"retry"`
	Robots          map[string]*Robot     `yaml:"robots"`
	Emails          map[string]*Email     `yaml:"emails"`
	Webhooks        map[string]*Webhook   `yaml:"webhooks"`
	Targets         map[string]*Target    `yaml:"targets"`
	Routes          []Route               `yaml:"routes"`
	Heartbeats      map[string]*Heartbeat `yaml:"heartbeats"`
	// Organisations are DingTalk organisations whose robots share a quota.
	Organisations map[string]*Organisation `yaml:"organisations"`

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

// Retry is the backoff between tries of a channel that fails for the moment; every wait is
// randomised by half.
type Retry struct {
	Initial Duration `yaml:"initial"`
	Max     Duration `yaml:"max"`
}

// Robot is a DingTalk custom robot.
type Robot struct {
	// URL without the token; DingTalk's own by default.
	URL       string `yaml:"url"`
	TokenFile string `yaml:"token_file"`
	// SecretFile is for a robot secured by a signature.
	SecretFile string `yaml:"secret_file"`
	// Keywords are those that the robot is secured by.
	Keywords []Word `yaml:"keywords"`
	// Type of message: markdown (default), actionCard, text or link.
	Type string `yaml:"type"`
	// Limit of messages in Window, at most 20 in 60s. Lower it when others send to the same robot.
	Limit  int      `yaml:"limit"`
	Window Duration `yaml:"window"`
	// Block is how long to leave a robot alone that says it got too many.
	Block   Duration `yaml:"block"`
	Timeout Duration `yaml:"timeout"`
	// Organisation that the robot belongs to; "default" unless there are several.
	Organisation string `yaml:"organisation"`

	Name          string `yaml:"-"`
	Token, Secret string `yaml:"-"`
}

// Organisation is a DingTalk organisation.
type Organisation struct {
	// MonthlyQuota is how many messages its robots may send in a calendar month, 0 if that is not known.
	MonthlyQuota int `yaml:"monthly_quota"`
}

// Email is a mail server and whom to write to.
type Email struct {
	// Smarthost is host:port.
	Smarthost string `yaml:"smarthost"`
	// TLS is starttls (default, mandatory), implicit, or none (for a server on the loopback only).
	TLS          string   `yaml:"tls"`
	From         string   `yaml:"from"`
	To           []string `yaml:"to"`
	Username     string   `yaml:"username"`
	PasswordFile string   `yaml:"password_file"`
	// CAFile is for a server whose certificate the system doesn't know.
	CAFile  string   `yaml:"ca_file"`
	Timeout Duration `yaml:"timeout"`

	Name     string         `yaml:"-"`
	Host     string         `yaml:"-"`
	Port     int            `yaml:"-"`
	Password string         `yaml:"-"`
	Roots    *x509.CertPool `yaml:"-"`
}

// Webhook is any gateway that takes a POST, for SMS or telephone.
type Webhook struct {
	// URL, or URLFile where the address itself is a secret.
	URL     string            `yaml:"url"`
	URLFile string            `yaml:"url_file"`
	Headers map[string]string `yaml:"headers"`
	// HeaderFiles are headers whose value is a secret.
	HeaderFiles map[string]string `yaml:"header_files"`
	// Success says which answers mean that it was taken, Preset names those of a known gateway.
	Success Success `yaml:"success"`
	Preset  string  `yaml:"preset"`
	// Template renders the body; "webhook" by default.
	Template    string   `yaml:"template"`
	ContentType string   `yaml:"content_type"`
	Timeout     Duration `yaml:"timeout"`

	Name    string            `yaml:"-"`
	Address string            `yaml:"-"`
	Header  map[string]string `yaml:"-"`
}

// Success is how a gateway's answer is read. Without a path an answer is refused whose errcode, code, Code or
// status is other than 0, 200, OK or success.
type Success struct {
	// Path to a value in the answer's JSON, such as Response.SendStatusSet.*.Code.
	Path string `yaml:"path"`
	// Values that mean success.
	Values []string `yaml:"values"`
	// Throttled are beginnings of values that mean: too many, try again later.
	Throttled []string `yaml:"throttled"`
}

// presets are the answers of gateways: Aliyun's SendSms
// (https://help.aliyun.com/zh/sms/developer-reference/api-dysmsapi-2017-05-25-sendsms) and SingleCallByTts
// (https://help.aliyun.com/zh/vms/developer-reference/api-dyvmsapi-2017-05-25-singlecallbytts), Tencent's SendSms
// (https://cloud.tencent.com/document/product/382/55981).
var presets = map[string]Success{
	"aliyun-sms":   {Path: "Code", Values: []string{"OK"}, Throttled: []string{"isv.BUSINESS_LIMIT_CONTROL", "Throttling"}},
	"aliyun-voice": {Path: "Code", Values: []string{"OK"}, Throttled: []string{"isv.BUSINESS_LIMIT_CONTROL", "Throttling"}},
	"tencent-sms":  {Path: "Response.SendStatusSet.*.Code", Values: []string{"Ok"}, Throttled: []string{"LimitExceeded", "RequestLimitExceeded"}},
}

// Target is where alerts go: channels, the next one for what the one before did not deliver.
type Target struct {
	Channels []Channel         `yaml:"channels"`
	Mentions []message.Mention `yaml:"mentions"`
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
	Pause Duration `yaml:"pause"`
	// Settle is how long a storm must be quiet before its digest goes out, MaxWait how long at most
	// it is waited for.
	Settle  Duration `yaml:"settle"`
	MaxWait Duration `yaml:"max_wait"`
	// MaxMessages of one digest; alerts beyond are counted by name.
	MaxMessages int `yaml:"max_messages"`
}

// Channel is one way to people: robots in turn, an e-mail or a webhook.
type Channel struct {
	Robots  []string `yaml:"robots"`
	Email   string   `yaml:"email"`
	Webhook string   `yaml:"webhook"`
	// EscalateAfter is how long a message may stay undelivered here before the next channel gets it,
	// or, in the last one, before it becomes a dead letter.
	EscalateAfter Duration `yaml:"escalate_after"`
}

// Kind is robot, email or webhook.
func (c Channel) Kind() string {
	switch {
	case c.Email != "":
		return "email"
	case c.Webhook != "":
		return "webhook"
	}
	return "robot"
}

// members names whom the channel reaches.
func (c Channel) members() []string {
	var out []string
	for _, r := range c.Robots {
		out = append(out, "robot "+r)
	}
	if c.Email != "" {
		out = append(out, "email "+c.Email)
	}
	if c.Webhook != "" {
		out = append(out, "webhook "+c.Webhook)
	}
	return out
}

// Label names the channel in metrics and messages.
func (c Channel) Label() string {
	switch c.Kind() {
	case "email":
		return "email:" + c.Email
	case "webhook":
		return "webhook:" + c.Webhook
	}
	return "robot:" + strings.Join(c.Robots, "+")
}

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
	Timeout Duration `yaml:"timeout"`
	// Repeat the alarm this often while it lasts.
	Repeat Duration `yaml:"repeat"`
	Target string   `yaml:"target"`
	// Channel of the target to begin with, from 0: the next one (1) by default, if there is one.
	Channel  *int   `yaml:"channel"`
	Severity string `yaml:"severity"`

	Name string `yaml:"-"`
}

// Duration is written as Prometheus writes it, like 90s, 5m or 1d12h.
type Duration time.Duration

// UnmarshalYAML reads a duration; a bare number is refused, since its unit would be a guess, and 0, since whoever
// writes it cannot mean the default that it would be.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := model.ParseDuration(n.Value)
	if err != nil {
		// Fractions, as Go writes them.
		var std time.Duration
		std, err = time.ParseDuration(n.Value)
		v = model.Duration(std)
	}
	if err != nil || v < 0 {
		return fmt.Errorf("line %d: %q is not a valid duration: write it like 30s, 5m, 1h or 1d", n.Line, n.Value)
	}
	if v == 0 {
		return fmt.Errorf("line %d: 0 is not a time that anything can be done in: leave it out for the default", n.Line)
	}
	*d = Duration(v)
	return nil
}

// Word is a text that must say something.
type Word string

// UnmarshalYAML reads a text and refuses an empty one.
func (w *Word) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode || strings.TrimSpace(n.Value) == "" {
		return fmt.Errorf("line %d: a keyword must not be empty", n.Line)
	}
	*w = Word(n.Value)
	return nil
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

// Std is the duration as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

var quoted = regexp.MustCompile("`[^`]*`")

type loader struct {
	dir   string
	files map[string][]byte
	c     *Config
	errs  []error
}

// Load reads and checks the configuration at path. The error lists everything that is wrong, with
// names and remedies and without any secret's value.
func Load(path string) (*Config, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	var c Config
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil && err != io.EOF {
		// The library quotes what it can't read, and that may be a token in the wrong place.
		return nil, fmt.Errorf("configuration %s: %s", path, quoted.ReplaceAllString(err.Error(), "`…`"))
	}
	if err := dec.Decode(new(yaml.Node)); err != io.EOF {
		return nil, fmt.Errorf("configuration %s: it holds a second YAML document (after ---), which would not be read: join them", path)
	}
	l := &loader{dir: filepath.Dir(path), files: map[string][]byte{path: raw}, c: &c}
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
	s := strings.TrimSpace(string(raw))
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

func orDuration(d *Duration, fallback time.Duration) {
	if *d == 0 {
		*d = Duration(fallback)
	}
}

func (l *loader) check() {
	c := l.c
	c.TimeZone = cmp.Or(c.TimeZone, "Asia/Shanghai")
	c.Keyword = cmp.Or(c.Keyword, Word("报警"))
	orDuration(&c.DuplicateWindow, time.Minute)
	orDuration(&c.Retry.Initial, time.Second)
	orDuration(&c.Retry.Max, time.Minute)
	var err error
	if c.Zone, err = time.LoadLocation(c.TimeZone); err != nil {
		l.fail("time_zone %q is not known: use a name like Asia/Shanghai", c.TimeZone)
		c.Zone = time.UTC
	}
	if c.Retry.Max < c.Retry.Initial {
		l.fail("retry: max %s is shorter than initial %s", c.Retry.Max.Std(), c.Retry.Initial.Std())
	}
	c.BearerToken = l.secret("bearer_token_file", c.BearerTokenFile)
	c.AdminToken = l.secret("admin_token_file", c.AdminTokenFile)
	if c.AdminToken != "" && c.AdminToken == c.BearerToken {
		l.fail("admin_token_file: it holds the senders' token: an operator's is another one")
	}
	for i, h := range c.Hosts {
		c.Hosts[i] = strings.ToLower(h)
	}
	c.Texts = l.templates("templates", c.Templates)
	l.names("robot", slices.Sorted(maps.Keys(c.Robots)))
	for _, name := range slices.Sorted(maps.Keys(c.Robots)) {
		l.robot(name)
	}
	l.names("email", slices.Sorted(maps.Keys(c.Emails)))
	for _, name := range slices.Sorted(maps.Keys(c.Emails)) {
		l.email(name)
	}
	l.names("webhook", slices.Sorted(maps.Keys(c.Webhooks)))
	for _, name := range slices.Sorted(maps.Keys(c.Webhooks)) {
		l.webhook(name)
	}
	used := map[string]bool{}
	for _, w := range c.Webhooks {
		used[w.Template] = true
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
	for name := range c.Robots {
		if _, ok := c.Targets[name]; !ok {
			c.Targets[name] = &Target{Channels: []Channel{{Robots: []string{name}}}}
		}
	}
	if len(c.Targets) == 0 {
		l.fail("no robots and no targets: there is nowhere to deliver to")
	}
	l.names("target", slices.Sorted(maps.Keys(c.Targets)))
	for _, name := range slices.Sorted(maps.Keys(c.Targets)) {
		l.target(name)
	}
	catchAll := -1
	for i, r := range c.Routes {
		who := fmt.Sprintf("routes[%d]", i)
		if c.Targets[r.Target] == nil {
			l.fail("%s: target %q is not defined", who, r.Target)
		}
		if catchAll >= 0 {
			l.fail("%s: no alert gets here, routes[%d] takes all: move it up, or give that one continue: true", who, catchAll)
		}
		for _, name := range slices.Sorted(maps.Keys(r.Match)) {
			l.equality(who+".match."+name, name, r.Match[name])
		}
		all := len(r.Match)+len(r.Matchers) == 0
		if all && !r.Continue {
			catchAll = i
		}
		if i == len(c.Routes)-1 && !all {
			l.fail("routes: the last one must have no match, so that no alert is without a target")
		}
	}
	l.twins()
	for _, name := range slices.Sorted(maps.Keys(c.Heartbeats)) {
		l.heartbeat(name)
	}
	l.names("heartbeat", slices.Sorted(maps.Keys(c.Heartbeats)))
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
	for _, name := range slices.Sorted(maps.Keys(l.c.Robots)) {
		r := l.c.Robots[name]
		if r.Token == "" {
			continue
		}
		if other, ok := known[[2]string{r.URL, r.Token}]; ok {
			l.fail("robots.%s and robots.%s have the same address and token: they are one robot, use one name", other, name)
		}
		known[[2]string{r.URL, r.Token}] = name
	}
}

// address keeps what an address holds besides its host out of everything that is written, and refuses one with
// user and password.
func (l *loader) address(who, raw string) {
	u, err := url.Parse(raw)
	if err != nil {
		return
	}
	if p, ok := u.User.Password(); ok {
		l.c.Secrets = append(l.c.Secrets, p)
		l.fail("%s holds a password: put it into header_files (Authorization)", who)
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

func (l *loader) httpURL(who, raw string) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		// Not quoted: an address may carry a secret.
		l.fail("%s is not an http(s) address", who)
	case u.Query().Has("access_token"):
		l.fail("%s holds an access_token: put it into the token_file, where nobody reads it by chance", who)
	}
}

func (l *loader) robot(name string) {
	who := "robots." + name
	r := l.c.Robots[name]
	if r == nil {
		l.fail("%s is empty: it needs at least a token_file", who)
		l.c.Robots[name] = &Robot{}
		return
	}
	r.Name = name
	r.URL = cmp.Or(r.URL, "https://oapi.dingtalk.com/robot/send")
	l.httpURL(who+".url", r.URL)
	l.address(who+".url", r.URL)
	if r.TokenFile == "" {
		l.fail("%s: token_file is missing", who)
	}
	r.Token = l.secret(who+".token_file", r.TokenFile)
	if strings.Contains(r.Token, "access_token=") {
		l.fail("%s.token_file holds a whole address: it should hold only what stands after access_token=", who)
	}
	r.Secret = l.secret(who+".secret_file", r.SecretFile)
	if len(r.Keywords) > 10 {
		l.fail("%s: %d keywords, a robot can have 10", who, len(r.Keywords))
	}
	r.Organisation = cmp.Or(r.Organisation, "default")
	if r.Organisation != "default" && l.c.Organisations[r.Organisation] == nil {
		l.fail("%s: organisation %q is not defined: add it to organisations", who, r.Organisation)
	}
	r.Type = cmp.Or(r.Type, "markdown")
	if !slices.Contains([]string{"markdown", "actionCard", "text", "link"}, r.Type) {
		l.fail("%s: type %q is none of markdown, actionCard, text, link", who, r.Type)
	}
	r.Limit = cmp.Or(r.Limit, 20)
	if r.Limit < 1 || r.Limit > 20 {
		l.fail("%s: limit %d is not between 1 and 20, which is what DingTalk allows in a minute", who, r.Limit)
	}
	orDuration(&r.Window, time.Minute)
	orDuration(&r.Block, 10*time.Minute)
	orDuration(&r.Timeout, 10*time.Second)
	if u, err := url.Parse(r.URL); err == nil && r.Window.Std() < time.Minute && strings.HasSuffix(u.Hostname(), "dingtalk.com") {
		l.fail("%s: window %s is shorter than DingTalk's minute; shorter ones are for tests against a stand-in", who, r.Window.Std())
	}
}

func (l *loader) email(name string) {
	who := "emails." + name
	e := l.c.Emails[name]
	if e == nil {
		l.fail("%s is empty: it needs smarthost, from and to", who)
		l.c.Emails[name] = &Email{}
		return
	}
	e.Name = name
	host, port, ok := strings.Cut(e.Smarthost, ":")
	n, err := strconv.Atoi(port)
	if !ok || host == "" || err != nil || n < 1 || n > 65535 {
		l.fail("%s: smarthost %q is not host:port", who, e.Smarthost)
	}
	e.Host, e.Port = host, n
	e.TLS = cmp.Or(e.TLS, "starttls")
	switch e.TLS {
	case "starttls", "implicit":
	case "none":
		if host != "localhost" && host != "127.0.0.1" && e.PasswordFile != "" {
			l.fail("%s: tls none with a password would send it in clear: use starttls or implicit", who)
		}
	default:
		l.fail("%s: tls %q is none of starttls, implicit, none", who, e.TLS)
	}
	if _, err := mail.ParseAddress(e.From); err != nil {
		l.fail("%s: from %q is no mail address", who, e.From)
	}
	if len(e.To) == 0 {
		l.fail("%s: to is empty", who)
	}
	for _, to := range e.To {
		if _, err := mail.ParseAddress(to); err != nil {
			l.fail("%s: to %q is no mail address", who, to)
		}
	}
	if (e.Username == "") != (e.PasswordFile == "") {
		l.fail("%s: username and password_file belong together", who)
	}
	e.Password = l.secret(who+".password_file", e.PasswordFile)
	if e.CAFile != "" {
		pem, err := os.ReadFile(l.path(e.CAFile))
		e.Roots = x509.NewCertPool()
		if err != nil {
			l.fail("%s.ca_file: %w", who, err)
		} else if !e.Roots.AppendCertsFromPEM(pem) {
			l.fail("%s: ca_file %s holds no certificate", who, e.CAFile)
		}
		l.files[l.path(e.CAFile)] = pem
	}
	orDuration(&e.Timeout, 20*time.Second)
}

func (l *loader) webhook(name string) {
	who := "webhooks." + name
	w := l.c.Webhooks[name]
	if w == nil {
		l.fail("%s is empty: it needs url or url_file", who)
		l.c.Webhooks[name] = &Webhook{}
		return
	}
	w.Name = name
	if (w.URL == "") == (w.URLFile == "") {
		l.fail("%s: exactly one of url and url_file", who)
	}
	w.Address = w.URL
	if w.URLFile != "" {
		w.Address = l.secret(who+".url_file", w.URLFile)
	}
	if w.Address != "" {
		l.address(who, w.Address)
		if u, err := url.Parse(w.Address); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			l.fail("%s: the address is not an http(s) one", who)
		}
	}
	w.Header = maps.Clone(w.Headers)
	if w.Header == nil {
		w.Header = map[string]string{}
	}
	for _, h := range slices.Sorted(maps.Keys(w.HeaderFiles)) {
		w.Header[h] = l.secret(who+".header_files."+h, w.HeaderFiles[h])
	}
	if w.Preset != "" {
		preset, ok := presets[w.Preset]
		if !ok {
			l.fail("%s: preset %q is not known: use one of %s", who, w.Preset, strings.Join(slices.Sorted(maps.Keys(presets)), ", "))
		}
		if w.Success.Path != "" {
			l.fail("%s: success and preset exclude each other", who)
		}
		w.Success = preset
	}
	if (w.Success.Path == "") != (len(w.Success.Values) == 0) {
		l.fail("%s: success needs both path and values", who)
	}
	w.Template = cmp.Or(w.Template, "webhook")
	if l.c.Texts != nil && !l.c.Texts.Has(w.Template) {
		l.fail("%s: there is no template %q", who, w.Template)
	}
	w.ContentType = cmp.Or(w.ContentType, "application/json; charset=utf-8")
	orDuration(&w.Timeout, 10*time.Second)
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
		for _, id := range ch.members() {
			if before, ok := used[id]; ok && before == i {
				l.fail("%s.channels[%d]: %s stands there twice", who, i, id)
			} else if ok {
				l.fail("%s.channels[%d]: %s is in channels[%d] already: what it did not deliver there it will not deliver here", who, i, id, before)
			}
			used[id] = i
		}
		set := 0
		if len(ch.Robots) > 0 {
			set++
		}
		if ch.Email != "" {
			set++
		}
		if ch.Webhook != "" {
			set++
		}
		if set != 1 {
			l.fail("%s.channels[%d]: exactly one of robots, email, webhook", who, i)
		}
		for _, r := range ch.Robots {
			if l.c.Robots[r] == nil {
				l.fail("%s.channels[%d]: robot %q is not defined", who, i, r)
			}
		}
		if ch.Email != "" && l.c.Emails[ch.Email] == nil {
			l.fail("%s.channels[%d]: email %q is not defined", who, i, ch.Email)
		}
		if ch.Webhook != "" && l.c.Webhooks[ch.Webhook] == nil {
			l.fail("%s.channels[%d]: webhook %q is not defined", who, i, ch.Webhook)
		}
		if i == len(t.Channels)-1 {
			// No channel is left, so it is tried for as long as it can still be of use.
			orDuration(&ch.EscalateAfter, 24*time.Hour)
		} else {
			orDuration(&ch.EscalateAfter, 5*time.Minute)
			if ch.EscalateAfter.Std() > 24*time.Hour {
				l.fail("%s.channels[%d]: escalate_after %s is longer than the day for which an alert is news", who, i, ch.EscalateAfter.Std())
			}
		}
	}
	for i, m := range t.Mentions {
		if len(m.Mobiles)+len(m.UserIDs) == 0 && !m.All {
			l.fail("%s.mentions[%d] names nobody: mobiles, user_ids or all", who, i)
		}
		for _, mobile := range m.Mobiles {
			if strings.Trim(mobile, "+-0123456789") != "" || mobile == "" {
				l.fail("%s.mentions[%d]: %q is no mobile number (quote it in YAML)", who, i, mobile)
			}
		}
	}
	t.Digest.Above = cmp.Or(t.Digest.Above, 3)
	orDuration(&t.Digest.Pause, time.Second)
	orDuration(&t.Digest.Settle, 1500*time.Millisecond)
	orDuration(&t.Digest.MaxWait, 15*time.Second)
	t.Digest.MaxMessages = cmp.Or(t.Digest.MaxMessages, 10)
	if t.Digest.MaxMessages < 1 || t.Digest.Above < 1 {
		l.fail("%s.digest: above and max_messages are at least 1", who)
	}
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
	orDuration(&h.Timeout, 5*time.Minute)
	orDuration(&h.Repeat, 4*time.Hour)
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
	return signed.ReplaceAllString(s, "${1}=[secret]")
}

// signed are parameters of addresses that nobody needs to see, whoever made them.
var signed = regexp.MustCompile(`(?i)\b(access_token|sign|signature|secret|password|key)=[^\s&"'<>\\)]+`)

// redactor finds secrets in the forms that they take on their way through addresses, JSON, HTML and encodings.
func redactor(secrets []string) *strings.Replacer {
	forms := map[string]bool{}
	for _, secret := range secrets {
		quotedJSON, _ := json.Marshal(secret)
		escaped := &strings.Builder{}
		for _, r := range secret {
			fmt.Fprintf(escaped, "\\u%04x", r)
		}
		all := []string{
			secret, url.QueryEscape(secret), url.PathEscape(secret), url.QueryEscape(url.QueryEscape(secret)), url.QueryEscape(url.PathEscape(secret)),
			string(quotedJSON[1 : len(quotedJSON)-1]), strings.ReplaceAll(secret, "/", `\/`), html.EscapeString(secret), escaped.String(),
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
