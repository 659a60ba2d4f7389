// Command probe is the health check of every image that is built here: they hold no shell and no curl.
//
// `probe URL` asks once. `probe --hold=20s URL` is for an engine that starts its checks at a short
// interval: until the service has answered for the first time, a check asks until it does and ends at
// once, so that who waits for the container learns of it within a second. From then on a check stays
// and asks every five seconds, and ends early only with bad news. Starting a process in a container
// costs the engine about 130 ms of a processor, asking costs nothing to speak of; that way five
// containers cost 0.02 processors to watch, not 0.1.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"lookout/internal/program"
)

type options struct {
	URL   string        `arg:"" optional:"" help:"What has to answer 200, for example http://127.0.0.1:3000/api/health."`
	Alive bool          `help:"Any answer below 500 counts, and certificates are not verified: for a service behind a login."`
	Hold  time.Duration `default:"0s" help:"Once the service has answered: for how long one check goes on asking. 0 asks once."`
	Every time.Duration `default:"5s" help:"How often a check that holds asks."`
	Wait  time.Duration `default:"5s" help:"With --hold, until the service has answered for the first time: for how long one check goes on trying."`
	// RemoveSnapshot is here since Prometheus has no request for it, and images that are built here no rm.
	RemoveSnapshot string `placeholder:"DIR" help:"Instead of asking: remove a snapshot that Prometheus has made, a folder below one named snapshots."`
	Marker         string `default:"${marker}" help:"With --hold: the file that stands for an earlier answer, on a file system that ends with the container."`
}

// retry is the pause between two attempts before the first answer.
const retry = 200 * time.Millisecond

// unverified asks a service of the same container, whose certificate is for the name that people use. It is told
// nothing that another could misuse.
var unverified = &http.Client{
	//lint:ignore G402 of the same container, see above
	Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// answerTimeout is how long one answer may take.
const answerTimeout = 3 * time.Second

func main() {
	program.Main(func(ctx context.Context) int {
		return run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	})
}

// run is the whole program: its exit code is 0 for healthy, 1 for not, 2 for wrong use.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	done := -1
	parser, err := kong.New(&o, kong.Name("probe"), kong.Writers(stdout, stderr), kong.Exit(func(code int) { done = code }),
		kong.Description("Asks a service for its health; exits 0 if it answers 200, else 1."),
		kong.Vars{"marker": filepath.Join(os.TempDir(), ".probe-answered")})
	if err == nil && len(args) == 1 && args[0] == program.DescribeFlags {
		fmt.Fprintln(stdout, program.FlagTables(parser))
		return 0
	}
	if err == nil {
		_, err = parser.Parse(args)
	}
	if done >= 0 {
		return done
	}
	if err == nil {
		err = o.validate()
	}
	if err != nil {
		fmt.Fprintln(stderr, "probe:", err)
		return 2
	}
	if o.RemoveSnapshot != "" {
		if err := os.RemoveAll(o.RemoveSnapshot); err != nil {
			fmt.Fprintln(stderr, "probe:", err)
			return 1
		}
		return 0
	}
	if err := o.check(ctx, stderr); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// snapshots matches the folders that Prometheus names after the time of a snapshot.
var snapshots = regexp.MustCompile(`^(/[\w.-]+)+/snapshots/[0-9]{8}T[0-9]{6}Z-[0-9a-f]+$`)

func (o options) validate() error {
	switch {
	case o.RemoveSnapshot != "" && !snapshots.MatchString(o.RemoveSnapshot):
		return fmt.Errorf("--remove-snapshot=%q is not a snapshot of Prometheus: give a folder such as /prometheus/snapshots/20261126T103000Z-0123456789abcdef", o.RemoveSnapshot)
	case o.RemoveSnapshot != "" && o.URL != "":
		return fmt.Errorf("--remove-snapshot and %q: give one of them", o.URL)
	case o.RemoveSnapshot != "":
		return nil
	case !strings.HasPrefix(o.URL, "http://") && !strings.HasPrefix(o.URL, "https://"):
		return fmt.Errorf("%q is not an address: give one that starts with http:// or https://", o.URL)
	case o.Hold < 0:
		return fmt.Errorf("--hold=%s is negative: give how long one check lasts, or 0s to ask once", o.Hold)
	case o.Hold > 0 && (o.Every <= 0 || o.Wait <= 0):
		return fmt.Errorf("--every=%s and --wait=%s have to be more than 0s", o.Every, o.Wait)
	}
	return nil
}

// check is one health check. Its error says what was wrong.
func (o options) check(ctx context.Context, stderr io.Writer) error {
	if o.Hold == 0 {
		return o.ask(ctx)
	}
	if _, err := os.Stat(o.Marker); errors.Is(err, os.ErrNotExist) {
		if err := o.first(ctx); err != nil {
			return err
		}
		if err := os.WriteFile(o.Marker, nil, 0o600); err != nil {
			// Every check is a first one then. Holding it as well keeps the engine from starting one each
			// second, and only the first good news comes late.
			fmt.Fprintf(stderr, "%v: a start is noticed %s late; mount a tmpfs there, or choose another file with --marker\n", err, o.Hold)
			return o.watch(ctx)
		}
		return nil
	}
	if err := o.watch(ctx); err != nil {
		_ = os.Remove(o.Marker)
		return err
	}
	return nil
}

// first asks until there is an answer, or --wait is over.
func (o options) first(ctx context.Context) error {
	for deadline := time.Now().Add(o.Wait); ; {
		err := o.ask(ctx)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		if !pause(ctx, retry) {
			return err
		}
	}
}

// watch asks as long as --hold says, or until there is no good answer.
func (o options) watch(ctx context.Context) error {
	for end := time.Now().Add(o.Hold); ; {
		if err := o.ask(ctx); err != nil {
			return err
		}
		if left := time.Until(end); left <= 0 || !pause(ctx, min(o.Every, left)) {
			return nil
		}
	}
}

// pause is false if the check was told to end meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (o options) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.URL, nil)
	if err != nil {
		return err
	}
	client := http.DefaultClient
	if o.Alive {
		client = unverified
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	// Read, so that the connection is used again.
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)); err != nil {
		return err
	}
	if o.Alive && resp.StatusCode < http.StatusInternalServerError {
		return nil
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", o.URL, resp.Status)
	}
	return nil
}
