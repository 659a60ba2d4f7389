// Package ports hands out ports of this machine to stacks that are started beside each other.
//
// To ask the kernel for any port and give it back is not enough: until Docker takes it, minutes may pass,
// and the kernel may give it to another test's stack or to anybody's outgoing connection meanwhile.
package ports

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// lowest is the first port that is handed out: well above those that services have by default.
const lowest = 11000

// Reserve finds a port on 127.0.0.1 for each name. Nobody listens on them, the kernel gives them to no
// outgoing connection, and no other test gets them until this one has ended.
func Reserve(t testing.TB, names ...string) map[string]int {
	t.Helper()
	below, err := firstEphemeral()
	if err != nil {
		t.Fatal(err)
	}
	reserved := map[string]int{}
	for _, name := range names {
		for attempt := 0; ; attempt++ {
			port := lowest + rand.IntN(below-lowest)
			release, err := reserve(port)
			if err == nil {
				t.Cleanup(release)
				reserved[name] = port
				break
			}
			if attempt == 100 {
				t.Fatalf("no port from %d to %d could be had for %s; the last one: %v", lowest, below-1, name, err)
			}
		}
	}
	return reserved
}

// reserve takes one port, if it is free, until release is called or the process ends.
func reserve(port int) (release func(), err error) {
	dir := filepath.Join(os.TempDir(), "lookout-test-ports")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, fmt.Sprint(port)), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	// The file stays: whoever removed it would let two hold a port, by a file each.
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("port %d is reserved by another test: %w", port, err), f.Close())
	}
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := l.Close(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// firstEphemeral is the lowest port that the kernel gives to outgoing connections.
func firstEphemeral() (int, error) {
	const file, usual = "/proc/sys/net/ipv4/ip_local_port_range", 32768
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return usual, nil
	}
	if err != nil {
		return 0, err
	}
	var first int
	if _, err := fmt.Sscan(strings.TrimSpace(string(data)), &first); err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	if first < lowest+1000 {
		// Nearly all ports may be given to anybody: better some of them than none.
		return usual, nil
	}
	return first, nil
}
