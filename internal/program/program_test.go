package program_test

import (
	"bufio"
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"lookout/internal/program"
)

// asProgram is set for the copy of this test that is the program under test.
const asProgram = "LOOKOUT_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	program.Main(func(ctx context.Context) int {
		return program.Report(os.Stderr, "stubborn", stubborn(ctx))
	})
}

// stubborn serves requests that never end.
func stubborn(ctx context.Context) error {
	listener, err := program.Listen("127.0.0.1:0")
	if err != nil {
		return err
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		select {}
	})
	return program.Service{
		Server: &http.Server{Handler: handler, ReadHeaderTimeout: time.Second}, Listener: listener,
		Log: program.Logger(os.Stderr, "info", "text"), Grace: time.Hour,
	}.Serve(ctx)
}

func TestTheFirstInterruptLetsRequestsEndAndTheSecondKills(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asProgram+"=1")
	out, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	lines := make(chan string, 100)
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
		ended <- cmd.Wait()
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill() })

	address := attribute(t, waitFor(t, lines, "msg=listening"), "address")
	resp, err := http.Get("http://" + address)
	require.NoError(t, err)
	defer resp.Body.Close()

	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	waitFor(t, lines, "msg=stopping")
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err != nil
	}, 10*time.Second, 10*time.Millisecond, "it does not take new requests any more")
	select {
	case err := <-ended:
		t.Fatalf("it ended while a request was running: %v", err)
	default:
	}

	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	select {
	case err := <-ended:
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		status := exit.Sys().(syscall.WaitStatus)
		require.True(t, status.Signaled() && status.Signal() == syscall.SIGINT, "it ended by itself: %v", err)
	case <-time.After(10 * time.Second):
		t.Fatal("the second interrupt is ignored")
	}
}

func waitFor(t *testing.T, lines <-chan string, text string) string {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case line := <-lines:
			if strings.Contains(line, text) {
				return line
			}
		case <-deadline:
			t.Fatalf("the program never says %q", text)
		}
	}
}

func attribute(t *testing.T, line, name string) string {
	t.Helper()
	for _, field := range strings.Fields(line) {
		if value, ok := strings.CutPrefix(field, name+"="); ok {
			return value
		}
	}
	t.Fatalf("no %s in %q", name, line)
	return ""
}

func TestAServiceEndsWithWhatItCannotDoWithout(t *testing.T) {
	listener, err := program.Listen("127.0.0.1:0")
	require.NoError(t, err)
	failed := make(chan error, 1)
	failed <- errors.New("the disk is gone")
	stopping := false
	err = program.Service{
		Server: &http.Server{ReadHeaderTimeout: time.Second}, Listener: listener, Log: program.Logger(io.Discard, "info", "json"),
		Grace: time.Second, Failed: failed, Stopping: func() { stopping = true },
	}.Serve(t.Context())
	require.ErrorContains(t, err, "the disk is gone")
	require.True(t, stopping)
}

func TestARequestThatOutlivesTheGraceIsReported(t *testing.T) {
	listener, err := program.Listen("127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	defer close(release)
	served := make(chan error, 1)
	go func() {
		served <- program.Service{
			Server: &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.(http.Flusher).Flush()
				<-release
			})},
			Listener: listener, Log: program.Logger(io.Discard, "info", "json"), Grace: 10 * time.Millisecond,
		}.Serve(ctx)
	}()
	resp, err := http.Get("http://" + listener.Addr().String())
	require.NoError(t, err)
	defer resp.Body.Close()
	cancel()
	require.ErrorContains(t, <-served, "stop within 10ms")
}

func TestAnAddressThatIsTakenIsNamedWithTheRemedy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, err = program.Listen(l.Addr().String())
	require.ErrorContains(t, err, "--listen="+l.Addr().String())
	require.ErrorContains(t, err, "choose a free port")
}

func TestHelpEndsParsingAndAWrongFlagPointsToIt(t *testing.T) {
	var cli struct {
		Number int `required:""`
	}
	var out strings.Builder
	_, err := program.Parse(&cli, []string{"--help"}, &out, kong.Name("x"))
	require.ErrorIs(t, err, program.ErrDone)
	require.Contains(t, out.String(), "--number")
	_, err = program.Parse(&cli, []string{"--nunber=1"}, io.Discard, kong.Name("x"))
	require.ErrorContains(t, err, "--nunber")
	require.ErrorContains(t, err, "see --help")
	require.Zero(t, program.Report(io.Discard, "x", nil))
	require.Equal(t, 1, program.Report(&out, "x", err))
}

// Signals are handled here and nowhere else: a program that handled them by itself would have to get the second
// interrupt right again.
func TestEveryProgramRunsThroughMain(t *testing.T) {
	for _, dir := range []string{"../../app", "../../cmd"} {
		mains, err := filepath.Glob(filepath.Join(dir, "*", "main.go"))
		require.NoError(t, err)
		require.NotEmpty(t, mains)
		for _, file := range mains {
			calls := calls(t, file)
			require.True(t, calls["program.Main"], "%s does not run through program.Main", file)
			require.False(t, calls["signal.NotifyContext"], "%s handles interrupts by itself", file)
		}
	}
}

// calls are the functions of packages that a file calls, as package.Function.
func calls(t *testing.T, file string) map[string]bool {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	found := map[string]bool{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if f, ok := call.Fun.(*ast.SelectorExpr); ok {
				if pkg, ok := f.X.(*ast.Ident); ok {
					found[pkg.Name+"."+f.Sel.Name] = true
				}
			}
		}
		return true
	})
	return found
}
