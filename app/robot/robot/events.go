package robot

import "sync"

// event is something that pages have to know.
type event struct {
	message *Message
	changed bool // message was there before
	cleared bool // all messages are gone
}

// hub hands events to whoever listens. A listener that doesn't keep up is dropped: its page
// connects again and asks for what it missed.
type hub struct {
	mu        sync.Mutex
	listeners map[chan event]bool
}

func newHub() *hub { return &hub{listeners: map[chan event]bool{}} }

func (h *hub) listen() chan event {
	c := make(chan event, 256)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listeners[c] = true
	return c
}

func (h *hub) leave(c chan event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listeners[c] {
		delete(h.listeners, c)
		close(c)
	}
}

func (h *hub) send(e event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.listeners {
		select {
		case c <- e:
		default:
			delete(h.listeners, c)
			close(c)
		}
	}
}
