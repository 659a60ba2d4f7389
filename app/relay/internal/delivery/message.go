package delivery

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"lookout/app/relay/internal/channel"
	"lookout/app/relay/internal/message"
	"lookout/app/relay/internal/notification"
)

// Collections of the spool.
const (
	collectionOutbox  = "outbox"
	collectionDead    = "dead"
	collectionMembers = "members"
	collectionBeats   = "heartbeats"
)

// outboxOf is the collection of the messages of a target's channel.
func outboxOf(target string, channel int, urgent bool) string {
	return fmt.Sprintf("%s/%s/%d%s", collectionOutbox, target, channel, mark(urgent))
}

// queueOf is the queue of a target's notifications.
func queueOf(target string, urgent bool) string { return target + mark(urgent) }

// mark tells urgent names from others; no target has it in its name.
func mark(urgent bool) string {
	if urgent {
		return "!"
	}
	return ""
}

// targetOf takes a queue's name apart.
func targetOf(queue string) string { return strings.TrimSuffix(queue, "!") }

// laneOf takes an outbox's name apart.
func laneOf(outbox string) (target string, channel int, urgent bool) {
	rest, urgent := strings.CutSuffix(strings.TrimPrefix(outbox, collectionOutbox+"/"), "!")
	i := strings.LastIndexByte(rest, '/')
	if i < 0 {
		return rest, -1, urgent
	}
	channel, err := strconv.Atoi(rest[i+1:])
	if err != nil {
		channel = -1
	}
	return rest[:i], channel, urgent
}

// Message is one message to people, from when it is made until a channel has delivered it. It lies
// in the spool before its first try, and its msgUuid follows from its ID, so that every later try,
// by whichever process, is recognised as the same.
type Message struct {
	ID     uint64 `json:"id"`
	Target string `json:"target"`
	// Channel of the target that it is on, from 0.
	Channel int `json:"channel"`
	// Urgent ones have places of their own in a robot's window and go first.
	Urgent bool `json:"urgent,omitempty"`
	// Nonce is random: whatever happens to the numbers, by a backup that is restored or a machine that is
	// cloned, no two messages share a msgUuid.
	Nonce string `json:"nonce,omitempty"`
	// Received is when the oldest notification in it was accepted, by the steady clock and by the wall's.
	Received time.Duration `json:"received"`
	Wall     time.Time     `json:"wall"`
	// Latest is when the newest notification in it was accepted, 0 where that is Received.
	Latest time.Duration `json:"latest,omitempty"`
	// Since is when it came to its channel.
	Since time.Duration `json:"since"`
	// Seq is the place in the queue of what it tells, for a message that may go back there.
	Seq uint64 `json:"seq,omitempty"`
	// One of the two is what it tells.
	Detail *notification.Notification `json:"detail,omitempty"`
	Digest *message.Digest            `json:"digest,omitempty"`
	// Also are alerts that the digest counts and does not list, for the other relay of a pair.
	Also []state `json:"also,omitempty"`
	// Content is what it looks like; nil until it is about to be tried on its channel.
	Content *channel.Content `json:"content,omitempty"`
	// Robot is the member that may have shown it already, and so the only one to repeat it.
	Robot     string `json:"robot,omitempty"`
	Ambiguous bool   `json:"ambiguous,omitempty"`
	Attempts  int    `json:"attempts,omitempty"`
	Unknown   int    `json:"unknown,omitempty"`
	// RefusedBy are the members of the channel that won't take it.
	RefusedBy []string `json:"refused_by,omitempty"`
	// Packed is set for a digest that was made of all that waited: alone it is not worth merging again.
	Packed bool `json:"packed,omitempty"`
	// Offered is set for dead letters that are sent once more by themselves.
	Offered bool `json:"offered,omitempty"`
	// Replaces names a message of which only the newest is worth sending.
	Replaces string `json:"replaces,omitempty"`
	// Escalated says why the channel before did not deliver it.
	Escalated string    `json:"escalated,omitempty"`
	Failures  []Failure `json:"failures,omitempty"`
}

// Failure is an attempt that did not deliver.
type Failure struct {
	At      time.Time `json:"at"`
	Channel string    `json:"channel"`
	Code    string    `json:"code"`
	Reason  string    `json:"reason"`
	// Meaning is the reason in our words alone, where there are others in it.
	Meaning string `json:"meaning,omitempty"`
}

// maxFailures are kept of a message: the last ones.
const maxFailures = 5

// DeadLetter is a message that no channel delivered.
type DeadLetter struct {
	Message
	Died   time.Time `json:"died"`
	Reason string    `json:"reason"`
}

// uuid identifies the message to a robot. Another robot gets another one: it may well be in another
// group, where the message was never shown.
func (m *Message) uuid(salt []byte, member string) string {
	h := sha256.New()
	h.Write(salt)
	io.WriteString(h, m.Nonce)
	binary.Write(h, binary.BigEndian, m.ID)
	binary.Write(h, binary.BigEndian, int64(m.Channel))
	h.Write([]byte(member))
	b := h.Sum(nil)[:16]
	// Version 8 of RFC 9562: made by the application's own rule.
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// alerts is how many alerts the message tells.
func (m *Message) alerts() int {
	switch {
	case m.Digest != nil:
		return m.Digest.Len()
	case m.Detail != nil:
		return len(m.Detail.Alerts)
	}
	return 0
}

// digest is what the message tells as a digest.
func (m *Message) digest() message.Digest {
	switch {
	case m.Digest != nil:
		return *m.Digest
	case m.Detail != nil:
		return message.Merge([]message.Item{{Notification: *m.Detail, Received: m.Wall}})
	}
	return message.Digest{}
}

// notification is what the message tells as one notification.
func (m *Message) notification() notification.Notification {
	switch {
	case m.Digest != nil:
		return m.Digest.Notification()
	case m.Detail != nil:
		return *m.Detail
	}
	return notification.Notification{}
}

// fail notes an attempt that did not deliver.
func (m *Message) fail(f Failure) {
	m.Failures = append(m.Failures, f)
	if n := len(m.Failures) - maxFailures; n > 0 {
		m.Failures = m.Failures[n:]
	}
}

// lastFailure is one line about why the message is still here.
func (m *Message) lastFailure() string {
	if len(m.Failures) == 0 {
		return "no attempt was possible"
	}
	last := m.Failures[len(m.Failures)-1]
	return cmp.Or(last.Meaning, last.Reason)
}

// Title is one line for lists.
func (m *Message) Title() string {
	if m.Content != nil {
		return m.Content.Title
	}
	n := m.notification()
	if len(n.Alerts) == 0 {
		return fmt.Sprintf("%d alerts", m.alerts())
	}
	return fmt.Sprintf("%s (%d alerts, %s)", n.Alerts[0].Name(), m.alerts(), n.Status)
}
