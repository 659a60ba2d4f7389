package pair_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lookout/app/relay/internal/pair"
	"lookout/app/relay/internal/pair/pairtest"
)

// TestTheStore: PostgreSQL does what the relays build on, and so does what stands for it in other tests.
func TestTheStore(t *testing.T) {
	memory := pairtest.New()
	server := pairtest.Postgres(t)
	for name, open := range map[string]func() pair.DB{
		"memory": func() pair.DB { return memory.Link() },
		"PostgreSQL": func() pair.DB {
			db, err := pair.Postgres(server.DSN(), "p1")
			if err != nil {
				t.Fatal(err)
			}
			return db
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := open(), open()
			defer a.Close()
			defer b.Close()
			theStore(t, a, b)
		})
	}
	t.Run("another pair", func(t *testing.T) {
		db, err := pair.Postgres(server.DSN(), "p2")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if held, err := db.Campaign(t.Context(), "x", time.Minute); err != nil || !held {
			t.Errorf("the lease of one pair is another's: %t %v", held, err)
		}
		if list, err := db.Ask(t.Context(), []pair.Key{{1}}); err != nil || len(list) != 0 {
			t.Errorf("one pair hears what another told: %v %v", list, err)
		}
	})
	t.Run("tables that are taken away", func(t *testing.T) {
		db, err := pair.Postgres(server.DSN(), "p3")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Campaign(t.Context(), "x", time.Minute); err != nil {
			t.Fatal(err)
		}
		server.Exec(`DROP TABLE lookout_relay_shared, lookout_relay_lease, lookout_relay_told, lookout_relay_calls, lookout_relay_offers`)
		if _, err := db.Campaign(t.Context(), "x", time.Minute); err == nil {
			t.Error("no error without tables")
		}
		if held, err := db.Campaign(t.Context(), "x", time.Minute); err != nil || !held {
			t.Errorf("the tables are not made again: %v", err)
		}
	})
}

func theStore(t *testing.T, a, b pair.DB) {
	ctx := t.Context()
	lead := func(db pair.DB, holder string, ttl time.Duration, want bool) {
		t.Helper()
		if held, err := db.Campaign(ctx, holder, ttl); err != nil || held != want {
			t.Fatalf("%s holds the lease: %t, %v", holder, held, err)
		}
	}
	lead(a, "a", time.Hour, true)
	lead(b, "b", time.Hour, false)
	lead(a, "a", 50*time.Millisecond, true)
	call, err := a.Reserve(ctx, "a", "ra", "robot", time.Hour)
	if err != nil || call == 0 {
		// The machine may be so slow that the lease is over.
		lead(a, "a", time.Hour, true)
		if call, err = a.Reserve(ctx, "a", "ra", "robot", time.Hour); err != nil || call == 0 {
			t.Fatalf("a call by the holder: %d, %v", call, err)
		}
	}
	if err := a.Release(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	lead(b, "b", time.Hour, true)
	lead(a, "a", time.Hour, false)
	if id, err := a.Reserve(ctx, "a", "ra", "robot", time.Second); err != nil || id != 0 {
		t.Fatalf("a call without the lease: %d, %v", id, err)
	}
	if err := a.Release(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	lead(a, "a", time.Hour, false)
	calls, err := b.Calls(ctx, "rb", time.Hour)
	if err != nil || len(calls) != 1 || calls[0].Peer != "robot" || calls[0].ID != call || calls[0].Age > -59*time.Minute {
		t.Fatalf("a call under way: %+v, %v", calls, err)
	}
	if err := a.Ended(ctx, []int64{call}); err != nil {
		t.Fatal(err)
	}
	if calls, err = b.Calls(ctx, "rb", time.Hour); err != nil || len(calls) != 1 || calls[0].Age < 0 || calls[0].Age > time.Minute {
		t.Fatalf("a call that is over: %+v, %v", calls, err)
	}
	if calls, err = b.Calls(ctx, "ra", time.Hour); err != nil || len(calls) != 0 {
		t.Fatalf("its own calls: %+v, %v", calls, err)
	}

	one, two := pair.Key{1}, pair.Key{2, 255}
	if err := a.Tell(ctx, []pair.Told{{one, 5, false, time.Hour}, {one, 5, false, time.Minute}, {one, 5, true, time.Hour}, {two, 0, false, 0}}); err != nil {
		t.Fatal(err)
	}
	if err := a.Tell(ctx, []pair.Told{{one, 5, false, 30 * time.Minute}}); err != nil {
		t.Fatal(err)
	}
	list, err := b.Ask(ctx, []pair.Key{one, {9}})
	if err != nil || len(list) != 2 {
		t.Fatalf("what was told: %+v, %v", list, err)
	}
	for _, told := range list {
		about := time.Minute
		if told.Resolved {
			about = time.Hour
		}
		if told.Key != one || told.Starts != 5 || told.Age < about || told.Age > about+time.Minute {
			t.Errorf("told was %+v", told)
		}
	}

	offers := []pair.Offer{{Target: "ops", Body: []byte("{\x00\"1\"}"), Age: time.Minute}, {Target: "db", Body: []byte("2"), Age: time.Second}}
	for range 2 {
		if err := b.Offer(ctx, "rb", []string{"ops/1", "db/1"}, offers); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := b.Offers(ctx, "rb", 10); err != nil || len(got) != 0 {
		t.Errorf("its own offers: %v, %v", got, err)
	}
	got, err := a.Offers(ctx, "ra", 10)
	if err != nil || len(got) != 2 || got[0].Target != "ops" || string(got[0].Body) != string(offers[0].Body) || got[0].Age < time.Minute || got[0].Age > 2*time.Minute {
		t.Fatalf("offers: %+v, %v", got, err)
	}
	if got, _ := a.Offers(ctx, "ra", 1); len(got) != 1 {
		t.Errorf("%d offers where 1 was asked for", len(got))
	}
	if err := a.Take(ctx, []int64{got[0].ID}); err != nil {
		t.Fatal(err)
	}
	if got, _ := a.Offers(ctx, "ra", 10); len(got) != 1 || got[0].Target != "db" {
		t.Errorf("after one was taken there are %+v", got)
	}
	if err := a.Share(ctx, "ra", []pair.Shared{{Kind: "k", Name: "n", Body: []byte("old")}, {Kind: "k", Name: "n", Body: []byte("new\x00")}, {Kind: "k", Name: "m", Body: []byte("{}")}}); err != nil {
		t.Fatal(err)
	}
	learned, next, err := b.Learn(ctx, "rb", 0)
	if err != nil || len(learned) != 2 || next == 0 {
		t.Fatalf("learned %+v, %v", learned, err)
	}
	for _, s := range learned {
		if s.Kind != "k" || s.Name == "n" && string(s.Body) != "new\x00" || s.Age < 0 || s.Age > time.Minute {
			t.Errorf("learned %+v", s)
		}
	}
	if learned, _, err := b.Learn(ctx, "rb", next+20_000_000); err != nil || len(learned) != 0 {
		t.Errorf("what is older than the position: %+v, %v", learned, err)
	}
	if learned, _, err := a.Learn(ctx, "ra", 0); err != nil || len(learned) != 0 {
		t.Errorf("its own: %+v, %v", learned, err)
	}
	if err := a.Purge(ctx, 45*time.Minute); err != nil {
		t.Fatal(err)
	}
	if list, err := b.Ask(ctx, []pair.Key{one}); err != nil || len(list) != 1 || list[0].Resolved {
		t.Errorf("after what is older than 45m was forgotten: %+v, %v", list, err)
	}
	short, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := a.Ask(short, []pair.Key{one}); err == nil {
		t.Error("no error after the context's end")
	}
}

// start runs a part until the test's end.
func start(t *testing.T, db pair.DB, peer string, transport http.RoundTripper) *pair.Pair {
	began := time.Now()
	p := pair.New(pair.Options{
		DB: db, Relay: "relay-" + t.Name() + peer, Takeover: 30 * time.Second, Peer: peer, Log: slog.New(slog.DiscardHandler), Transport: transport,
		Now: func() time.Duration { return time.Since(began) + time.Hour },
	})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { p.Run(ctx); close(done) }()
	t.Cleanup(func() { stop(); <-done })
	return p
}

// TestAProcessThatWasStopped: a leader that is stopped for longer than its lease does not send another message when it goes
// on, not even before it has asked what became of the lease.
func TestAProcessThatWasStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := pairtest.New()
		link := store.Link()
		var slept time.Duration
		began := time.Now()
		p := pair.New(pair.Options{DB: link, Relay: "a", Takeover: 30 * time.Second, Log: slog.New(slog.DiscardHandler), Now: func() time.Duration { return time.Since(began) + slept }})
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		go p.Run(ctx)
		time.Sleep(time.Second)
		if !p.Delivers() {
			t.Fatal("it does not lead")
		}
		slept = 16 * time.Second
		if p.Delivers() {
			t.Error("it delivers on a lease that may be over")
		}
		if _, ok := p.Reserve(ctx, "robot", time.Second); ok {
			t.Error("it may call")
		}
		time.Sleep(2 * time.Second)
		if !p.Delivers() {
			t.Error("it does not deliver on a lease that it has renewed")
		}
		// Someone else has it by now.
		other := store.Link()
		_ = other.Release(ctx, "")
		link.Cut.Store(true)
		time.Sleep(40 * time.Second)
		if held, err := other.Campaign(ctx, "other", time.Hour); err != nil || !held {
			t.Fatal("the lease has no end")
		}
		link.Cut.Store(false)
		time.Sleep(2 * time.Second)
		if p.Delivers() || p.Mode() != pair.Standby {
			t.Errorf("it is %s beside the other", p.Mode())
		}
	})
}

type network func(*http.Request) (*http.Response, error)

func (n network) RoundTrip(r *http.Request) (*http.Response, error) { return n(r) }

// TestTheOtherIsAsked: without PostgreSQL the other relay's word counts, and no other answer does.
func TestTheOtherIsAsked(t *testing.T) {
	for _, c := range []struct {
		answer string
		status int
		want   pair.Mode
	}{
		{"leading other\n", 200, pair.Standby},
		{"alone other\n", 200, pair.Standby},
		{"standby other\n", 200, pair.Alone},
		{"leading other\n", 404, pair.Alone},
		{"leading", 200, pair.Alone},
		{"boss other", 200, pair.Alone},
		{"<html>leading other", 200, pair.Alone},
		{"", 200, pair.Alone},
		{"down", 0, pair.Alone},
	} {
		synctest.Test(t, func(t *testing.T) {
			link := pairtest.New().Link()
			link.Cut.Store(true)
			p := start(t, link, "http://other.test/", network(func(r *http.Request) (*http.Response, error) {
				if c.status == 0 {
					return nil, errors.New("connection refused")
				}
				if r.URL.String() != "http://other.test/-/pair" {
					t.Errorf("it asks %s", r.URL)
				}
				return &http.Response{StatusCode: c.status, Body: io.NopCloser(strings.NewReader(c.answer))}, nil
			}))
			time.Sleep(29 * time.Second)
			if p.Mode() != pair.Standby {
				t.Errorf("%q: it is %s before the silence is over", c.answer, p.Mode())
			}
			time.Sleep(5 * time.Second)
			if p.Mode() != c.want {
				t.Errorf("%q: it is %s", c.answer, p.Mode())
			}
		})
	}
}

// TestAnAddressIsNotRepeated: what is wrong with an address of a PostgreSQL is said without it.
func TestAnAddressIsNotRepeated(t *testing.T) {
	for _, dsn := range []string{"postgres://relay:s3cret@host:port/db", "s3cret", "host=x password=s3cret port=abc", "postgres://relay:s3cret@%zz"} {
		if _, err := pair.Check(dsn); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", dsn, err)
		}
		if _, err := pair.Postgres(dsn, "x"); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", dsn, err)
		}
	}
	for _, dsn := range []string{"postgres://relay:s3cret@host/db", "host=x password=s3cret user=y"} {
		if password, err := pair.Check(dsn); err != nil || password != "s3cret" {
			t.Errorf("%s: %q, %v", dsn, password, err)
		}
	}
	if !slices.Equal(pair.Modes, []pair.Mode{pair.Standby, pair.Leading, pair.Alone}) {
		t.Error("a mode is missing")
	}
}

// TestALeaseThatIsAnothers: a relay whose lease was given to another makes no call, however valid it looks by its own clock.
func TestALeaseThatIsAnothers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := pairtest.New()
		p := start(t, store.Link(), "", nil)
		time.Sleep(time.Second)
		if id, ok := p.Reserve(t.Context(), "robot", time.Second); !ok || id == 0 {
			t.Fatal("it does not lead")
		}
		store.Steal("other", time.Hour)
		if !p.Delivers() {
			t.Fatal("it has asked already: the test tests nothing")
		}
		if _, ok := p.Reserve(t.Context(), "robot", time.Second); ok || p.Delivers() {
			t.Error("it calls on another's lease")
		}
		time.Sleep(time.Second)
		if p.Mode() != pair.Standby {
			t.Errorf("it is %s", p.Mode())
		}
	})
}

// TestBothAreAlone: of two relays that are both cut off and can ask each other one goes on.
func TestBothAreAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var parts [2]*pair.Pair
		ask := network(func(r *http.Request) (*http.Response, error) {
			i := int(r.URL.Host[0] - '0')
			if parts[i] == nil {
				return nil, errors.New("connection refused")
			}
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(parts[i].Answer()))}, nil
		})
		var made [2]*pair.Pair
		for i := range made {
			link := pairtest.New().Link()
			link.Cut.Store(true)
			// Neither hears of the other at first.
			made[i] = start(t, link, []string{"http://1.test", "http://0.test"}[i], ask)
		}
		time.Sleep(40 * time.Second)
		if made[0].Mode() != pair.Alone || made[1].Mode() != pair.Alone {
			t.Fatalf("they are %s and %s", made[0].Mode(), made[1].Mode())
		}
		parts = made
		time.Sleep(10 * time.Second)
		if (made[0].Mode() == pair.Alone) == (made[1].Mode() == pair.Alone) {
			t.Errorf("they are %s and %s", made[0].Mode(), made[1].Mode())
		}
	})
}
