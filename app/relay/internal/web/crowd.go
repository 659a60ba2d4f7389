package web

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// idleGrace is how long a connection may say nothing before it has to make room for one that wants to.
const idleGrace = 300 * time.Millisecond

// Crowd bounds how many connections there are at a time. Where all are taken, the one that has been idle for
// the longest is closed; while none is, further ones wait in the kernel's queue.
type Crowd struct {
	net.Listener
	max int

	mu    sync.Mutex
	conns map[net.Conn]*visitor
	freed chan struct{}
}

type visitor struct {
	idle  bool
	since time.Time
	// looked is when it was first seen to be idle for long, and nothing pending.
	looked time.Time
}

// NewCrowd bounds the connections of a listener. Its ConnState has to be that of the server.
func NewCrowd(l net.Listener, most int) *Crowd {
	return &Crowd{Listener: l, max: most, conns: map[net.Conn]*visitor{}, freed: make(chan struct{}, 1)}
}

// Accept waits for a connection and for a place for it.
func (c *Crowd) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	for {
		c.mu.Lock()
		if len(c.conns) < c.max {
			in := &guest{Conn: conn, crowd: c}
			c.conns[in] = &visitor{idle: true, since: time.Now()}
			c.mu.Unlock()
			return in, nil
		}
		var oldest net.Conn
		var since time.Time
		for k, v := range c.conns {
			if !v.idle || time.Since(v.since) < idleGrace || k.(*guest).pending() {
				v.looked = time.Time{}
				continue
			}
			if v.looked.IsZero() {
				// Something may have been read from it just now, and the reader not have come to say so.
				v.looked = time.Now()
			}
			if time.Since(v.looked) >= idleGrace && (oldest == nil || v.since.Before(since)) {
				oldest, since = k, v.since
			}
		}
		c.mu.Unlock()
		if oldest != nil {
			_ = oldest.Close()
			continue
		}
		select {
		case <-c.freed:
		case <-time.After(idleGrace / 6):
		}
	}
}

// ConnState is told by the server what connections do.
func (c *Crowd) ConnState(conn net.Conn, state http.ConnState) {
	if over, ok := conn.(interface{ NetConn() net.Conn }); ok {
		// TLS over what was accepted.
		conn = over.NetConn()
	}
	g, ok := conn.(*guest)
	if !ok || state == http.StateNew {
		return
	}
	g.talks.Store(state != http.StateIdle)
	c.set(g, state == http.StateIdle)
}

func (c *Crowd) set(g *guest, idle bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.conns[g]; v != nil && idle != v.idle {
		v.idle, v.since = idle, time.Now()
	}
}

// guest is a connection that gives its place back.
type guest struct {
	net.Conn
	crowd *Crowd
	talks atomic.Bool
}

// Read reads, and what has said something is not idle: the server itself notices only once a whole header has come.
func (g *guest) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if n > 0 && !g.talks.Swap(true) {
		g.crowd.set(g, false)
	}
	return n, err
}

// pending tells whether something has come that the server has not read yet.
func (g *guest) pending() bool {
	conn, ok := g.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	n := 0
	// Control, since the server's own Read holds the lock for reading.
	_ = raw.Control(func(fd uintptr) {
		n, _, _ = unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
	})
	return n > 0
}

// Close closes the connection and makes room.
func (g *guest) Close() error {
	g.crowd.mu.Lock()
	delete(g.crowd.conns, g)
	g.crowd.mu.Unlock()
	select {
	case g.crowd.freed <- struct{}{}:
	default:
	}
	return g.Conn.Close()
}
