// Package docker is the one place that calls the Docker client. The client's answers become values, and its errors
// carry what it said.
package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// answerTimeout is how long the engine may take to say that it is there.
const answerTimeout = 10 * time.Second

// hostKey is the context's key of the engine's address.
type hostKey struct{}

// WithHost returns a context under which every call of this package goes to the engine at an address that DOCKER_HOST
// could have: "ssh://ops@monitoring.example.com". "" leaves the choice to DOCKER_HOST and the client.
func WithHost(ctx context.Context, host string) context.Context {
	if host == "" {
		return ctx
	}
	return context.WithValue(ctx, hostKey{}, host)
}

// Host is the address that WithHost gave, else that of DOCKER_HOST; "" is the client's default.
func Host(ctx context.Context) string {
	if host, ok := ctx.Value(hostKey{}).(string); ok {
		return host
	}
	return os.Getenv("DOCKER_HOST")
}

// Command is a call of the client that is yet to be started, for callers that stream what it prints.
func Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "docker", args...)
	if host, ok := ctx.Value(hostKey{}).(string); ok {
		// DOCKER_CONTEXT goes before DOCKER_HOST with some clients.
		cmd.Env = append(os.Environ(), "DOCKER_HOST="+host, "DOCKER_CONTEXT=")
	}
	return cmd
}

// Run calls the client and returns what it prints, without outer blanks.
func Run(ctx context.Context, args ...string) (string, error) {
	return run(ctx, nil, nil, args...)
}

func run(ctx context.Context, stdin io.Reader, environ []string, args ...string) (string, error) {
	cmd := Command(ctx, args...)
	cmd.Stdin = stdin
	if len(environ) > 0 {
		cmd.Env = append(cmd.Environ(), environ...)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	out := strings.TrimSpace(stdout.String())
	if err == nil {
		return out, nil
	}
	if ctx.Err() != nil {
		return out, ctx.Err()
	}
	return out, &Error{Args: args, Said: strings.TrimSpace(stderr.String()), err: err}
}

// Error is a call that failed.
type Error struct {
	Args []string
	// Said is what the client wrote to stderr.
	Said string
	err  error
}

func (e *Error) Error() string {
	if e.Said == "" {
		return fmt.Sprintf("docker %s: %v", strings.Join(e.Args, " "), e.err)
	}
	return fmt.Sprintf("docker %s: %s", strings.Join(e.Args, " "), e.Said)
}

func (e *Error) Unwrap() error { return e.err }

// Version returns the engine's version. Its error is the last line of what the client says, which names the cause.
func Version(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	out, err := Run(ctx, "version", "--format", "{{.Server.Version}}")
	var said *Error
	if errors.As(err, &said) && said.Said != "" {
		return "", errors.New(lastLine(said.Said))
	}
	return lastLine(out), err
}

func lastLine(s string) string { return s[strings.LastIndex(s, "\n")+1:] }

// Kind is a kind of object that the engine holds.
type Kind string

// The kinds of which a stack consists, in the order in which they can be removed.
const (
	Container Kind = "container"
	Network   Kind = "network"
	Volume    Kind = "volume"
)

// Kinds are all of them.
var Kinds = []Kind{Container, Network, Volume}

// An Object is a container, network or volume.
type Object struct {
	Kind Kind
	// ID is what the engine knows it by; a volume's is its name.
	ID, Name string
	Labels   map[string]string
	Created  time.Time
	// Ports are the host's ports that a container publishes while it runs.
	Ports []string
	// Image is the name that a container was created with.
	Image string
	// State and Health are a container's: running, exited …; healthy, starting, unhealthy or "" without a check.
	State, Health string
}

// String names the object as a person would: "container lookout-local-relay".
func (o Object) String() string { return string(o.Kind) + " " + o.Name }

// List returns every object of a kind that the filters allow, sorted by name. A filter is what the client's --filter
// takes: "label=lookout.stack=…", "name=…" (which matches parts of names: compare them again).
func List(ctx context.Context, kind Kind, filters ...string) ([]Object, error) {
	args := []string{string(kind), "ls", "--quiet"}
	if kind != Volume {
		args = append(args, "--no-trunc")
	}
	if kind == Container {
		args = append(args, "--all")
	}
	for _, f := range filters {
		args = append(args, "--filter", f)
	}
	out, err := Run(ctx, args...)
	if err != nil {
		return nil, err
	}
	return Inspect(ctx, kind, strings.Fields(out)...)
}

// ListAll is List for every kind.
func ListAll(ctx context.Context, filters ...string) ([]Object, error) {
	var all []Object
	for _, kind := range Kinds {
		found, err := List(ctx, kind, filters...)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// inspected is the part of `docker … inspect` that Object is made of. Networks and containers have Created, volumes
// CreatedAt; containers keep their labels in Config.
type inspected struct {
	ID        string `json:"Id"`
	Name      string
	Created   time.Time
	CreatedAt time.Time
	Labels    map[string]string
	Config    struct {
		Image  string
		Labels map[string]string
	}
	State struct {
		Status string
		Health *struct{ Status string }
	}
	NetworkSettings struct {
		Ports map[string][]struct{ HostPort string }
	}
}

// Inspect returns those objects that are there; one that is gone is left out.
func Inspect(ctx context.Context, kind Kind, ids ...string) ([]Object, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	out, err := Run(ctx, append([]string{string(kind), "inspect"}, ids...)...)
	if err != nil && !gone(err) {
		return nil, err
	}
	var all []inspected
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		return nil, fmt.Errorf("what docker %s inspect prints: %w", kind, err)
	}
	objects := make([]Object, 0, len(all))
	for _, i := range all {
		o := Object{Kind: kind, ID: i.ID, Name: strings.TrimPrefix(i.Name, "/"), Labels: i.Labels, Created: i.Created}
		switch kind {
		case Volume:
			o.ID, o.Created = i.Name, i.CreatedAt
		case Container:
			o.Labels, o.Image, o.State = i.Config.Labels, i.Config.Image, i.State.Status
			if i.State.Health != nil {
				o.Health = i.State.Health.Status
			}
			for _, bindings := range i.NetworkSettings.Ports {
				for _, b := range bindings {
					o.Ports = append(o.Ports, b.HostPort)
				}
			}
			slices.Sort(o.Ports)
			o.Ports = slices.Compact(o.Ports)
		}
		objects = append(objects, o)
	}
	slices.SortFunc(objects, func(a, b Object) int { return strings.Compare(a.Name, b.Name) })
	return objects, nil
}

// gone reports whether an error says no more than that objects don't exist.
func gone(err error) bool {
	var said *Error
	if !errors.As(err, &said) || said.Said == "" {
		return false
	}
	for line := range strings.Lines(said.Said) {
		text := strings.ToLower(line)
		// An old client adds its own exit code.
		if strings.HasPrefix(text, "exit status ") {
			continue
		}
		if !strings.Contains(text, "no such") && !strings.Contains(text, "not found") {
			return false
		}
	}
	return true
}

// Remove removes an object, a running container too. It is no error that the object is gone already.
func Remove(ctx context.Context, o Object) error {
	args := []string{string(o.Kind), "rm"}
	if o.Kind != Network {
		args = append(args, "--force")
	}
	_, err := Run(ctx, append(args, o.ID)...)
	if err == nil || gone(err) {
		return nil
	}
	return fmt.Errorf("removing the %s: %w", o, err)
}

// Logs returns the end of a container's log, both streams, with times. A number of lines of 0 means all.
func Logs(ctx context.Context, container string, lines int) (string, error) {
	args := []string{"logs", "--timestamps"}
	if lines > 0 {
		args = append(args, fmt.Sprintf("--tail=%d", lines))
	}
	out, err := Command(ctx, append(args, container)...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("docker logs %s: %w", container, err)
	}
	return string(out), nil
}

// HasImage reports whether the engine holds an image under a name.
func HasImage(ctx context.Context, image string) bool {
	_, err := Run(ctx, "image", "inspect", "--format", "{{.Id}}", image)
	return err == nil
}

// How long a pull may take: until the registry (or the engine's mirror) has answered, and altogether.
const (
	pullAnswer = 20 * time.Second
	pullWhole  = 15 * time.Minute
)

// Pull fetches an image, by way of the engine's own mirrors, proxies and logins. It gives up where the registry does
// not answer soon, and its error is the engine's last line.
func Pull(ctx context.Context, image string) error {
	return pull(ctx, image, pullAnswer, pullWhole)
}

func pull(ctx context.Context, image string, answer, whole time.Duration) error {
	limited, cancel := context.WithTimeoutCause(ctx, whole, fmt.Errorf("not complete after %s", whole))
	defer cancel()
	limited, giveUp := context.WithCancelCause(limited)
	defer giveUp(nil)
	silence := time.AfterFunc(answer, func() { giveUp(fmt.Errorf("no answer within %s", answer)) })
	defer silence.Stop()
	cmd := Command(limited, "pull", image)
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	// The client's first line says that the registry has the image.
	cmd.Stdout, cmd.Stderr = writerFunc(func([]byte) { silence.Stop() }), &stderr
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return fmt.Errorf("docker pull %s: %w", image, context.Cause(limited))
	}
	said := strings.TrimPrefix(lastLine(strings.TrimSpace(stderr.String())), "Error response from daemon: ")
	return &Error{Args: []string{"pull", image}, Said: said, err: err}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

// CopyOut copies a file or folder out of an image.
func CopyOut(ctx context.Context, image, from, to string) error {
	id, err := Run(ctx, "container", "create", image)
	if err != nil {
		return err
	}
	_, err = Run(ctx, "container", "cp", id+":"+from, to)
	// Even if that was interrupted.
	_, removeErr := Run(context.WithoutCancel(ctx), "container", "rm", "--force", id)
	return errors.Join(err, removeErr)
}

// Save returns an image as an archive, which Load reads.
func Save(ctx context.Context, image string) ([]byte, error) {
	archive, err := Command(ctx, "save", image).Output()
	if err != nil {
		return nil, fmt.Errorf("docker save %s: %w", image, err)
	}
	return archive, nil
}

// Load reads images from an archive, as `docker save` writes it.
func Load(ctx context.Context, archive io.Reader) error {
	_, err := run(ctx, archive, nil, "load", "--quiet")
	return err
}

// Build builds an image from a context in a tar archive, which holds its Dockerfile. Where the client has no buildx,
// the engine's own builder is asked for.
func Build(ctx context.Context, image string, labels map[string]string, tar io.Reader) error {
	args := []string{"build", "--quiet", "-t", image}
	names := make([]string, 0, len(labels))
	for name := range labels {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		args = append(args, "--label", name+"="+labels[name])
	}
	var environ []string
	if _, err := Run(ctx, "buildx", "version"); err != nil {
		environ = []string{"DOCKER_BUILDKIT=0"}
	}
	_, err := run(ctx, tar, environ, append(args, "-")...)
	return err
}

// Paused runs what is to see a container's files as they are at one moment: nothing of it runs meanwhile. It goes on even if
// do fails or ctx ends.
func Paused(ctx context.Context, container string, do func() error) (err error) {
	if _, err := Run(ctx, "pause", container); err != nil {
		return err
	}
	defer func() {
		again, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTimeout)
		defer cancel()
		if _, failed := Run(again, "unpause", container); failed != nil {
			err = errors.Join(err, fmt.Errorf("%s is still paused (docker unpause %s): %w", container, container, failed))
		}
	}()
	return do()
}

// ReadFolder gives read a tar of a folder of a container, whose entries begin with the folder's own name.
func ReadFolder(ctx context.Context, container, folder string, read func(io.Reader) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	args := []string{"container", "cp", container + ":" + folder, "-"}
	cmd := Command(ctx, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := read(out); err != nil {
		cancel()
		_ = cmd.Wait()
		if said := strings.TrimSpace(stderr.String()); said != "" {
			return &Error{Args: args, Said: said, err: err}
		}
		return err
	}
	// What a tar ends with may be longer than what its reader needed.
	if _, err := io.Copy(io.Discard, out); err != nil {
		return err
	}
	if err := cmd.Wait(); err != nil {
		return &Error{Args: args, Said: strings.TrimSpace(stderr.String()), err: err}
	}
	return nil
}

// CreateVolume makes a volume with labels.
func CreateVolume(ctx context.Context, name string, labels map[string]string) error {
	args := []string{"volume", "create"}
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		args = append(args, "--label", label+"="+labels[label])
	}
	_, err := Run(ctx, append(args, name)...)
	return err
}

// FillVolume unpacks into a volume what write writes: a tar of one folder, the one whose name it is given, with owners and modes as
// they are in it, the folder's own too. The image, any one, is only there to hold the volume: nothing of it runs.
func FillVolume(ctx context.Context, volume, image string, write func(folder string, w io.Writer) error) error {
	const folder = "volume"
	id, err := Run(ctx, "container", "create", "--network=none", "--volume="+volume+":/"+folder, image, "never-started")
	if err != nil {
		return err
	}
	in, out := io.Pipe()
	go func() { out.CloseWithError(write(folder, out)) }()
	// To the root, since the engine leaves out what a tar says about the folder that it is unpacked into.
	_, err = run(ctx, in, nil, "container", "cp", "-", id+":/")
	in.CloseWithError(io.ErrClosedPipe)
	_, removeErr := Run(context.WithoutCancel(ctx), "container", "rm", "--force", id)
	return errors.Join(err, removeErr)
}
