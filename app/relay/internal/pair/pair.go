// Package pair lets two relays that get the same notifications deliver each of them once.
//
// Both accept into a spool of their own. A lease in PostgreSQL says which of them delivers; what people were told is
// written down there as well, so that the other one drops its copies, and sends what is left when it takes over. All times in
// PostgreSQL are its own clock's, and what a relay says of the past it says as an age: no two clocks are compared.
package pair

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Mode is the part that a relay has in its pair.
type Mode int32

const (
	// Standby accepts, and leaves delivering to the other.
	Standby Mode = iota
	// Leading has the lease and delivers.
	Leading
	// Alone cannot reach PostgreSQL and delivers all the same.
	Alone
)

// String is the mode as it stands in metrics, logs and on the page.
func (m Mode) String() string { return [...]string{"standby", "leading", "alone"}[m] }

// Modes are all there are.
var Modes = []Mode{Standby, Leading, Alone}

// Key identifies an alert of a target, the same in both relays.
type Key [16]byte

// Told is a state of an alert that people were told.
type Told struct {
	Key Key
	// Starts is when the alert began to fire, in nanoseconds since 1970, 0 where the sender does not say.
	Starts   int64
	Resolved bool
	// Age is how long ago the newest notification that was told with it had been accepted.
	Age time.Duration
}

// Call is a call to a robot: what counts against its limit.
type Call struct {
	ID int64
	// Peer names the robot in both relays.
	Peer string
	// Age is how long ago it ended. It is negative for one that may still be under way.
	Age time.Duration
}

// Offer is a notification that the relay on standby has and the other may not have.
type Offer struct {
	ID     int64
	Target string
	Body   []byte
	// Age is how long ago it was accepted.
	Age time.Duration
}

// Shared is something that one relay knows and the other has to: the newest of its kind and name counts.
type Shared struct {
	Kind, Name string
	Body       []byte
	// Age is how long ago it was shared.
	Age time.Duration
}

// DB is what the relays of a pair share. Every method returns by the end of its context.
type DB interface {
	// Campaign takes the lease, or renews it, unless another holder has it. It returns whether holder has it now.
	Campaign(ctx context.Context, holder string, ttl time.Duration) (bool, error)
	// Release gives the lease up.
	Release(ctx context.Context, holder string) error
	// Reserve notes a call to a peer before it is made. It returns 0 if the holder has no lease any more.
	Reserve(ctx context.Context, holder, relay, peer string, timeout time.Duration) (int64, error)
	// Ended notes that calls are over.
	Ended(ctx context.Context, ids []int64) error
	// Calls are those of other relays that ended less than within ago.
	Calls(ctx context.Context, relay string, within time.Duration) ([]Call, error)
	// Tell notes what people were told.
	Tell(ctx context.Context, told []Told) error
	// Ask returns what people were told of alerts.
	Ask(ctx context.Context, keys []Key) ([]Told, error)
	// Offer hands notifications to the relay that leads; what is there already under the same reference stays as it is.
	Offer(ctx context.Context, relay string, refs []string, offers []Offer) error
	// Offers are those of other relays, oldest first.
	Offers(ctx context.Context, relay string, limit int) ([]Offer, error)
	// Take removes offers that are on this relay's disk now.
	Take(ctx context.Context, ids []int64) error
	// Share notes what the other relay has to know.
	Share(ctx context.Context, relay string, list []Shared) error
	// Learn returns what other relays shared since a position, oldest first, and the next position; some of it may come twice.
	// The first position is 0.
	Learn(ctx context.Context, relay string, from int64) (list []Shared, next int64, err error)
	// Purge forgets what is older than a relay may be away.
	Purge(ctx context.Context, age time.Duration) error
	// Close ends all connections.
	Close()
}

// Options of New.
type Options struct {
	DB DB
	// Relay names this one for as long as its spool lasts.
	Relay string
	// Takeover is after how long a silence of one relay the other delivers.
	Takeover time.Duration
	// Peer is the address of the other relay, "" if it is not known.
	Peer string
	Log  *slog.Logger
	// Now is a clock that does not jump.
	Now       func() time.Duration
	Transport http.RoundTripper
	// Redact takes secrets out of what is logged.
	Redact func(string) string
}

// Pair is one relay's part. It must be run by Run.
type Pair struct {
	o      Options
	holder string
	client *http.Client

	mode atomic.Int32
	// until is when the lease may be over, by this relay's clock.
	until atomic.Int64
	// contact is when PostgreSQL last answered.
	contact atomic.Int64
	since   atomic.Int64
	changed chan struct{}
	again   chan struct{}

	mu      sync.Mutex
	lastErr string
}

// New makes a relay's part of its pair.
func New(o Options) *Pair {
	if o.Redact == nil {
		o.Redact = func(s string) string { return s }
	}
	random := make([]byte, 8)
	rand.Read(random)
	p := &Pair{
		// A new process is a new holder: what the one before had begun may still be under way.
		o: o, holder: o.Relay + "-" + hex.EncodeToString(random),
		client: &http.Client{Transport: o.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, changed: make(chan struct{}, 1), again: make(chan struct{}, 1),
	}
	p.contact.Store(int64(o.Now()))
	p.since.Store(int64(o.Now()))
	return p
}

// ttl is how long a lease lasts that is not renewed.
func (p *Pair) ttl() time.Duration { return p.o.Takeover * 2 / 3 }

// timeout of one question to PostgreSQL.
func (p *Pair) timeout() time.Duration { return min(p.o.Takeover/10, 3*time.Second) }

// Pause is the time between two looks at what the other relay does.
func (p *Pair) Pause() time.Duration { return p.o.Takeover / 20 }

// Takeover is after how long a silence of one relay the other delivers.
func (p *Pair) Takeover() time.Duration { return p.o.Takeover }

// Mode is the part that the relay has now.
func (p *Pair) Mode() Mode { return Mode(p.mode.Load()) }

// Since is how long the relay has had its part.
func (p *Pair) Since() time.Duration { return p.o.Now() - time.Duration(p.since.Load()) }

// Silence is how long PostgreSQL has not answered.
func (p *Pair) Silence() time.Duration { return p.o.Now() - time.Duration(p.contact.Load()) }

// Relay names this relay.
func (p *Pair) Relay() string { return p.o.Relay }

// Delivers tells whether the relay may send now. A process that was stopped for a while learns here that its lease is over.
func (p *Pair) Delivers() bool {
	switch p.Mode() {
	case Leading:
		return int64(p.o.Now()) < p.until.Load()
	case Alone:
		return true
	}
	return false
}

// Changed says that the relay begins or ceases to deliver, or has to look anew at what was told.
func (p *Pair) Changed() <-chan struct{} { return p.changed }

// Apart is how many places of a limit are for a relay that delivers although it cannot reach PostgreSQL. The one with the
// lease leaves them free: it cannot know that there is no such other.
func Apart(limit int) int { return max(limit/5, 1) }

// LeastLimit is the smallest limit that two relays can share.
const LeastLimit = 5

func (p *Pair) set(m Mode) {
	old := Mode(p.mode.Swap(int32(m)))
	if old == m {
		return
	}
	p.since.Store(int64(p.o.Now()))
	p.o.Log.Info("part in the pair", "mode", m.String(), "before", old.String())
	// Who led and is cut off goes on as it is.
	if old == Standby || m != Alone {
		select {
		case p.changed <- struct{}{}:
		default:
		}
	}
}

// Do asks PostgreSQL something, and notes whether it answers.
func (p *Pair) Do(ctx context.Context, ask func(context.Context, DB) error) error {
	limited, cancel := context.WithTimeout(ctx, p.timeout())
	defer cancel()
	err := ask(limited, p.o.DB)
	if ctx.Err() != nil {
		return err
	}
	text := ""
	if err != nil {
		text = p.o.Redact(err.Error())
	} else {
		p.contact.Store(int64(p.o.Now()))
	}
	p.mu.Lock()
	fresh := text != p.lastErr
	p.lastErr = text
	p.mu.Unlock()
	if fresh && text != "" {
		p.o.Log.Error("the pair's PostgreSQL does not answer", "error", text)
	} else if fresh {
		p.o.Log.Info("the pair's PostgreSQL answers")
	}
	if err != nil {
		return errors.New(text)
	}
	return nil
}

// Run campaigns until ctx is cancelled.
func (p *Pair) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.again:
		case <-timer.C:
		}
		p.campaign(ctx)
		timer.Reset(p.Pause())
	}
}

func (p *Pair) campaign(ctx context.Context) {
	began := p.o.Now()
	held := false
	err := p.Do(ctx, func(ctx context.Context, db DB) (err error) {
		held, err = db.Campaign(ctx, p.holder, p.ttl())
		return err
	})
	switch {
	case ctx.Err() != nil:
	case err == nil && held:
		// A send that begins at the end of it is over before the other one's begin.
		p.until.Store(int64(began + p.ttl()*3/4))
		p.set(Leading)
	case err == nil:
		p.set(Standby)
	default:
		p.cutOff(ctx)
	}
}

// cutOff decides what to do without PostgreSQL. Who led goes on at once, the other after the silence that it takes a
// dead one by; neither if the other says that it delivers.
func (p *Pair) cutOff(ctx context.Context) {
	mode := p.Mode()
	if mode == Standby && p.Silence() < p.o.Takeover {
		return
	}
	other, relay, answers := p.ask(ctx)
	switch {
	case ctx.Err() != nil:
		return
	case answers && other == Leading && mode != Leading:
		p.set(Standby)
		return
	case answers && other == Alone && (mode == Standby || mode == Alone && relay < p.o.Relay):
		p.set(Standby)
		return
	}
	p.set(Alone)
}

// ask asks the other relay for its part.
func (p *Pair) ask(ctx context.Context) (m Mode, relay string, answers bool) {
	if p.o.Peer == "" {
		return 0, "", false
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(p.o.Peer, "/")+"/-/pair", nil)
	if err != nil {
		return 0, "", false
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, "", false
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil || resp.StatusCode != http.StatusOK {
		return 0, "", false
	}
	words := strings.Fields(string(body))
	if len(words) < 2 || words[1] == p.o.Relay {
		// Without a name, or this relay itself.
		return 0, "", false
	}
	for _, m := range Modes {
		if words[0] == m.String() {
			return m, words[1], true
		}
	}
	return 0, "", false
}

// Answer is what the other relay is told by ask.
func (p *Pair) Answer() string {
	m := p.Mode()
	if !p.Delivers() {
		m = Standby
	}
	return fmt.Sprintf("%s %s\n", m, p.o.Relay)
}

// Reserve notes a call before it is made. It returns whether the call may be made; id is for Ended, 0 for none.
func (p *Pair) Reserve(ctx context.Context, peer string, timeout time.Duration) (id int64, ok bool) {
	if p.Mode() == Alone {
		return 0, true
	}
	if !p.Delivers() {
		return 0, false
	}
	err := p.Do(ctx, func(ctx context.Context, db DB) (err error) {
		id, err = db.Reserve(ctx, p.holder, p.o.Relay, peer, timeout)
		return err
	})
	if err != nil || id == 0 {
		// What the lease says now is asked at once; until then nothing is sent.
		p.until.Store(0)
		select {
		case p.again <- struct{}{}:
		default:
		}
		return 0, false
	}
	return id, p.Delivers()
}

// Close gives the lease up, so that the other relay need not wait for its end.
func (p *Pair) Close() {
	if p.Mode() == Leading {
		_ = p.Do(context.Background(), func(ctx context.Context, db DB) error { return db.Release(ctx, p.holder) })
	}
	p.o.DB.Close()
}
