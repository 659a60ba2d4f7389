package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const insideSmallDisk = "LOOKOUT_TEST_SMALL_DISK"

// TestFullDisk runs on a file system of 24 MiB that it really fills: what finds no room is answered
// 507, what was answered 202 is delivered all the same, and with room again all is as before. The
// disk is a tmpfs in a mount namespace of its own, which needs neither root nor anything to clean up.
func TestFullDisk(t *testing.T) { onSmallDisk(t, fullDisk) }

// TestFullDiskWhileATargetIsRenamed: with a backlog and no byte left, the new configuration is in use, nothing ends, and all
// that waited is a dead letter once there is room.
func TestFullDiskWhileATargetIsRenamed(t *testing.T) { onSmallDisk(t, fullDiskWhileRenamed) }

// onSmallDisk runs a test in a process that sees a small disk at dir.
func onSmallDisk(t *testing.T, test func(t *testing.T, dir string)) {
	if dir := os.Getenv(insideSmallDisk); dir != "" {
		test(t, dir)
		return
	}
	t.Parallel()
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), insideSmallDisk+"="+t.TempDir())
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("on the small disk: %v", err)
	}
}

func fullDiskWhileRenamed(t *testing.T, dir string) {
	smallDisk(t, dir)
	const conf = `
retry: {initial: 50ms, max: 300ms}
robots: {ops: {url: "http://127.0.0.1:1/", token_file: secrets/ops}}
targets: {before: {channels: [{robots: [ops]}]}}
`
	p := newProcess(t, conf, map[string]string{"ops": "token"})
	p.args = []string{"--spool", filepath.Join(dir, "spool.db"), "--reserve-mib", "2"}
	p.start()
	p.ready()
	// What something else takes of the disk, and gives back later.
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, make([]byte, 10<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	taken := 0
	for status := http.StatusAccepted; status == http.StatusAccepted; {
		if status, _ = p.post("/v1/robots/before", webhook("firing", "instance", fmt.Sprintf("disk-%d", taken), "__padding", strings.Repeat("x", 60_000))); status == http.StatusAccepted {
			taken++
		} else if status != http.StatusInsufficientStorage {
			t.Fatalf("HTTP %d", status)
		}
	}
	ballast := filepath.Join(dir, "ballast")
	fillUp(t, ballast)
	p.write("relay.yaml", strings.Replace(conf, "before:", "after:", 1))
	eventually(t, 30*time.Second, func() error {
		if log := p.log.String(); !strings.Contains(log, "cannot be moved yet") {
			return fmt.Errorf("nothing is said of what cannot be moved:\n%s", p.lastWords())
		}
		return nil
	})
	for range 3 {
		if status, _ := p.post("/v1/robots/after", webhook("firing", "instance", "late")); status != http.StatusInsufficientStorage {
			t.Errorf("with no byte left a notification is answered %d", status)
		}
	}
	// It goes on over a restart without room, too.
	p.kill()
	p.start()
	eventually(t, 20*time.Second, func() error {
		resp, err := http.Get(p.url("/-/healthy"))
		if err == nil {
			resp.Body.Close()
		}
		return err
	})
	for _, f := range []string{ballast, other} {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, 60*time.Second, func() error {
		if n := p.deadAlerts(); n < taken {
			return fmt.Errorf("%d of %d alerts are dead letters:\n%s", n, taken, p.lastWords())
		}
		return nil
	})
	eventually(t, 10*time.Second, func() error {
		if status, answer := p.post("/v1/robots/after", webhook("firing", "instance", "again")); status != http.StatusAccepted {
			return fmt.Errorf("HTTP %d %s", status, answer)
		}
		return nil
	})
	t.Logf("%d taken, all are dead letters", taken)
}

// smallDisk mounts a disk of 24 MiB that nothing outside sees.
func smallDisk(t *testing.T, dir string) {
	t.Helper()
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Fatal(err)
	}
}

// fillUp takes all that is left of a disk.
func fillUp(t *testing.T, ballast string) {
	t.Helper()
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 1<<12))
	}
}

func fullDisk(t *testing.T, dir string) {
	smallDisk(t, dir)
	var up atomic.Bool
	var told atomic.Int64
	robot := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !up.Load() {
			io.WriteString(w, `{"errcode":-1}`)
			return
		}
		told.Add(int64(strings.Count(string(body), "disk-")))
		io.WriteString(w, `{"errcode":0}`)
	}))
	defer robot.Close()
	p := newProcess(t, fmt.Sprintf(`
retry: {initial: 50ms, max: 300ms}
robots: {ops: {url: %q, token_file: secrets/ops, window: 1s}}
targets: {ops: {channels: [{robots: [ops]}], digest: {max_messages: 1000, pause: 10ms}}}
`, robot.URL), map[string]string{"ops": "token"})
	p.args = []string{"--spool", filepath.Join(dir, "spool.db"), "--reserve-mib", "2"}
	p.start()
	p.ready()
	// Fill it by notifications, and then the rest by something else, so that not only the reserve but
	// the disk itself says no.
	taken, refused := 0, 0
	padding := strings.Repeat("x", 60_000)
	for i := 0; refused < 5; i++ {
		status, answer := p.post("/v1/robots/ops", webhook("firing", "instance", fmt.Sprintf("disk-%d-", i), "__padding", padding))
		switch status {
		case http.StatusAccepted:
			taken++
		case http.StatusInsufficientStorage:
			refused++
		default:
			t.Fatalf("HTTP %d %s", status, answer)
		}
		if i > 5000 {
			t.Fatal("24 MiB never fill up")
		}
	}
	if taken < 100 {
		t.Fatalf("only %d were taken before the disk was full", taken)
	}
	resp, err := http.Get(p.url("/-/ready"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("/-/ready says %d on a full disk", resp.StatusCode)
	}
	ballast := filepath.Join(dir, "ballast")
	fillUp(t, ballast)
	if status, answer := p.post("/v1/robots/ops", webhook("firing", "instance", "late", "__padding", padding)); status != http.StatusInsufficientStorage {
		t.Errorf("HTTP %d %s with no byte left", status, answer)
	}
	// Killed and started on the full disk, it still has all that it took.
	p.kill()
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	p.start()
	up.Store(true)
	defer func() {
		if t.Failed() {
			t.Log(p.log.String())
		}
	}()
	eventually(t, 60*time.Second, func() error {
		if n := int(told.Load()); n < taken {
			return fmt.Errorf("%d of %d alerts were told", n, taken)
		}
		return nil
	})
	eventually(t, 10*time.Second, func() error {
		if status, answer := p.post("/v1/robots/ops", webhook("firing", "instance", "after")); status != http.StatusAccepted {
			return fmt.Errorf("HTTP %d %s", status, answer)
		}
		return nil
	})
	t.Logf("%d taken, %d answered 507, all taken ones were told", taken, refused)
}
