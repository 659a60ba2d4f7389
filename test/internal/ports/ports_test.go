package ports

import (
	"fmt"
	"net"
	"testing"
)

func TestAReservedPortIsNotGivenTwice(t *testing.T) {
	below, err := firstEphemeral()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for name, port := range Reserve(t, "a", "b", "c") {
		if port < lowest || port >= below {
			t.Errorf("%s got port %d, which outgoing connections may get", name, port)
		}
		if seen[port] {
			t.Errorf("%s got port %d, which is somebody's", name, port)
		}
		seen[port] = true
		if release, err := reserve(port); err == nil {
			release()
			t.Errorf("port %d could be reserved a second time", port)
		}
	}
	if len(seen) != 3 {
		t.Errorf("%d ports for three names", len(seen))
	}
}

func TestAPortThatIsListenedOnIsNotGiven(t *testing.T) {
	// One that was free a moment ago.
	port := lowest
	for {
		release, err := reserve(port)
		if err == nil {
			release()
			break
		}
		if port++; port == lowest+1000 {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if release, err := reserve(port); err == nil {
		release()
		t.Errorf("port %d was given though somebody listens on it", port)
	}
}
