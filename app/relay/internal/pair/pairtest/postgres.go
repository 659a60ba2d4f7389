package pairtest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"lookout/app/relay/internal/memdir"
)

// Server is a PostgreSQL of a test's own, on a loopback port.
type Server struct {
	t          testing.TB
	bin, dir   string
	port       int
	credential *syscall.Credential
	cmd        *exec.Cmd
	log        bytes.Buffer
}

// Password that relays log in with, to be found nowhere.
const Password = "pa55-canary-of-the-pair"

// Postgres makes a cluster in memory and starts it. The server of Debian's package postgresql is used.
func Postgres(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, dir: filepath.Join(memdir.New(t), "pg"), bin: binaries(t)}
	if os.Geteuid() == 0 {
		// The server refuses to run as root.
		u, err := user.Lookup("postgres")
		if err != nil {
			if u, err = user.Lookup("nobody"); err != nil {
				t.Fatal(err)
			}
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		s.credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if s.credential != nil {
		if err := os.Chmod(filepath.Dir(s.dir), 0o711); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(s.dir, int(s.credential.Uid), int(s.credential.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	password := filepath.Join(filepath.Dir(s.dir), "password")
	if err := os.WriteFile(password, []byte(Password+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	initdb := s.command("initdb", "-D", s.dir+"/data", "-U", "relay", "-A", "scram-sha-256", "--pwfile="+password, "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// binaries finds where the server's programs are: Debian keeps them off the PATH.
func binaries(t testing.TB) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1])
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		t.Fatal("there is no PostgreSQL to test with: make test installs it (Debian: apt-get install postgresql)")
	}
	return filepath.Dir(path)
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// DSN is the server's address, user and password.
func (s *Server) DSN() string {
	return fmt.Sprintf("postgres://relay:%s@127.0.0.1:%d/postgres?sslmode=disable", Password, s.port)
}

// Start starts the server and waits until it answers.
func (s *Server) Start() {
	s.t.Helper()
	s.cmd = s.command("postgres", "-D", s.dir+"/data", "-h", "127.0.0.1", "-p", strconv.Itoa(s.port), "-k", "",
		"-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_connections=30", "-c", "autovacuum=off")
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(60 * time.Second); ; <-tick.C {
		conn, err := pgx.Connect(context.Background(), s.DSN())
		if err == nil {
			_ = conn.Close(context.Background())
			return
		}
		if time.Now().After(limit) {
			s.t.Fatalf("PostgreSQL does not answer: %v\n%s", err, s.log.String())
		}
	}
}

// Freeze stops the server as it is, connections and all; Thaw lets it go on.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

// signal reaches the server's own processes, all of which are its children.
func (s *Server) signal(sig syscall.Signal) {
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", s.cmd.Process.Pid))
	for _, pid := range bytes.Fields(children) {
		if n, err := strconv.Atoi(string(pid)); err == nil {
			_ = syscall.Kill(n, sig)
		}
	}
	_ = s.cmd.Process.Signal(sig)
}

// Stop ends the server and its connections at once.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	s.Thaw()
	// An immediate shutdown takes the children along.
	_ = s.cmd.Process.Signal(syscall.SIGQUIT)
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Exec runs a statement.
func (s *Server) Exec(sql string) {
	s.t.Helper()
	conn, err := pgx.Connect(context.Background(), s.DSN())
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), sql); err != nil {
		s.t.Fatal(err)
	}
}
