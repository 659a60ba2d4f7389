// Package delivery brings accepted notifications to people: it makes messages of them, keeps every
// robot's limit, understands the answers, and goes on to the next channel when one does not deliver.
package delivery

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lookout/app/relay/internal/channel"
	"lookout/app/relay/internal/config"
	"lookout/app/relay/internal/message"
	"lookout/app/relay/internal/notification"
	"lookout/app/relay/internal/pair"
	"lookout/app/relay/internal/spool"
)

// AboutLabel marks alerts about delivery itself. They begin on a target's second channel, because
// the first is what they may be about.
const AboutLabel = "lookout_about"

// ErrNoTarget is for a notification that no target or route is configured for.
var ErrNoTarget = errors.New("no such target")

// Options of New.
type Options struct {
	Store     *spool.Store
	Reserve   int64
	Config    *config.Config
	Log       *slog.Logger
	Registry  prometheus.Registerer
	Metrics   *Metrics
	Transport http.RoundTripper
	// Pair is this relay's part in its pair; nil for a relay alone.
	Pair *pair.Pair
}

// Engine delivers. It must be run by Run; Accept works before and meanwhile.
type Engine struct {
	store     *spool.Store
	reserve   int64
	log       *slog.Logger
	transport http.RoundTripper
	Metrics   *Metrics

	pair *pair.Pair
	// told wakes what writes down for the other relay what people were told; calls are those that ended meanwhile.
	told    chan struct{}
	callsMu sync.Mutex
	calls   []int64
	held    held
	// adopted are the calls of the other relay that count already.
	adopted map[int64]bool

	config  atomic.Pointer[config.Config]
	members atomic.Pointer[map[string]*member]

	takenMu sync.Mutex
	taken   map[uint64]taken
	// answering lets one person at a time answer.
	answering chan struct{}
	// taps are those on cards, cards the changes that come of them.
	taps  *tapBook
	cards *cardBook

	// steps of all lanes, for a test of what waiting costs.
	steps atomic.Int64

	mu    sync.Mutex
	lanes map[laneKey]*lane
	// arrivals is when a target's newest notification came, by the steady clock.
	arrivals map[string]time.Duration

	beatMu sync.Mutex
	beats  map[string]beat
	// started is set until the first configuration is in use.
	started   bool
	beatAlarm chan struct{}

	// applied hands a new configuration to Run.
	applied chan *config.Config
}

type laneKey struct {
	target  string
	channel int
}

// New makes an engine for a configuration and registers its metrics.
func New(o Options) (*Engine, error) {
	e := &Engine{
		store: o.Store, reserve: o.Reserve, log: o.Log, transport: o.Transport,
		Metrics: o.Metrics, pair: o.Pair, told: make(chan struct{}, 1),
		lanes: map[laneKey]*lane{}, arrivals: map[string]time.Duration{},
		answering: make(chan struct{}, 1),
		beats:     map[string]beat{}, beatAlarm: make(chan struct{}, 1), applied: make(chan *config.Config, 1),
	}
	empty := map[string]*member{}
	e.members.Store(&empty)
	e.loadBeats()
	if err := e.loadTaken(); err != nil {
		return nil, fmt.Errorf("read who takes care of what: %w", err)
	}
	if err := e.loadTaps(); err != nil {
		return nil, fmt.Errorf("read what was tapped: %w", err)
	}
	if err := e.use(o.Config); err != nil {
		return nil, err
	}
	if err := e.inspect(o.Config); err != nil {
		return nil, err
	}
	if err := e.persistBeats(); err != nil {
		e.log.Error("cannot persist how long heartbeats have not come", "error", err)
	}
	return e, o.Registry.Register(collector{e})
}

// Config is the configuration in use.
func (e *Engine) Config() *config.Config { return e.config.Load() }

// use makes a configuration the one in use, taking over what is known of robots.
func (e *Engine) use(c *config.Config) error {
	members := map[string]*member{}
	env := channel.Environment{
		Transport: e.transport, Now: e.store.Wall, Redact: c.Redact,
		Render: func(template string, m channel.Message) (string, error) {
			ctx := message.Context{Keyword: string(c.Keyword), Target: m.Target, Escalated: m.Escalated, Now: e.store.Wall()}
			return c.TextsOf(c.Targets[m.Target]).Gateway(template, m.Content, m.Notification(), ctx, m.ID)
		},
	}
	for id, peer := range c.Peers {
		members[id] = newMember(c, id, peer, e.store.Salt(), env, e.pair)
	}
	now := e.store.Steady()
	limiters := map[string]*limiter{}
	organisations := map[string]*organisation{}
	err := e.store.View(func(tx *spool.Tx) error {
		for _, id := range sortedKeys(members) {
			m := members[id]
			if name := m.organisationName; name != "" {
				if organisations[name] == nil {
					o := &organisation{name: name, zone: c.Zone, wall: e.store.Wall}
					if known := c.Organisations[name]; known != nil {
						o.quota = known.MonthlyQuota
					}
					// What cannot be read counts as not being there: it is put aside at the next start.
					_, _ = tx.GetKey(collectionMembers, []byte("org:"+o.name), &o.s)
					o.s.Rest = min(o.s.Rest, now+quotaRest)
					organisations[name] = o
				}
				m.org = organisations[name]
			}
			if l := limiters[m.stateKey]; l != nil {
				m.limiter = l
				continue
			}
			limiters[m.stateKey] = m.limiter
			var s memberState
			if found, err := tx.GetKey(collectionMembers, []byte(m.stateKey), &s); !found || err != nil {
				// As earlier versions kept it.
				s = memberState{}
				_, _ = tx.GetKey(collectionMembers, []byte(m.id), &s)
			}
			m.restore(s, now)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the robots' state: %w", err)
	}
	e.members.Store(&members)
	e.config.Store(c)
	e.startBeats(c, now)
	return nil
}

// peerKey names a robot by its address and token, without holding the token.
func peerKey(salt []byte, address, token string) string {
	h := sha256.New()
	h.Write(salt)
	fmt.Fprintf(h, "%q %q", address, token)
	return fmt.Sprintf("peer:%x", h.Sum(nil)[:12])
}

// noNonce has the length of one, for a message that is only measured.
const noNonce = "000000000000000000000000"

func newNonce() string {
	b := make([]byte, 12)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// Apply makes a checked configuration the one in use, once running sends are over.
func (e *Engine) Apply(c *config.Config) {
	for {
		select {
		case e.applied <- c:
			return
		default:
		}
		// A newer one replaces one that is still waiting.
		select {
		case <-e.applied:
		default:
		}
	}
}

// Run delivers until ctx is cancelled, and returns once no send is under way.
func (e *Engine) Run(ctx context.Context) error {
	leave := e.join(ctx)
	defer leave()
	for {
		running, stop := context.WithCancel(ctx)
		var wg sync.WaitGroup
		// Taps that were acknowledged here are carried out here, whoever delivers now.
		wg.Go(func() { e.carryTaps(running) })
		wg.Go(func() { e.updateCards(running) })
		if e.takeOver(running) {
			e.startLanes(running, &wg)
			wg.Go(func() { e.watchBeats(running) })
			wg.Go(func() { e.settleIn(running, e.Config()) })
			wg.Go(func() { e.takeOffers(running) })
			e.listen(running, &wg)
		} else {
			wg.Go(func() { e.standBy(running) })
		}
		var next *config.Config
		select {
		case <-ctx.Done():
		case next = <-e.applied:
		case <-e.partChanged():
		}
		stop()
		wg.Wait()
		e.mu.Lock()
		e.lanes = map[laneKey]*lane{}
		e.mu.Unlock()
		if ctx.Err() != nil {
			return nil
		}
		if next == nil {
			continue
		}
		if err := e.use(next); err != nil {
			e.log.Error("the new configuration cannot be used, the old one stays", "error", err)
			e.Metrics.ReloadOK.Set(0)
			continue
		}
		e.log.Info("configuration in use", "config", next.Digest)
	}
}

// mergeLimit is the most that a digest may be made of: what is written for it, several times over,
// has to fit into what the disk keeps free for the relay.
func (e *Engine) mergeLimit() int {
	if e.reserve <= 0 {
		return maxMergeBytes
	}
	return int(min(maxMergeBytes, max(e.reserve/8, 64<<10)))
}

func (e *Engine) startLanes(ctx context.Context, wg *sync.WaitGroup) {
	c := e.Config()
	members := *e.members.Load()
	lanes := map[laneKey]*lane{}
	for name, t := range c.Targets {
		for i, ch := range t.Channels {
			l := newLane(e, c, t, i)
			for _, id := range ch.IDs() {
				l.members = append(l.members, members[id])
			}
			e.Metrics.begin(name, ch.Label(), l.members)
			lanes[laneKey{name, i}] = l
		}
	}
	e.mu.Lock()
	e.lanes = lanes
	e.mu.Unlock()
	for _, l := range lanes {
		wg.Go(func() { l.run(ctx) })
	}
}

func (e *Engine) memberList() []*member {
	members := *e.members.Load()
	var out []*member
	for _, id := range slices.Sorted(maps.Keys(members)) {
		out = append(out, members[id])
	}
	return out
}

// wakeLane tells a lane that there is something new; reload that its outbox changed.
func (e *Engine) wakeLane(target string, channel int, reload bool) {
	e.mu.Lock()
	l := e.lanes[laneKey{target, channel}]
	e.mu.Unlock()
	if l == nil {
		return
	}
	if reload {
		l.dirty.Store(true)
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (e *Engine) arrived(target string, at time.Duration) {
	e.mu.Lock()
	e.arrivals[target] = at
	e.mu.Unlock()
}

func (e *Engine) lastArrival(target string) (time.Duration, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	at, ok := e.arrivals[target]
	return at, ok
}

// Accepted says what became of a notification.
type Accepted struct {
	Target    string `json:"target"`
	ID        uint64 `json:"id,omitempty"`
	Duplicate bool   `json:"duplicate,omitempty"`

	queue string
}

// Accept takes a notification for a target, or by the routes for target "". When it returns without
// an error, the notification is on disk. The errors are ErrNoTarget, spool.ErrFull, spool.ErrClosed
// and what the disk says.
func (e *Engine) Accept(ctx context.Context, target string, raw []byte, n notification.Notification) ([]Accepted, error) {
	c := e.Config()
	if target != "" && c.Targets[target] == nil {
		return nil, fmt.Errorf("%w %q", ErrNoTarget, target)
	}
	if target == "" && len(c.Routes) == 0 {
		return nil, fmt.Errorf("%w: no routes are configured", ErrNoTarget)
	}
	if err := e.store.Room(); err != nil {
		return nil, err
	}
	rest, beats := e.splitBeats(c, n)
	about := rest.Only(func(a notification.Alert) bool { return a.Labels[AboutLabel] == "delivery" })
	rest = rest.Only(func(a notification.Alert) bool { return a.Labels[AboutLabel] != "delivery" })

	// The body is kept as it came wherever all of it goes to one place.
	whole := len(rest.Alerts) == len(n.Alerts)
	type part struct {
		queue, target string
		body          []byte
		alerts        []uint64
	}
	var parts []part
	size := 0
	routed := e.split(c, target, rest)
	for _, t := range routed {
		for _, piece := range urgency(t.n) {
			p := part{queue: queueOf(t.target, piece.urgent), target: t.target, body: raw}
			if !whole || len(piece.n.Alerts) != len(rest.Alerts) {
				p.body = encode(piece.n)
			} else if bytes.ContainsAny(raw, "\n\t") {
				var b bytes.Buffer
				if json.Compact(&b, bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))) == nil {
					p.body = b.Bytes()
				}
			}
			for _, a := range piece.n.Alerts {
				p.alerts = append(p.alerts, a.Hash())
			}
			size += len(p.body)
			parts = append(parts, p)
		}
	}
	aboutParts := e.split(c, target, about)
	var accepted []Accepted
	err := e.store.UpdateSize(ctx, size, func(tx *spool.Tx) error {
		accepted = accepted[:0]
		for _, p := range parts {
			seq, duplicate, err := tx.Accept(p.queue, p.body, p.alerts...)
			if err != nil {
				return err
			}
			accepted = append(accepted, Accepted{Target: p.target, ID: seq, Duplicate: duplicate, queue: p.queue})
		}
		for _, p := range aboutParts {
			var alerts []uint64
			for _, a := range p.n.Alerts {
				alerts = append(alerts, a.Hash())
			}
			id, duplicate, err := tx.AcceptBy("#"+p.target, encode(p.n), alerts, func() (uint64, error) {
				return e.putDirect(tx, c, p.target, 1, "", p.n)
			})
			if err != nil {
				return err
			}
			accepted = append(accepted, Accepted{Target: p.target, ID: id, Duplicate: duplicate})
		}
		return e.putBeats(tx, c, beats)
	})
	if err != nil {
		return nil, err
	}
	now := e.store.Steady()
	e.holds(append(routed, aboutParts...), now)
	e.beat(beats, now)
	for _, a := range accepted {
		if a.Duplicate {
			e.Metrics.Duplicates.WithLabelValues(a.Target).Inc()
			continue
		}
		e.Metrics.Accepted.WithLabelValues(a.Target).Inc()
		if a.queue != "" {
			e.arrived(a.queue, now)
			e.wakeLane(a.Target, 0, false)
		}
	}
	for _, p := range aboutParts {
		e.wakeLane(p.target, min(1, len(c.Targets[p.target].Channels)-1), true)
	}
	return accepted, nil
}

// encode writes a notification without making it longer than it came.
func encode(n notification.Notification) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	// Strings, numbers that are finite and times in four digits' years cannot fail to encode.
	_ = enc.Encode(n)
	return bytes.TrimSpace(b.Bytes())
}

// few is up to how many alerts a notification stays one message although only some of them are critical.
const few = 10

type piece struct {
	urgent bool
	n      notification.Notification
}

// urgency says which of a notification has kept places: all of it where something in it is critical, only
// that part where the rest would bury it.
func urgency(n notification.Notification) []piece {
	severe := 0
	for _, a := range n.Alerts {
		if critical(a) {
			severe++
		}
	}
	if severe == 0 || severe == len(n.Alerts) || len(n.Alerts) <= few {
		return []piece{{severe > 0, n}}
	}
	others := n.Only(func(a notification.Alert) bool { return !critical(a) })
	urgent := n.Only(critical)
	urgent.TruncatedAlerts = 0
	return []piece{{true, urgent}, {false, others}}
}

// putDirect makes a message that begins on a given channel. Where replaces names it, one of that name that was
// not tried yet is taken back.
func (e *Engine) putDirect(tx *spool.Tx, c *config.Config, target string, channel int, replaces string, n notification.Notification) (uint64, error) {
	now := e.store.Steady()
	m := Message{Target: target, Channel: min(channel, len(c.Targets[target].Channels)-1), Received: now, Since: now, Wall: e.store.Wall(), Detail: &n, Replaces: replaces}
	m.Urgent = slices.ContainsFunc(n.Alerts, critical)
	if replaces != "" {
		var old []uint64
		if err := tx.Each(outboxOf(target, m.Channel, m.Urgent), func(id uint64, raw []byte) error {
			var o Message
			if bytes.Contains(raw, []byte(`"replaces"`)) && json.Unmarshal(raw, &o) == nil && o.Replaces == replaces && o.fresh() {
				old = append(old, id)
			}
			return nil
		}); err != nil {
			return 0, err
		}
		for _, id := range old {
			if err := tx.Delete(outboxOf(target, m.Channel, m.Urgent), id); err != nil {
				return 0, err
			}
		}
	}
	return m.ID, e.save(tx, &m)
}

type targeted struct {
	target string
	n      notification.Notification
}

// split divides a notification by the routes, or gives all of it to the target.
func (e *Engine) split(c *config.Config, target string, n notification.Notification) []targeted {
	if len(n.Alerts) == 0 {
		return nil
	}
	if target != "" {
		return []targeted{{target, n}}
	}
	byTarget := map[string][]notification.Alert{}
	for _, a := range n.Alerts {
		for _, t := range c.Route(a.Labels) {
			byTarget[t] = append(byTarget[t], a)
		}
	}
	var out []targeted
	for _, t := range sortedKeys(byTarget) {
		part := n
		part.Alerts = byTarget[t]
		out = append(out, targeted{t, part.Only(func(notification.Alert) bool { return true })})
	}
	return out
}

// DeadSummary is a dead letter without what it tells.
type DeadSummary struct {
	ID       uint64    `json:"id"`
	Target   string    `json:"target"`
	Title    string    `json:"title"`
	Alerts   int       `json:"alerts"`
	Accepted time.Time `json:"accepted"`
	Died     time.Time `json:"died"`
	Reason   string    `json:"reason"`
	Failures []Failure `json:"failures,omitempty"`
}

// maxDeadBytes bounds what is read for one list of dead letters.
const maxDeadBytes = 16 << 20

// Dead lists dead letters, oldest first: at most limit of those after a number. next is set where there may be
// more.
func (e *Engine) Dead(after uint64, limit int) (out []DeadSummary, next uint64, err error) {
	err = e.store.View(func(tx *spool.Tx) error {
		size := 0
		return tx.EachFrom(collectionDead, after+1, func(id uint64, raw []byte) error {
			if len(out) >= limit || size > maxDeadBytes {
				next = out[len(out)-1].ID
				return spool.Stop
			}
			size += len(raw)
			var d DeadLetter
			// One that is damaged is put aside at the next start.
			if json.Unmarshal(raw, &d) == nil {
				out = append(out, DeadSummary{ID: id, Target: d.Target, Title: d.Title(), Alerts: d.alerts(), Accepted: d.Wall, Died: d.Died, Reason: d.Reason, Failures: d.Failures})
			}
			return nil
		})
	})
	e.store.Trim()
	return out, next, err
}

// Resend puts a dead letter back on the first channel of its target, or of another one.
func (e *Engine) Resend(ctx context.Context, id uint64, target string) error {
	c := e.Config()
	to := ""
	err := e.store.Update(ctx, func(tx *spool.Tx) error {
		var d DeadLetter
		ok, err := tx.Get(collectionDead, id, &d)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("there is no dead letter %d", id)
		}
		m := d.Message
		to = cmp.Or(target, m.Target)
		if c.Targets[to] == nil {
			return fmt.Errorf("%w %q: name one of %v", ErrNoTarget, to, sortedKeys(c.Targets))
		}
		m.Target, m.Channel, m.Since = to, 0, e.store.Steady()
		m.Nonce, m.Packed, m.Replaces = "", false, ""
		m.Content, m.Robot, m.Ambiguous, m.RefusedBy, m.Attempts, m.Unknown = nil, "", false, nil, 0, 0
		m.Escalated = "重发 re-sent: " + d.Reason
		if m.Detail == nil && m.Digest == nil {
			return fmt.Errorf("dead letter %d cannot be read any more", id)
		}
		if err := tx.Delete(collectionDead, id); err != nil {
			return err
		}
		// A new number, and so a new msgUuid: this time it is meant to be shown.
		m.ID = 0
		return e.save(tx, &m)
	})
	if err != nil {
		return err
	}
	e.wakeLane(to, 0, true)
	return nil
}

// Drop deletes a dead letter that nobody needs any more.
func (e *Engine) Drop(ctx context.Context, id uint64) error {
	return e.store.Update(ctx, func(tx *spool.Tx) error {
		var d DeadLetter
		ok, err := tx.Get(collectionDead, id, &d)
		if err == nil && !ok {
			err = fmt.Errorf("there is no dead letter %d", id)
		}
		if err != nil {
			return err
		}
		return tx.Delete(collectionDead, id)
	})
}

// Probe writes to the spool, to tell the truth about whether the next notification can be taken.
func (e *Engine) Probe(ctx context.Context) error {
	if err := e.store.Room(); err != nil {
		return err
	}
	return e.store.Update(ctx, func(tx *spool.Tx) error {
		return tx.PutKey("probe", []byte("at"), e.store.Wall())
	})
}

func (e *Engine) context(c *config.Config, t *config.Target, ch config.Channel, m *Message) message.Context {
	ctx := contextOf(c, t, ch, m, e.store.Wall())
	ctx.TakenBy = e.takenBy
	return ctx
}

// contextOf is what a message on a channel depends on besides its alerts.
func contextOf(c *config.Config, t *config.Target, ch config.Channel, m *Message, now time.Time) message.Context {
	ctx := message.Context{
		Keyword: string(c.Keyword), Keywords: []string{string(c.Keyword)}, Target: t.Name,
		Escalated: m.Escalated, Now: now, Mentions: c.Mentions(t, now), Form: c.Peers[ch.IDs()[0]].Traits().Form,
	}
	if !ctx.Form.Buttons {
		ctx.Answer = answerLink(c, cmp.Or(m.Nonce, noNonce), now)
	}
	for _, id := range ch.IDs() {
		// One of a robot's keywords is enough for it.
		if kw := c.Peers[id].Traits().Keywords; len(kw) > 0 && !slices.Contains(kw, string(c.Keyword)) {
			ctx.Keywords = append(ctx.Keywords, kw[0])
		}
	}
	return ctx
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
