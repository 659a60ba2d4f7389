package robot

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// State is what a group's owner may have done to a robot.
type State string

const (
	Active    State = ""
	Disabled  State = "disabled"  // 400102
	Removed   State = "removed"   // 400106
	Disbanded State = "disbanded" // 400013: the whole group is gone
)

// Robot is one custom robot of a group. Each of its security settings that is set must be met;
// DingTalk itself demands that at least one is.
type Robot struct {
	// Chat is DingTalk's unless it says otherwise.
	Chat Chat
	// AccessToken is the secret part of its webhook's address.
	AccessToken string
	// Name is shown in the chat and labels the metrics.
	Name string
	// Keywords: one of them must stand in the title, the text or a button. At most 10.
	Keywords []string
	// Secret signs calls, see [Sign].
	Secret string
	// AllowedIPs: the caller's address must lie in one of them.
	AllowedIPs []netip.Prefix
	State      State
}

// Sign computes the value of the query parameter "sign" for a call made at t, not yet escaped for
// the query: base64 of HMAC-SHA256 under the secret of "<t in ms>\n<secret>". (DingTalk, security
// settings of custom robots.)
func Sign(secret string, t time.Time) string {
	return signed(secret, strconv.FormatInt(t.UnixMilli(), 10))
}

func signed(secret, timestamp string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "\n" + secret))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// checkSign names the answer that refuses the signature, or is "".
func (r Robot) checkSign(q url.Values, now time.Time, skew time.Duration) string {
	if r.Secret == "" {
		return ""
	}
	given := q.Get("timestamp")
	ms, err := strconv.ParseInt(given, 10, 64)
	if err != nil {
		return AnswerTimestamp
	}
	if d := now.Sub(time.UnixMilli(ms)); d > skew || d < -skew {
		return AnswerTimestamp
	}
	if !hmac.Equal([]byte(q.Get("sign")), []byte(signed(r.Secret, given))) {
		return AnswerSign
	}
	return ""
}

func (r Robot) allows(ip netip.Addr) bool {
	if len(r.AllowedIPs) == 0 {
		return true
	}
	for _, p := range r.AllowedIPs {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// clientIP is the address of whoever is connected. Forwarding headers are not believed, since
// anybody can send them.
func clientIP(remoteAddr string) netip.Addr {
	ap, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}

// limiter admits a number of calls in any window of time, and blocks all after the first too many.
type limiter struct {
	mu           sync.Mutex
	limit        int
	window       time.Duration
	block        time.Duration
	admitted     []time.Time // within the window, oldest first
	blockedUntil time.Time
}

// room tells whether one more call is taken, and blocks all where it is not.
func (l *limiter) room(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Before(l.blockedUntil) {
		return false
	}
	for len(l.admitted) > 0 && now.Sub(l.admitted[0]) >= l.window {
		l.admitted = l.admitted[1:]
	}
	if len(l.admitted) >= l.limit {
		l.blockedUntil = now.Add(l.block)
		return false
	}
	return true
}

// take notes a call that is taken.
func (l *limiter) take(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.admitted = append(l.admitted, now)
}

func (l *limiter) blocked(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return now.Before(l.blockedUntil)
}

// uuids remembers the newest msgUuids and the message each one stands for.
type uuids struct {
	keep  int
	known map[string]int64
	order []string
}

func (u *uuids) message(id string) (int64, bool) {
	n, ok := u.known[id]
	return n, ok
}

func (u *uuids) remember(id string, message int64) {
	if u.known == nil {
		u.known = map[string]int64{}
	}
	u.known[id] = message
	u.order = append(u.order, id)
	if len(u.order) > u.keep {
		delete(u.known, u.order[0])
		u.order = u.order[1:]
	}
}

func describeSecurity(r Robot) string {
	var parts []string
	if len(r.Keywords) > 0 {
		parts = append(parts, "keyword "+strings.Join(r.Keywords, " | "))
	}
	if r.Secret != "" {
		parts = append(parts, "signature")
	}
	if len(r.AllowedIPs) > 0 {
		ips := make([]string, len(r.AllowedIPs))
		for i, p := range r.AllowedIPs {
			ips[i] = p.String()
		}
		parts = append(parts, "ip "+strings.Join(ips, " "))
	}
	return strings.Join(parts, ", ")
}
