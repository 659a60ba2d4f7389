package drill

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"lookout/internal/alertmanager"
)

// Options of a [Drill].
type Options struct {
	Chain       *Chain
	Environment string
	// DryRun ends before people: a silence of the drilled alert, with an end, holds it back in Alertmanager.
	DryRun bool
	// Slack is how much later than the schedule a message may come; one second by default.
	Slack time.Duration
	// Patience is how long beyond the schedule a stage is waited for before its part counts as broken; ten seconds by default.
	Patience time.Duration
	// Within is the longest that the drill of one alert may take; what takes longer by design is skipped, with the reason. Six minutes by default.
	Within time.Duration
	// Starts is how many alerts are set off within a minute for one robot; seven by default. DingTalk's robots take 20 messages a minute, of which the
	// relay keeps four for critical alerts, and each alert makes two.
	Starts int
	// Lease is how long what was set off outlives a drill that was killed; 15 s by default.
	Lease time.Duration
	// Say is called with each stage as it is reached; may be nil. Calls come one at a time.
	Say func(alert string, stage Stage)

	said sync.Mutex
	// id tells one run's series from another's.
	id string
}

// Drill drills alerts and returns what each showed, in the order of the plans. An error is only that of ctx or of the addresses: what is broken is in
// the results. However it ends, all that was set off is taken back.
func Drill(ctx context.Context, plans []*Plan, o *Options) ([]Result, error) {
	o.Slack, o.Patience = cmp.Or(o.Slack, time.Second), cmp.Or(o.Patience, 10*time.Second)
	o.Within, o.Starts, o.Lease = cmp.Or(o.Within, 6*time.Minute), cmp.Or(o.Starts, 7), cmp.Or(o.Lease, 15*time.Second)
	//lint:ignore G404 a name, not a secret
	o.id = fmt.Sprintf("%08x", rand.Uint32())
	if err := o.Chain.Open(); err != nil {
		return nil, err
	}
	results := make([]Result, len(plans))
	for i, p := range plans {
		results[i] = Result{Alert: p.Alert, Environment: o.Environment, Engine: o.Chain.Engine, At: time.Now().UTC(), Means: p.Means(), DryRun: o.DryRun}
		if p.Skip != "" {
			results[i].Verdict, results[i].Reason = Skipped, p.Skip
		}
	}
	found, broken := o.Chain.check(ctx, plans)
	if broken != nil {
		for i := range results {
			if results[i].Verdict == "" {
				results[i].fail(broken)
			}
		}
		return results, ctx.Err()
	}
	o.schedule(ctx, plans, results, found)
	for i := range results {
		if results[i].Verdict == "" {
			results[i].Verdict, results[i].Reason = Interrupted, "the drill was ended before this alert was set off"
		}
	}
	return results, ctx.Err()
}

// schedule runs all plans: at the same time where they do not disturb each other, and as slowly as the robots' limits ask for.
func (o *Options) schedule(ctx context.Context, plans []*Plan, results []Result, found *conditions) {
	running := map[int]bool{}
	// When an alert was last set off for a robot, and in a group of rules: those of a group fire at the same moment, and the relay leaves a second
	// between two messages.
	robots, groups := map[string]time.Time{}, map[string]time.Time{}
	paced := func(p *Plan) bool {
		return o.DryRun || p.Heartbeat || time.Since(robots[p.robot()]) >= time.Minute/time.Duration(o.Starts) && (p.Fires != p.Alert || time.Since(groups[p.Group]) >= p.Interval)
	}
	done := make(chan int)
	var left []int
	for i := range plans {
		if results[i].Verdict == "" {
			left = append(left, i)
		}
	}
	// The longest first: the others are done meanwhile.
	slices.SortStableFunc(left, func(a, b int) int { return cmp.Compare(found.total(plans[b]), found.total(plans[a])) })
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for len(left) > 0 || len(running) > 0 {
		for n := 0; n < len(left) && ctx.Err() == nil; n++ {
			i := left[n]
			if !paced(plans[i]) || slices.ContainsFunc(slices.Collect(maps.Keys(running)), func(other int) bool {
				return plans[i].Disturbs(plans[other]) || plans[other].Disturbs(plans[i]) || plans[i].Knob != "" && plans[i].Knob == plans[other].Knob
			}) {
				continue
			}
			if !plans[i].Heartbeat {
				robots[plans[i].robot()], groups[plans[i].Group] = time.Now(), time.Now()
			}
			left = slices.Delete(left, n, n+1)
			n--
			running[i] = true
			go func() {
				r := &run{o: o, c: o.Chain, p: plans[i], result: &results[i], found: found}
				r.run(ctx)
				done <- i
			}()
		}
		if ctx.Err() != nil {
			left = nil
		}
		select {
		case i := <-done:
			delete(running, i)
		case <-tick.C:
		}
	}
}

// robot tells apart which alerts share a robot: those about delivery go by another.
func (p *Plan) robot() string { return p.Rule.Label("lookout_about") }

// Broken is a part of the chain that does not work.
type Broken struct {
	Part           Part
	Reason, Remedy string
}

func (b *Broken) Error() string { return fmt.Sprintf("%s: %s; %s", b.Part, b.Reason, b.Remedy) }

func broken(part Part, remedy, format string, args ...any) *Broken {
	return &Broken{part, fmt.Sprintf(format, args...), remedy}
}

func (r *Result) fail(b *Broken) {
	r.Verdict, r.Part, r.Reason, r.Remedy = Failed, b.Part, b.Reason, b.Remedy
}

// run is one alert's drill.
type run struct {
	o      *Options
	c      *Chain
	p      *Plan
	result *Result
	found  *conditions

	live    *liveRule
	labels  map[string]string // of the alert, as Alertmanager has them
	breach  time.Time
	last    time.Time
	since   int64 // last message of the mock before
	before  map[string]float64
	silence string
	firing  *sent

	restore []func(context.Context) error
}

// stage notes that a stage was reached.
func (r *run) stage(name string, at time.Time, schedule time.Duration, detail string) {
	if at.Before(r.last) {
		at = r.last
	}
	s := Stage{Name: name, At: at.UTC(), Seconds: round(at.Sub(r.last)), Schedule: round(schedule), Detail: detail}
	if r.last.IsZero() {
		s.Seconds = 0
	}
	r.last = at
	r.result.Stages = append(r.result.Stages, s)
	if r.o.Say != nil {
		r.o.said.Lock()
		defer r.o.said.Unlock()
		r.o.Say(r.p.Alert, s)
	}
}

func round(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }

// run goes the whole way and back.
func (r *run) run(ctx context.Context) {
	r.result.At = time.Now().UTC()
	within, cancel := context.WithCancel(ctx)
	err := r.way(within)
	if err == nil {
		err = r.recovery(within)
	}
	cancel()
	// However it ended: what was set off goes back, also after an interrupt.
	if restoreErr := r.undo(context.WithoutCancel(ctx)); err == nil && restoreErr != nil {
		err = restoreErr
	}
	var b *Broken
	switch {
	case errors.As(err, &b):
		r.result.fail(b)
	case errors.Is(err, errSkip):
		r.result.Verdict = Skipped
	case ctx.Err() != nil:
		r.result.Verdict, r.result.Reason = Interrupted, "the drill was ended; everything was restored"
	case err != nil:
		r.result.fail(broken(PartPrometheus, "run the drill again", "%v", err))
	default:
		r.result.Verdict = Passed
		if late := r.result.Seconds - r.result.Schedule; !r.o.DryRun && !r.p.Heartbeat && late > r.o.Slack.Seconds() {
			r.result.fail(r.late(late))
		}
	}
}

// errSkip ends a drill whose result already says why.
var errSkip = errors.New("skipped")

func (r *run) skip(format string, args ...any) error {
	r.result.Reason = fmt.Sprintf(format, args...)
	return errSkip
}

// late names the stage that took longest beyond its schedule.
func (r *run) late(by float64) *Broken {
	worst := Stage{}
	for _, s := range r.result.Stages {
		if s.Seconds-s.Schedule > worst.Seconds-worst.Schedule {
			worst = s
		}
	}
	return broken(PartLatency, "look at the load of the machine, and at what else the robot was sent",
		"the message came %.1f s after the breach, the schedule gives %.1f s: %.1f s too late, most of it before %q", r.result.Seconds, r.result.Schedule, by, worst.Name)
}

// until polls until done says so; nil if it did before the deadline.
func until(ctx context.Context, deadline time.Time, done func() (bool, error)) error {
	var last error
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok {
			return nil
		}
		last = err
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if time.Now().After(deadline) {
			return errors.Join(errLate, last)
		}
	}
}

// errLate is that something did not happen in time.
var errLate = errors.New("not in time")

// way sets the alert off and follows it to the chat.
func (r *run) way(ctx context.Context) error {
	if err := r.prepare(ctx); err != nil || r.p.Heartbeat {
		return err
	}
	if err := r.setOff(ctx); err != nil {
		return err
	}
	if err := r.follow(ctx); err != nil {
		return err
	}
	return nil
}

// prepare looks at what can be seen before anything is changed.
func (r *run) prepare(ctx context.Context) error {
	live, err := r.c.rule(ctx, r.p.Fires)
	if err != nil {
		return r.c.engineDown(err)
	}
	if live == nil {
		return broken(PartRule, fmt.Sprintf("apply the environment (make apply ENV=%s)", r.o.Environment), "the engine does not have the alert rule %s", r.p.Fires)
	}
	if own, err := r.c.rule(ctx, r.p.Alert); err != nil || own == nil || unhealthy(own) {
		switch {
		case err != nil:
			return r.c.engineDown(err)
		case own == nil:
			return broken(PartRule, fmt.Sprintf("apply the environment (make apply ENV=%s)", r.o.Environment), "the engine does not have the alert rule %s", r.p.Alert)
		}
		live = own
	}
	if unhealthy(live) {
		return broken(PartRule, "correct the expression; lookout rules check says what is wrong with it", "the rule %s cannot be evaluated: %s", live.Name, cmp.Or(live.LastError, "health "+live.Health))
	}
	r.live = live
	// What the engine runs with counts.
	if live.interval > 0 {
		r.p.Interval = live.interval
	}
	r.p.For = time.Duration(live.Duration * float64(time.Second))
	r.labels = maps.Clone(live.Labels)
	if r.labels == nil {
		r.labels = map[string]string{}
	}
	maps.DeleteFunc(r.labels, func(_, v string) bool { return strings.Contains(v, "{{") })
	maps.Copy(r.labels, r.p.Labels)
	r.labels["alertname"] = r.p.Fires
	if r.p.Heartbeat {
		return r.heartbeat(ctx)
	}
	if total := r.found.total(r.p); total > r.o.Within {
		return r.skip("it takes %s by design, more than %s: %s; --within %s includes it", total.Round(time.Second), r.o.Within, r.found.why(r.p), total.Round(time.Minute)+time.Minute)
	}
	if state, since := live.state(r.p.Labels); state != "inactive" {
		return r.skip("it is %s already, since %s, and not because of a drill: look after it first", state, since.Local().Format(time.TimeOnly))
	}
	if !r.o.DryRun {
		if err := r.standing(ctx); err != nil {
			return err
		}
	}
	if r.before, err = r.c.counters(ctx); err != nil {
		return err
	}
	if r.c.Robot.URL != "" {
		messages, err := r.c.messages(ctx, 0)
		if err != nil {
			return broken(PartRobot, "start it (docker start …-robot)", "the mock of the robot at %s does not answer: %v", r.c.Robot.URL, err)
		}
		if len(messages) > 0 {
			r.since = messages[len(messages)-1].ID
		}
	}
	if r.o.DryRun {
		return r.hold(ctx)
	}
	return nil
}

func unhealthy(l *liveRule) bool { return l.Health == "err" || l.Health == "error" }

// standing says which silence would hold the alert back.
func (r *run) standing(ctx context.Context) error {
	silences, err := r.c.am.Silences(ctx)
	if err != nil {
		return r.c.alertmanagerDown(err)
	}
	for _, s := range silences {
		if s.State() == "active" && s.Matches(r.labels) {
			return silenced(s)
		}
	}
	return nil
}

func silenced(s alertmanager.Silence) *Broken {
	var matchers []string
	for _, m := range s.Matchers {
		matchers = append(matchers, m.String())
	}
	return broken(PartSilence, "end it in the console (/silences), or wait until it ends", "the silence %s of %s (%q, %s) holds the alert back until %s",
		s.ID, cmp.Or(s.CreatedBy, "no one"), s.Comment, strings.Join(matchers, ", "), s.EndsAt.Local().Format("2006-01-02 15:04:05"))
}

// hold keeps the drilled alert, and nothing else, from people.
func (r *run) hold(ctx context.Context) error {
	now := time.Now()
	s := alertmanager.Silence{StartsAt: now, EndsAt: now.Add(r.found.total(r.p) + time.Minute), CreatedBy: "lookout drill", Comment: "dry run " + r.o.id}
	yes := true
	for _, name := range slices.Sorted(maps.Keys(r.labels)) {
		s.Matchers = append(s.Matchers, alertmanager.Matcher{Name: name, Value: r.labels[name], IsEqual: &yes})
	}
	id, err := r.c.am.Save(ctx, s)
	if err != nil {
		return r.c.alertmanagerDown(err)
	}
	r.silence = id
	r.later(func(ctx context.Context) error {
		// While Alertmanager has the alert, the silence is all that keeps it from people. It ends by itself.
		if a, err := r.c.alert(ctx, r.labels); err != nil || a != nil {
			return nil
		}
		return r.c.am.Expire(ctx, id)
	})
	return nil
}

// later is done when the drill ends, the last first.
func (r *run) later(f func(context.Context) error) { r.restore = append(r.restore, f) }

func (r *run) undo(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var err error
	for len(r.restore) > 0 {
		n := len(r.restore) - 1
		f := r.restore[n]
		r.restore = r.restore[:n]
		if e := f(ctx); e != nil && err == nil {
			err = broken(PartSeries, fmt.Sprintf("nothing has to be done: it ends by itself within %s", r.o.Lease), "what the drill set off could not be taken back: %v", e)
		}
	}
	return err
}

// heartbeat looks for an alert that always fires at its end, the relay.
func (r *run) heartbeat(ctx context.Context) error {
	var since time.Time
	err := until(ctx, time.Now().Add(r.p.Interval+r.o.Patience), func() (bool, error) {
		live, err := r.c.rule(ctx, r.p.Fires)
		if err != nil || live == nil {
			return false, err
		}
		state, at := live.state(nil)
		since = at
		return state == "firing", nil
	})
	if errors.Is(err, errLate) {
		return broken(PartRule, "look at the expression and at what is scraped", "%s is not firing, and always should", r.p.Fires)
	}
	if err != nil {
		return err
	}
	r.stage("firing", since, 0, "always")
	age, limit, err := r.c.heartbeatAge(ctx)
	if err != nil {
		return err
	}
	r.last = time.Now().Add(-age)
	r.stage("relay", r.last, limit, fmt.Sprintf("the last heartbeat came %.1f s ago", age.Seconds()))
	return nil
}

// setOff makes the alert happen.
func (r *run) setOff(ctx context.Context) error {
	name := "drill-" + r.o.id + "-" + r.p.Alert
	keep := func(write func(context.Context) error) {
		ctx, cancel := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			tick := time.NewTicker(r.o.Lease / 4)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					// One that fails is followed by others; what it means is seen further on.
					_ = write(ctx)
				}
			}
		}()
		// Before anything is taken back: a renewal that is late would set it off again.
		r.later(func(context.Context) error {
			cancel()
			<-ended
			return nil
		})
	}
	if r.p.Knob != "" {
		// Right after a scrape: a counter that is watched then moves for a whole interval until the next one, and the schedule is used up.
		if err := r.scrapedSince(ctx, "go", time.Now(), r.o.Patience); err != nil {
			return err
		}
		turn := func(ctx context.Context) error { return r.c.turn(ctx, r.p.Knob, r.p.KnobValue, r.o.Lease) }
		r.later(func(ctx context.Context) error { return r.c.giveBack(ctx, r.p.Knob) })
		r.breach = time.Now()
		if err := turn(ctx); err != nil {
			return broken(PartKnobs, "start the sample service with --enable-faults", "the knob %s at %s cannot be turned: %v", r.p.Knob, r.c.Exporter.URL, err)
		}
		keep(turn)
	} else {
		r.later(func(ctx context.Context) error { return r.c.erase(ctx, name) })
		for n, phase := range r.p.Phases {
			r.breach = time.Now()
			all := phase.At(r.breach)
			write := func(ctx context.Context) error { return r.c.write(ctx, name, r.o.Lease, all) }
			if err := write(ctx); err != nil {
				return r.c.seriesDown(err)
			}
			if n < len(r.p.Phases)-1 {
				// Short of a lease, so that it need not be renewed.
				if err := r.scrapedSince(ctx, Job, r.breach, r.o.Patience); err != nil {
					return err
				}
				continue
			}
			keep(write)
		}
	}
	r.last = r.breach
	r.stage("breach", r.breach, 0, r.p.Means())
	return nil
}

// scrapedSince waits until a job's target was scraped after a moment.
func (r *run) scrapedSince(ctx context.Context, job string, since time.Time, patience time.Duration) error {
	var seen *target
	err := until(ctx, since.Add(r.found.scrape+patience), func() (bool, error) {
		t, err := r.c.target(ctx, job)
		seen = t
		// What is being scraped right now may have been asked before.
		return err == nil && t != nil && t.LastScrape.After(since) && t.Health == "up", err
	})
	if !errors.Is(err, errLate) {
		return err
	}
	return r.c.notScraped(ctx, job, seen, err)
}

// follow waits for each stage from the scrape to the chat.
func (r *run) follow(ctx context.Context) error {
	job := Job
	if r.p.Knob != "" {
		job = "go"
	}
	if err := r.scrapedSince(ctx, job, r.breach, r.o.Patience); err != nil {
		return err
	}
	at := time.Now()
	if t, err := r.c.target(ctx, job); err == nil && t != nil && t.LastScrape.After(r.breach) {
		at = t.LastScrape
	}
	r.stage("scraped", at, r.found.scrape, "")
	total := r.found.scrape

	if err := r.fires(ctx, &total); err != nil {
		return err
	}

	var notified *alertmanager.Alert
	err := until(ctx, time.Now().Add(r.o.Patience), func() (bool, error) {
		a, err := r.c.alert(ctx, r.labels)
		notified = a
		return a != nil && time.Now().Before(a.EndsAt), err
	})
	if errors.Is(err, errLate) {
		return r.c.notNotified(ctx, r, err)
	}
	if err != nil {
		return err
	}
	at = time.Now()
	if notified.UpdatedAt.After(r.last) && notified.UpdatedAt.Before(at) {
		at = notified.UpdatedAt
	}
	var receivers []string
	for _, rc := range notified.Receivers {
		receivers = append(receivers, rc.Name)
	}
	r.stage("alertmanager", at, 0, "to "+strings.Join(receivers, ", "))
	if r.o.DryRun {
		return r.heldBack(ctx)
	}

	wait := r.found.groupWait
	if r.groupOpen(ctx) {
		// The group was notified already; what joins it waits for its next turn.
		wait = r.found.groupInterval
		r.result.Notes = append(r.result.Notes, "another alert of this name is open: the schedule has group_interval in the place of group_wait")
	}
	total += wait
	if err := r.arrives(ctx, wait); err != nil {
		return err
	}
	r.result.Seconds, r.result.Schedule = round(r.firing.At.Sub(r.breach)), round(total)
	return r.shown(ctx)
}

// fires waits for pending and firing.
func (r *run) fires(ctx context.Context, total *time.Duration) error {
	deadline := r.last.Add(r.found.scrape + r.p.Interval + r.o.Patience)
	state := ""
	var since, evaluated time.Time
	look := func(want ...string) func() (bool, error) {
		return func() (bool, error) {
			live, err := r.c.rule(ctx, r.p.Fires)
			if err != nil || live == nil {
				return false, err
			}
			state, since = live.state(r.p.Labels)
			evaluated = live.LastEvaluation
			return slices.Contains(want, state), nil
		}
	}
	*total += r.p.Interval
	if r.p.For > 0 {
		err := until(ctx, deadline, look("pending", "firing"))
		if errors.Is(err, errLate) {
			return r.c.notPending(ctx, r, err)
		}
		if err != nil {
			return err
		}
		r.stage("pending", since, r.p.Interval, "")
		deadline = time.Now().Add(roundUp(r.p.For, r.p.Interval) + r.p.Interval + r.o.Patience)
	}
	err := until(ctx, deadline, look("firing"))
	if errors.Is(err, errLate) {
		return r.c.notPending(ctx, r, err)
	}
	if err != nil {
		return err
	}
	at, schedule := time.Now(), r.p.Interval
	if evaluated.After(r.last) && evaluated.Before(at) {
		at = evaluated
	}
	if r.p.For > 0 {
		schedule = roundUp(r.p.For, r.p.Interval)
		*total += schedule
	}
	r.stage("firing", at, schedule, "")
	return nil
}

// groupOpen tells whether Alertmanager has another alert of the same group.
func (r *run) groupOpen(ctx context.Context) bool {
	all, err := r.c.alerts(ctx)
	return err == nil && slices.ContainsFunc(all, func(a alertmanager.Alert) bool {
		return a.Labels["alertname"] == r.p.Fires && !holds(a.Labels, r.labels) && a.StartsAt.Before(r.breach)
	})
}

// heldBack ends a dry run: the alert is in Alertmanager and goes no further, and the way on is alive.
func (r *run) heldBack(ctx context.Context) error {
	err := until(ctx, time.Now().Add(r.o.Patience), func() (bool, error) {
		a, err := r.c.alert(ctx, r.labels)
		return a != nil && slices.Contains(a.Status.SilencedBy, r.silence), err
	})
	if errors.Is(err, errLate) {
		return broken(PartSilence, "report this: the drill's own silence does not fit its alert", "the dry run's silence %s does not hold the alert back", r.silence)
	}
	if err != nil {
		return err
	}
	r.stage("held back", time.Now(), 0, "silence "+r.silence)
	age, limit, err := r.c.heartbeatAge(ctx)
	if err != nil {
		return err
	}
	if limit > 0 {
		r.stage("relay", time.Now(), 0, fmt.Sprintf("ready; the heartbeat came the same way %.1f s ago", age.Seconds()))
	}
	return nil
}

// arrives waits until the relay has sent the message.
func (r *run) arrives(ctx context.Context, wait time.Duration) error {
	var first *sent
	err := until(ctx, r.last.Add(wait+r.o.Patience), func() (bool, error) {
		all, err := r.c.sent(ctx)
		if err != nil {
			return false, err
		}
		// Newest first.
		first, r.firing = nil, nil
		for i := range all {
			if all[i].At.Before(r.breach) || !all[i].about(r.labels, "firing") {
				continue
			}
			first = &all[i]
			if all[i].Outcome == delivered {
				r.firing = &all[i]
			}
		}
		// What was rejected goes on to the next channel; either answer is one.
		return r.firing != nil && first.ID == r.firing.ID, nil
	})
	switch {
	case errors.Is(err, errLate) && first == nil:
		return r.c.notSent(ctx, r, err)
	case errors.Is(err, errLate):
		return notDelivered(first, r.firing)
	case err != nil:
		return err
	}
	r.stage("relay", r.firing.At, wait, r.firing.Target)
	return nil
}

// notDelivered names the robot that did not take the message.
func notDelivered(first, other *sent) *Broken {
	reason := fmt.Sprintf("%s does not take the message: %s, errcode %s (%s)", first.Peer, first.Outcome, cmp.Or(first.Code, "none"), cmp.Or(first.Reason, "no reason given"))
	if other != nil {
		reason += fmt.Sprintf("; it came by %s instead", other.Peer)
	}
	return broken(PartRobot, "check its keyword, signing secret, token and address list, and that its address can be reached", "%s", reason)
}

// shown waits until the mock shows the message; elsewhere the relay's own record is what there is.
func (r *run) shown(ctx context.Context) error {
	if r.c.Robot.URL == "" {
		r.stage("chat", r.firing.At, 0, fmt.Sprintf("%s accepted it (errcode %s)", r.firing.Peer, r.firing.Code))
		return nil
	}
	var found message
	err := until(ctx, time.Now().Add(r.o.Patience), func() (bool, error) {
		all, err := r.c.messages(ctx, r.since)
		for _, m := range all {
			if m.Accepted && m.Title == r.firing.Title {
				found = m
				return true, nil
			}
		}
		return false, err
	})
	if errors.Is(err, errLate) {
		return broken(PartRobot, "look at the page of the mock", "the relay delivered %q by %s, and the chat does not show it", r.firing.Title, r.firing.Peer)
	}
	if err != nil {
		return err
	}
	r.since = max(r.since, found.ID-1)
	r.stage("chat", found.Time, 0, found.Title)
	return nil
}

// recovery takes back what was set off and follows the end of the alert.
func (r *run) recovery(ctx context.Context) error {
	if r.p.Heartbeat {
		return nil
	}
	r.also(ctx)
	silence := r.restore[:0:0]
	if r.o.DryRun {
		// The silence stays until the alert is over.
		silence, r.restore = r.restore[:1:1], r.restore[1:]
	}
	began := time.Now()
	err := r.undo(ctx)
	r.restore = silence
	if err != nil {
		return err
	}
	r.last = began
	r.stage("restored", began, 0, "")
	ends := r.found.scrape + r.p.Empty + r.p.Interval + roundUp(r.p.KeepFiringFor, r.p.Interval)
	var evaluated time.Time
	err = until(ctx, began.Add(ends+r.o.Patience), func() (bool, error) {
		live, err := r.c.rule(ctx, r.p.Fires)
		if err != nil || live == nil {
			return false, err
		}
		state, _ := live.state(r.p.Labels)
		evaluated = live.LastEvaluation
		return state == "inactive", nil
	})
	if errors.Is(err, errLate) {
		return r.c.notEnded(ctx, r, err)
	}
	if err != nil {
		return err
	}
	at := time.Now()
	if evaluated.After(began) && evaluated.Before(at) {
		at = evaluated
	}
	r.stage("ended", at, ends, "")
	if r.o.DryRun {
		// Alertmanager hears of the end while the silence still holds it back.
		err := until(ctx, time.Now().Add(r.o.Patience), func() (bool, error) {
			a, err := r.c.alert(ctx, r.labels)
			return err == nil && a == nil, err
		})
		if errors.Is(err, errLate) {
			return broken(PartRecovery, "the silence has an end of its own", "Alertmanager still has the alert %.0f s after it ended", r.o.Patience.Seconds())
		}
		return err
	}
	var over *sent
	err = until(ctx, at.Add(r.found.groupInterval+r.o.Patience), func() (bool, error) {
		all, err := r.c.sent(ctx)
		for i := range all {
			if all[i].Outcome == delivered && all[i].At.After(began) && all[i].about(r.labels, "resolved") {
				over = &all[i]
				return true, nil
			}
		}
		return false, err
	})
	if errors.Is(err, errLate) {
		return broken(PartRecovery, "look at send_resolved of the receiver, and at the relay's page", "the alert ended at %s, and the chat was not told within %s",
			at.Local().Format(time.TimeOnly), (r.found.groupInterval + r.o.Patience).Round(time.Second))
	}
	if err != nil {
		return err
	}
	r.stage("recovery in the chat", over.At, r.found.groupInterval, over.Title)
	return nil
}

// also notes what else fired for the drill's own instance.
func (r *run) also(ctx context.Context) {
	instance := r.p.Labels["instance"]
	all, err := r.c.alerts(ctx)
	if err != nil || !strings.HasPrefix(instance, "drill-") {
		return
	}
	names := map[string]bool{}
	for _, a := range all {
		if a.Labels["instance"] == instance && a.Labels["alertname"] != r.p.Fires {
			names[a.Labels["alertname"]] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		r.result.Notes = append(r.result.Notes, name+" fired for the same series")
	}
}
