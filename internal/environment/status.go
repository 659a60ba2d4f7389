package environment

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"lookout/internal/docker"
	"lookout/internal/stack"
)

// A Status is how an environment is at one moment.
type Status struct {
	Environment string `json:"environment"`
	// Stack is the name in the Docker Engine.
	Stack string `json:"stack"`
	// Engine evaluates the alert rules: prometheus or grafana.
	Engine string `json:"alerting,omitempty"`
	// Up says that nothing is wrong: Problems is empty.
	Up bool `json:"up"`
	// Problems are sentences, each with what to do about it.
	Problems []string        `json:"problems"`
	Services []ServiceStatus `json:"services"`
	Targets  *TargetStatus   `json:"targets,omitempty"`
	// Delivery is what the relay has to say; nil where it was not asked or did not answer.
	Delivery *DeliveryStatus `json:"delivery,omitempty"`
	// Unasked is the engine on whose loopback the services are published, where they could not be asked from here; else "".
	Unasked string `json:"unasked,omitempty"`
	// LastApply is when an apply of this checkout last came to its end; nil if it never did.
	LastApply *time.Time `json:"last_apply,omitempty"`
	// Interrupted says that the last apply did not come to its end.
	Interrupted bool `json:"interrupted"`
	// Drift is what an apply would change now, by root: "" for nothing. A root that could not be planned has the reason.
	// It is nil where nobody asked.
	Drift map[string]string `json:"drift,omitempty"`
}

// A ServiceStatus is one container.
type ServiceStatus struct {
	Name      string `json:"name"`
	Container string `json:"container"`
	// State is Docker's: running, exited, restarting, … or "missing".
	State string `json:"state"`
	// Health is the health check's: healthy, starting, unhealthy; "" without one.
	Health string `json:"health,omitempty"`
	URL    string `json:"url,omitempty"`
	About  string `json:"about,omitempty"`
}

func (s ServiceStatus) well() bool {
	return s.State == "running" && (s.Health == "" || s.Health == "healthy")
}

func (s ServiceStatus) String() string {
	if s.Health != "" && s.State == "running" {
		return s.Health
	}
	return s.State
}

// A TargetStatus is what Prometheus scrapes.
type TargetStatus struct {
	Up    int `json:"up"`
	Total int `json:"total"`
	// Unknown were not scraped yet.
	Unknown int `json:"unknown"`
	// Down are those that do not answer, as "job/instance: error".
	Down []string `json:"down,omitempty"`
}

// A DeliveryStatus is what the relay's metrics say.
type DeliveryStatus struct {
	// Waiting are notifications and messages that were not delivered yet, DeadLetters those that no channel accepted.
	Waiting     int `json:"waiting"`
	DeadLetters int `json:"dead_letters"`
	// OldestSeconds is the age of the oldest that waits.
	OldestSeconds float64 `json:"oldest_seconds"`
	// HeartbeatSeconds is the time since each heartbeat came last; HeartbeatsMissing those that are overdue.
	HeartbeatSeconds  map[string]float64 `json:"heartbeat_seconds,omitempty"`
	HeartbeatsMissing []string           `json:"heartbeats_missing,omitempty"`
}

// Status asks every part of the environment how it is. drift also plans both roots, which takes some seconds and changes
// nothing. The error is for what keeps it from asking at all; what is wrong with the environment is in Problems.
func (e *Environment) Status(ctx context.Context, drift bool) (Status, error) {
	s, err := e.readState(ctx, "platform")
	if err != nil {
		return Status{}, err
	}
	own, err := e.ownership(ctx)
	if err != nil {
		return Status{}, err
	}
	status := Status{Environment: e.Name, Stack: own.Name, Engine: s.identity().Alerting, Problems: []string{}, Services: []ServiceStatus{},
		Interrupted: exists(e.cache("apply", e.Name))}
	if status.LastApply, err = e.lastApply(); err != nil {
		return status, err
	}
	services := s.services()
	if len(services) == 0 {
		status.problem("nothing of it runs: `make up ENV=%s` brings it up", e.Name)
	}
	if _, err := docker.Version(ctx); err != nil {
		status.problem("the Docker Engine does not answer (%v): start it; `make doctor ENV=%s` says more", err, e.Name)
	} else if err := status.containers(ctx, services, own); err != nil {
		return status, err
	}
	urls := s.urls()
	asking, asked := errgroup.WithContext(ctx)
	var targets *TargetStatus
	var delivery *DeliveryStatus
	var noTargets, noDelivery error
	for _, url := range urls {
		if elsewhere(ctx, url) {
			status.Unasked = docker.Host(ctx)
		}
	}
	if url := urls["prometheus"]; url != "" && status.runs("prometheus") && !elsewhere(ctx, url) {
		asking.Go(func() error { targets, noTargets = e.targets(asked, url); return nil })
	}
	if url := urls["relay"]; url != "" && status.runs("relay") && !elsewhere(ctx, url) {
		asking.Go(func() error { delivery, noDelivery = e.delivery(asked, url); return nil })
	}
	if drift && len(services) > 0 {
		asking.Go(func() error { status.Drift = e.drift(asked); return nil })
	}
	if err := asking.Wait(); err != nil {
		return status, err
	}
	if err := ctx.Err(); err != nil {
		return status, err
	}
	status.Targets, status.Delivery = targets, delivery
	if noTargets != nil {
		status.problem("Prometheus does not say what it scrapes (%v): `make logs ENV=%s SERVICE=prometheus`", noTargets, e.Name)
	}
	if noDelivery != nil {
		status.problem("the relay does not say what it delivers (%v): `make logs ENV=%s SERVICE=relay`", noDelivery, e.Name)
	}
	status.judge(e.Name)
	return status, nil
}

func (s *Status) problem(format string, args ...any) {
	s.Problems = append(s.Problems, fmt.Sprintf(format, args...))
}

func (s *Status) runs(service string) bool {
	return slices.ContainsFunc(s.Services, func(one ServiceStatus) bool { return one.Name == service && one.State == "running" })
}

// containers adds each service that the state names, as the engine has it.
func (s *Status) containers(ctx context.Context, services map[string]service, own stack.Ownership) error {
	objects, err := docker.List(ctx, docker.Container, "label="+stack.LabelEnvironment+"="+own.Name)
	if err != nil {
		return err
	}
	byName := map[string]docker.Object{}
	for _, o := range objects {
		if own.Owns(o) {
			byName[o.Name] = o
		}
	}
	for _, known := range stack.Services {
		one, ok := services[known.Name]
		if !ok {
			continue
		}
		if one.ContainerName == "" {
			one.ContainerName = own.Name + "-" + known.Name
		}
		now := ServiceStatus{Name: known.Name, Container: one.ContainerName, State: "missing", URL: one.URL, About: known.About}
		if o, ok := byName[one.ContainerName]; ok {
			now.State, now.Health = o.State, o.Health
		}
		s.Services = append(s.Services, now)
	}
	return nil
}

// judge turns what was found into problems, and sets Up.
func (s *Status) judge(name string) {
	for _, one := range s.Services {
		switch {
		case one.well():
		case one.State == "missing":
			s.problem("the container %s is missing: `make apply ENV=%s` brings it back", one.Container, name)
		case one.State == "running":
			s.problem("%s is %s: `make logs ENV=%s SERVICE=%s` shows why", one.Name, one.Health, name, one.Name)
		default:
			s.problem("%s is %s: `make apply ENV=%s` brings it back, `make logs ENV=%s SERVICE=%s` shows why it ended", one.Name, one.State, name, name, one.Name)
		}
	}
	if s.Targets != nil {
		for _, down := range s.Targets.Down {
			s.problem("a target does not answer: %s", down)
		}
		// Prometheus looks for targets every five seconds.
		if s.Targets.Total == 0 && (s.LastApply == nil || time.Since(*s.LastApply) > 30*time.Second) {
			s.problem("Prometheus scrapes nothing: `make apply ENV=%s`", name)
		}
	}
	if d := s.Delivery; d != nil {
		for _, heartbeat := range d.HeartbeatsMissing {
			s.problem("the heartbeat %s is overdue, so alerts may not arrive: look at Prometheus and Alertmanager (or Grafana) first", heartbeat)
		}
		if d.DeadLetters > 0 {
			s.problem("%d messages were accepted by no channel: the relay's page lists them, to send again or to drop", d.DeadLetters)
		}
		// Two minutes is how long a robot's limit can hold a message back when nothing is wrong.
		if d.OldestSeconds > 120 {
			s.problem("%d deliveries wait, the oldest for %s: `make logs ENV=%s SERVICE=relay` shows what the channel answers", d.Waiting, age(d.OldestSeconds), name)
		}
	}
	if s.Interrupted {
		s.problem("the last apply did not come to its end: `make apply ENV=%s` goes on from there", name)
	}
	s.Up = len(s.Problems) == 0
}

// service is one entry of the platform's output services.
type service struct {
	ContainerName string `json:"container_name"`
	URL           string `json:"url"`
}

// services are the entries of the platform's output services, or of one output for each service as earlier commits had
// them.
func (s state) services() map[string]service {
	services := map[string]service{}
	if output, ok := s.Outputs["services"]; ok {
		_ = json.Unmarshal(output.Value, &services)
		return services
	}
	for _, name := range stack.Names() {
		var one service
		if json.Unmarshal(s.Outputs[name].Value, &one) == nil {
			services[name] = one
		}
	}
	return services
}

// targets asks Prometheus what it scrapes.
func (e *Environment) targets(ctx context.Context, url string) (*TargetStatus, error) {
	var answer struct {
		Data struct {
			ActiveTargets []struct {
				Labels    map[string]string `json:"labels"`
				Health    string            `json:"health"`
				LastError string            `json:"lastError"`
			} `json:"activeTargets"`
		} `json:"data"`
	}
	body, err := e.page(ctx, url+"/api/v1/targets?state=active")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("%s does not answer as Prometheus does: %w", url, err)
	}
	s := TargetStatus{Total: len(answer.Data.ActiveTargets)}
	for _, t := range answer.Data.ActiveTargets {
		switch t.Health {
		case "up":
			s.Up++
		case "down":
			s.Down = append(s.Down, fmt.Sprintf("%s/%s: %s", t.Labels["job"], t.Labels["instance"], t.LastError))
		default:
			s.Unknown++
		}
	}
	slices.Sort(s.Down)
	return &s, nil
}

// delivery reads what the relay's metrics say of deliveries and heartbeats.
func (e *Environment) delivery(ctx context.Context, url string) (*DeliveryStatus, error) {
	body, err := e.page(ctx, url+"/metrics")
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(body, []byte("\nrelay_")) {
		return nil, fmt.Errorf("%s/metrics has no metrics of the relay", url)
	}
	d := DeliveryStatus{HeartbeatSeconds: map[string]float64{}}
	for lines := bufio.NewScanner(bytes.NewReader(body)); lines.Scan(); {
		series, text, _ := strings.Cut(lines.Text(), " ")
		name, labels, _ := strings.Cut(series, "{")
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			continue
		}
		_, heartbeat, _ := strings.Cut(strings.TrimSuffix(labels, `"}`), `heartbeat="`)
		switch name {
		case "relay_queue_notifications", "relay_outbox_messages":
			d.Waiting += int(value)
		case "relay_dead_letters_waiting":
			d.DeadLetters += int(value)
		case "relay_oldest_undelivered_age_seconds":
			d.OldestSeconds = max(d.OldestSeconds, value)
		case "relay_heartbeat_age_seconds":
			d.HeartbeatSeconds[heartbeat] = value
		case "relay_heartbeat_missing":
			if value == 1 {
				d.HeartbeatsMissing = append(d.HeartbeatsMissing, heartbeat)
			}
		}
	}
	slices.Sort(d.HeartbeatsMissing)
	return &d, nil
}

// page reads what an address answers with 200.
func (e *Environment) page(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := e.Client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, 64<<20))
}

// drift says for each root what an apply would change.
func (e *Environment) drift(ctx context.Context) map[string]string {
	drift := map[string]string{}
	roots := []string{"platform"}
	if s, err := e.readState(ctx, "content"); err == nil && len(s.resources()) > 0 {
		roots = append(roots, "content")
	}
	for _, root := range roots {
		words, err := e.driftOf(ctx, root)
		if err != nil {
			words = "unknown: " + err.Error()
		}
		drift[root] = words
	}
	return drift
}

func (e *Environment) driftOf(ctx context.Context, root string) (string, error) {
	if err := e.findTerraform(ctx); err != nil {
		return "", err
	}
	file := e.cache("plan", e.Name+"-"+root+".status.tfplan")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return "", err
	}
	defer os.Remove(file)
	// Without a lock: nothing is written, and a status must not hold up an apply.
	err := e.run(ctx, root, "plan", "-no-color", "-input=false", "-lock=false", "-detailed-exitcode", "-out="+file)
	if !errors.Is(err, errChanges) {
		return "", err
	}
	var plan Plan
	if err := e.query(ctx, &plan, root, "show", "-json", file); err != nil {
		return "", err
	}
	add, change, destroy := plan.counts()
	return fmt.Sprintf("%d to add, %d to change, %d to destroy", add, change, destroy), nil
}

// lastApply is when an apply of this checkout last came to its end.
func (e *Environment) lastApply() (*time.Time, error) {
	n, err := e.notes()
	if err != nil || n.Applied == nil {
		return nil, err
	}
	return n.Applied, nil
}

// PrintStatus prints how the environment is, for a person or as JSON, and reports whether it is up.
func (e *Environment) PrintStatus(ctx context.Context, asJSON bool) (up bool, err error) {
	status, err := e.Status(ctx, true)
	if err != nil {
		return false, err
	}
	if asJSON {
		data, err := json.MarshalIndent(status, "", "  ")
		if err != nil {
			return false, err
		}
		_, err = fmt.Fprintln(e.Out, string(data))
		return status.Up, err
	}
	_, err = io.WriteString(e.Out, status.text(time.Now()))
	return status.Up, err
}

// text is the status for a person.
func (s Status) text(now time.Time) string {
	var b strings.Builder
	b.WriteString(s.headline())
	for _, one := range s.Services {
		fmt.Fprintf(&b, "  %-12s %-10s %-24s %s\n", one.Name, one.String(), one.URL, one.About)
	}
	b.WriteString("\n")
	if t := s.Targets; t != nil {
		words := fmt.Sprintf("%d of %d up", t.Up, t.Total)
		if t.Unknown > 0 {
			words += fmt.Sprintf(", %d not scraped yet", t.Unknown)
		}
		fmt.Fprintf(&b, "  %-12s %s\n", "targets", words)
	}
	if d := s.Delivery; d != nil {
		for _, name := range slices.Sorted(maps.Keys(d.HeartbeatSeconds)) {
			words := age(d.HeartbeatSeconds[name]) + " ago"
			if slices.Contains(d.HeartbeatsMissing, name) {
				words += ", overdue"
			}
			fmt.Fprintf(&b, "  %-12s %s (%s)\n", "heartbeat", words, name)
		}
		words := strconv.Itoa(d.Waiting) + " waiting"
		if d.Waiting > 0 {
			words += ", the oldest for " + age(d.OldestSeconds)
		}
		fmt.Fprintf(&b, "  %-12s %s, %d dead letters\n", "deliveries", words, d.DeadLetters)
	}
	if s.LastApply == nil {
		fmt.Fprintf(&b, "  %-12s none that came to its end in this checkout\n", "last apply")
	} else {
		fmt.Fprintf(&b, "  %-12s %s, %s ago\n", "last apply", s.LastApply.Local().Format("2006-01-02 15:04:05"), age(now.Sub(*s.LastApply).Seconds()))
	}
	for _, root := range []string{"platform", "content"} {
		words, ok := s.Drift[root]
		if !ok {
			continue
		}
		if words == "" {
			words = "none: the files and what runs agree"
		} else if !strings.HasPrefix(words, "unknown") {
			words += fmt.Sprintf(": `make plan ENV=%s` shows what, `make apply ENV=%s` makes it so", s.Environment, s.Environment)
		}
		fmt.Fprintf(&b, "  %-12s %s\n", "drift", root+": "+words)
	}
	return b.String()
}

// headline says whether the environment is up, and if not, why.
func (s Status) headline() string {
	if s.Up && s.Unasked != "" {
		return fmt.Sprintf("\nThe containers of %s are up on %s. They publish their ports on that machine's own loopback, so that targets and\n"+
			"deliveries were not asked; to reach one from here: ssh -N -L PORT:127.0.0.1:PORT %[3]s\n\n", s.Environment, s.Unasked, strings.TrimPrefix(s.Unasked, "ssh://"))
	}
	if s.Up {
		return fmt.Sprintf("\nThe environment %s is up.\n\n", s.Environment)
	}
	return fmt.Sprintf("\nThe environment %s has %s:\n\n  - %s\n\n", s.Environment, count(len(s.Problems), "problem"), strings.Join(s.Problems, "\n  - "))
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// age says a number of seconds in the two largest units.
func age(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	case d < 48*time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// Logs writes the containers' logs to Out: of one service, or of all. lines is how many from the end (0: all of them);
// follow goes on until ctx ends.
func (e *Environment) Logs(ctx context.Context, service string, lines int, follow bool) error {
	own, err := e.ownership(ctx)
	if err != nil {
		return err
	}
	objects, err := docker.List(ctx, docker.Container, "label="+stack.LabelEnvironment+"="+own.Name)
	if err != nil {
		return err
	}
	containers := map[string]docker.Object{}
	for _, o := range objects {
		name := strings.TrimPrefix(o.Name, own.Name+"-")
		if _, known := stack.Named(name); known && own.Owns(o) {
			containers[name] = o
		}
	}
	names := slices.Sorted(maps.Keys(containers))
	if len(names) == 0 {
		return fmt.Errorf("the environment %s has no containers: `make up ENV=%s` brings it up", e.Name, e.Name)
	}
	if service != "" {
		if _, ok := containers[service]; !ok {
			return fmt.Errorf("SERVICE=%s has no container in %s: choose one of %s", service, e.Name, strings.Join(names, ", "))
		}
		names = []string{service}
	}
	all, ctx := errgroup.WithContext(ctx)
	if !follow {
		// One after the other, each whole.
		all.SetLimit(1)
	}
	out := &lineWriter{out: e.Out}
	for _, name := range names {
		prefix := ""
		if len(names) > 1 {
			prefix = fmt.Sprintf("%-12s | ", name)
		}
		all.Go(func() error { return streamLog(ctx, containers[name].ID, lines, follow, out.named(prefix)) })
	}
	if err := all.Wait(); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

func streamLog(ctx context.Context, id string, lines int, follow bool, out io.Writer) error {
	args := []string{"logs", "--timestamps"}
	if lines > 0 {
		args = append(args, "--tail="+strconv.Itoa(lines))
	}
	if follow {
		args = append(args, "--follow")
	}
	cmd := docker.Command(ctx, append(args, id)...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("docker logs: %w", err)
	}
	return nil
}

// summaryAttempts is how often a summary asks whether what is starting has started.
const summaryAttempts = 20

// settled is the status once no target is down and no container waits for its first health check, or the last one that was
// asked for.
func (e *Environment) settled(ctx context.Context) (status Status, err error) {
	for range summaryAttempts {
		if status, err = e.Status(ctx, false); err != nil {
			return status, err
		}
		// What was scraped before it had started is down until the next scrape.
		starting := status.Targets != nil && (len(status.Targets.Down) > 0 || status.Targets.Total == 0) ||
			slices.ContainsFunc(status.Services, func(s ServiceStatus) bool { return s.Health == "starting" })
		if !starting {
			return status, nil
		}
		select {
		case <-ctx.Done():
			return status, ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
	return status, nil
}
