package delivery

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"lookout/app/relay/internal/channel"
	"lookout/app/relay/internal/config"
	"lookout/app/relay/internal/message"
	"lookout/app/relay/internal/notification"
	"lookout/app/relay/internal/spool"
)

const (
	collectionSent  = "sent"
	collectionTaken = "taken"
	// maxSent are the answers that are kept; maxSentAlerts and maxSentBytes bound what is kept of each.
	maxSent       = 1000
	maxSentAlerts = 100
	maxSentBytes  = 16 << 10
	// maxSentLabels of an alert are kept, each cut to length.
	maxSentLabels = 64
	maxSentName   = 100
	maxSentValue  = 300
	// maxTaken bounds the alerts that are known to be taken.
	maxTaken = 10_000
	// linkLasts is how long the link in a message works, takenLasts how long an alert stays taken.
	linkLasts  = 24 * time.Hour
	takenLasts = 24 * time.Hour
	// answerTimeout bounds an answer with all its silences.
	answerTimeout = 30 * time.Second
)

// takenName is what the alert is called by which the chat learns who answered.
const takenName = "AlertTaken"

// Sent is what was sent to whom, and what was answered.
type Sent struct {
	ID     uint64    `json:"id"`
	Ref    string    `json:"ref,omitempty"`
	At     time.Time `json:"at"`
	Target string    `json:"target"`
	// Peer that it was sent to, such as robot:ops.
	Peer string `json:"peer"`
	// Card is the ID of one that can be answered and changed.
	Card    string      `json:"card,omitempty"`
	Title   string      `json:"title"`
	Alerts  []SentAlert `json:"alerts,omitempty"`
	More    int         `json:"more,omitempty"`
	Outcome string      `json:"outcome"`
	Code    string      `json:"code"`
	Reason  string      `json:"reason,omitempty"`
	Attempt int         `json:"attempt"`
}

// SentAlert is an alert of a message that was sent.
type SentAlert struct {
	Hash   uint64            `json:"hash"`
	Name   string            `json:"name"`
	Status string            `json:"status"`
	Labels map[string]string `json:"labels,omitempty"`
	// Began is when it began to fire.
	Began time.Time `json:"began,omitzero"`
	// Partial is set where it has more labels than are kept.
	Partial bool `json:"partial,omitempty"`
}

// Where is what tells the alert from others of its name.
func (a SentAlert) Where() string {
	var s []string
	for _, k := range slices.Sorted(maps.Keys(a.Labels)) {
		if k != "alertname" && k != "severity" && !strings.HasPrefix(k, "__") {
			s = append(s, k+"="+a.Labels[k])
		}
	}
	return message.Clip(300, strings.Join(s, " "))
}

// taken is who takes care of an alert.
type taken struct {
	Who   string    `json:"who"`
	At    time.Time `json:"at"`
	Until time.Time `json:"until"`
	// Key is the tap's, where it was one; Extended is set where that extended its silence.
	Key      string `json:"key,omitempty"`
	Extended bool   `json:"extended,omitempty"`
	// Silence that was made of it, and when that ends.
	Silence string    `json:"silence,omitempty"`
	Ends    time.Time `json:"ends,omitzero"`
}

// covers tells whether it counts for an alert that began then: one that fires anew afterwards is another matter.
func (t taken) covers(began, now time.Time) bool { return now.Before(t.Until) && !began.After(t.At) }

// note is what a lane writes of an answer in the transaction that acts on it.
func (l *lane) note(tx *spool.Tx, mem *member) error {
	if err := mem.put(tx); err != nil || l.sent == nil {
		return err
	}
	return putSent(tx, *l.sent)
}

// putSent keeps an answer, and the last ones before it.
func putSent(tx *spool.Tx, s Sent) error {
	id, err := tx.NextID()
	if err != nil {
		return err
	}
	s.ID = id
	if err := tx.Put(collectionSent, id, s); err != nil {
		return err
	}
	for tx.Count(collectionSent) > maxSent {
		oldest := uint64(0)
		if err := tx.Each(collectionSent, func(id uint64, _ []byte) error { oldest = id; return spool.Stop }); err != nil {
			return err
		}
		if err := tx.Delete(collectionSent, oldest); err != nil {
			return err
		}
	}
	return nil
}

// sentOf is what is kept of an answer; of a message that is tried again and again only the first.
func (l *lane) sentOf(m *Message, mem *member, a channel.Answer) *Sent {
	if a.Outcome == channel.Retry && m.Attempts > 1 {
		return nil
	}
	s := &Sent{
		Ref: m.Nonce, At: l.e.store.Wall(), Target: m.Target, Peer: mem.id, Title: message.Clip(300, m.Content.Title),
		Outcome: string(a.Outcome), Code: a.Code, Attempt: m.Attempts,
	}
	if a.Outcome != channel.Delivered {
		s.Reason = a.Reason
	}
	if _, ok := mem.sender.(channel.Cards); ok {
		s.Card = m.uuid(l.e.store.Salt(), mem.id)
	}
	n := m.notification()
	// What burns is what one takes; what the relay says of itself no one else can silence.
	alerts := slices.DeleteFunc(slices.Clone(n.Alerts), func(a notification.Alert) bool { return message.Own(a) && len(n.Alerts) > 1 })
	slices.SortStableFunc(alerts, func(x, y notification.Alert) int { return strings.Compare(x.Status, y.Status) })
	size := 0
	for i, al := range alerts {
		if i == maxSentAlerts || size > maxSentBytes {
			s.More = len(alerts) - i
			break
		}
		kept := SentAlert{Hash: al.Hash(), Name: message.Clip(200, al.Name()), Status: al.Status, Began: al.StartsAt, Labels: map[string]string{}}
		for _, k := range slices.Sorted(maps.Keys(al.Labels)) {
			if len(kept.Labels) == maxSentLabels || len(k) > maxSentName {
				kept.Partial = true
				continue
			}
			kept.Labels[k] = message.Clip(maxSentValue, al.Labels[k])
		}
		size += len(channel.JSON(kept))
		s.Alerts = append(s.Alerts, kept)
	}
	return s
}

// text is what a search looks at: what people see of an answer, not how it is stored.
func (s Sent) text() string {
	parts := []string{s.Target, s.Peer, s.Title, s.Outcome, s.Code, s.Reason}
	for _, a := range s.Alerts {
		parts = append(parts, a.Name, a.Status)
		for k, v := range a.Labels {
			parts = append(parts, k+"="+v)
		}
	}
	return strings.ToLower(strings.Join(parts, "\n"))
}

// Sent lists the last answers, newest first and at most limit: those in which all words of a search occur, and that are older than
// the one numbered before, 0 for all.
func (e *Engine) Sent(search string, before uint64, limit int) ([]Sent, error) {
	words := strings.Fields(strings.ToLower(search))
	var out []Sent
	err := e.eachSent(func(s Sent) bool {
		if before != 0 && s.ID >= before {
			return false
		}
		text := s.text()
		if slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			return true
		}
		if len(out) == 2*limit {
			// They come oldest first; a thousand large ones need not be held for the last few.
			out = slices.Delete(out, 0, limit)
		}
		out = append(out, s)
		return true
	})
	slices.Reverse(out)
	return out[:min(limit, len(out))], err
}

// eachSent calls fn with each answer that is kept, oldest first, until it returns false. What can't be read is passed over.
func (e *Engine) eachSent(fn func(Sent) bool) error { return e.eachSentWith([]string{""}, fn) }

// eachSentWith is eachSent for those whose JSON holds one of the words, which is looked at before it is read.
func (e *Engine) eachSentWith(words []string, fn func(Sent) bool) error {
	return e.store.View(func(tx *spool.Tx) error {
		return tx.Each(collectionSent, func(id uint64, raw []byte) error {
			var s Sent
			if slices.ContainsFunc(words, func(w string) bool { return bytes.Contains(raw, []byte(w)) }) && json.Unmarshal(raw, &s) == nil {
				s.ID = id
				if !fn(s) {
					return spool.Stop
				}
			}
			return nil
		})
	})
}

// hashes are what stands in the JSON of those that tell one of the alerts.
func hashes(alerts []SentAlert) []string {
	if len(alerts) > 20 {
		return []string{""}
	}
	var out []string
	for _, a := range alerts {
		out = append(out, fmt.Sprintf(`"hash":%d,`, a.Hash))
	}
	return out
}

// loadTaken reads who takes care of what.
func (e *Engine) loadTaken() error {
	now := e.store.Wall()
	e.taken = map[uint64]taken{}
	return e.store.View(func(tx *spool.Tx) error {
		return tx.Each(collectionTaken, func(hash uint64, raw []byte) error {
			var t taken
			if json.Unmarshal(raw, &t) == nil && now.Before(t.Until) {
				e.taken[hash] = t
			}
			return nil
		})
	})
}

// takenBy is who takes care of an alert, "" for no one. One that fires anew afterwards is another matter.
func (e *Engine) takenBy(a notification.Alert) string {
	e.takenMu.Lock()
	defer e.takenMu.Unlock()
	if len(e.taken) == 0 {
		return ""
	}
	t, ok := e.taken[a.Hash()]
	if !ok || !t.covers(a.StartsAt, e.store.Wall()) {
		return ""
	}
	return t.Who
}

// allTaken tells whether someone takes care of everything that a message tells of what fires.
func (e *Engine) allTaken(m *Message) bool {
	e.takenMu.Lock()
	none := len(e.taken) == 0
	e.takenMu.Unlock()
	if none {
		return false
	}
	firing := 0
	for _, a := range m.notification().Alerts {
		if a.Status != notification.Firing {
			continue
		}
		firing++
		if e.takenBy(a) == "" {
			return false
		}
	}
	return firing > 0
}

// answerSign is the signature of a link.
func answerSign(key, ref string, expires int64) string {
	mac := hmac.New(sha256.New, []byte(key))
	fmt.Fprintf(mac, "answer\n%s\n%d", ref, expires)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:18])
}

// answerLink is the link by which people answer a message, "" where that is not configured.
func answerLink(c *config.Config, ref string, now time.Time) string {
	if c.Answers == nil || c.Answers.Key == "" || ref == "" {
		return ""
	}
	expires := now.Add(linkLasts).Unix()
	return fmt.Sprintf("%s/answer/%s?e=%d&s=%s", strings.TrimSuffix(c.Answers.URL, "/"), ref, expires, answerSign(c.Answers.Key, ref, expires))
}

// Errors of answers, for people.
var (
	ErrLink    = errors.New("这个链接无效或已过期，请打开较新的消息 this link is not valid, or older than a day: open a newer message")
	ErrUnknown = errors.New("这条消息已不在最近的 1000 条记录中 this message is not among the last 1,000 any more")
)

// Question is what a link asks about.
type Question struct {
	Sent
	// Taken by whom, and silenced until when, by the alerts' hashes.
	Taken map[uint64]string
	Ends  map[uint64]time.Time
	// CanSilence is set where silences can be made.
	CanSilence bool
}

// Ask checks a link and returns what it is about.
func (e *Engine) Ask(ref, expires, sign string) (Question, error) {
	c := e.Config()
	at, err := strconv.ParseInt(expires, 10, 64)
	if c.Answers == nil || c.Answers.Key == "" || err != nil || !hmac.Equal([]byte(sign), []byte(answerSign(c.Answers.Key, ref, at))) || e.store.Wall().Unix() > at {
		return Question{}, ErrLink
	}
	return e.question(ref, func(s Sent) bool { return s.Ref == ref })
}

// question is what the message is about that fits; word stands in its record.
func (e *Engine) question(word string, fits func(Sent) bool) (Question, error) {
	c := e.Config()
	q := Question{Taken: map[uint64]string{}, Ends: map[uint64]time.Time{}, CanSilence: c.Answers != nil && c.Answers.Silences != ""}
	err := e.eachSentWith([]string{word}, func(s Sent) bool {
		if fits(s) && (q.Ref == "" || q.Outcome != string(channel.Delivered)) {
			q.Sent = s
		}
		return true
	})
	if err != nil {
		return q, err
	}
	if q.Ref == "" {
		return q, ErrUnknown
	}
	// What was sent later may say that they are over.
	last := map[uint64]SentAlert{}
	for _, a := range q.Alerts {
		last[a.Hash] = a
	}
	err = e.eachSentWith(hashes(q.Alerts), func(s Sent) bool {
		for _, a := range s.Alerts {
			known, ok := last[a.Hash]
			if ok && (a.Began.After(known.Began) || a.Began.Equal(known.Began) && a.Status != notification.Firing) {
				last[a.Hash] = a
			}
		}
		return true
	})
	if err != nil {
		return q, err
	}
	e.takenMu.Lock()
	defer e.takenMu.Unlock()
	now := e.store.Wall()
	for i := range q.Alerts {
		a := &q.Alerts[i]
		a.Status, a.Began = last[a.Hash].Status, last[a.Hash].Began
		if t, ok := e.taken[a.Hash]; ok {
			q.Ends[a.Hash] = t.Ends
			if t.covers(a.Began, now) {
				q.Taken[a.Hash] = t.Who
			}
		}
	}
	return q, nil
}

// Reply is an answer to a question.
type Reply struct {
	// Who answers, as they call themselves.
	Who string
	// Silence for this long; 0 only takes the alerts.
	Silence time.Duration
	// Extend adds that to what is silenced already.
	Extend bool
	// At is when it was asked for; now where it is not known.
	At time.Time
	// Key is the tap's that asks for it: with one it is done once, however often it is asked for. Again is set where it, or
	// what another tap asks for, may have been done without being known.
	Key   string
	Again bool
}

// passing is an error that may be gone at the next try.
type passing struct{ error }

func (p passing) Unwrap() error { return p.error }

// errOver is for a message of which nothing is left to be taken.
var errOver = errors.New("这条消息里已没有正在触发的报警 nothing of this message fires any more")

// Answer does what someone answers: the alerts are taken, silenced if asked for, and the chat is told. It returns what
// was done, in a sentence.
func (e *Engine) Answer(ctx context.Context, q Question, r Reply) (string, error) {
	c := e.Config()
	r.Who = message.Clip(60, message.Safe(r.Who))
	if !strings.ContainsFunc(r.Who, func(r rune) bool { return unicode.IsPrint(r) && r != ' ' }) {
		return "", errors.New("请写上你的名字 write your name: the chat is told who takes it")
	}
	// Whoever answers may be gone before it is done; and two who answer at once would silence it twice.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTimeout)
	defer cancel()
	select {
	case e.answering <- struct{}{}:
		defer func() { <-e.answering }()
	case <-ctx.Done():
		return "", passing{errors.New("正在处理别人的应答，请稍后再试 someone else's answer is under way: try again in a moment")}
	}
	now := e.store.Wall()
	asked := now
	if !r.At.IsZero() && r.At.Before(now) && now.Sub(r.At) < time.Hour {
		asked = r.At
	}
	ends := asked.Add(r.Silence)
	did := func(silenced string) string {
		if r.Silence == 0 {
			return r.Who + " 已认领 takes care of it"
		}
		return fmt.Sprintf("%s %s %s", r.Who, silenced, ends.In(c.Zone).Format("01-02 15:04"))
	}
	const anew = "已静默 silenced it until"
	e.takenMu.Lock()
	before := maps.Clone(e.taken)
	e.takenMu.Unlock()
	firing := slices.DeleteFunc(slices.Clone(q.Alerts), func(a SentAlert) bool { return a.Status != notification.Firing })
	if len(firing) == 0 {
		return "", errOver
	}
	if r.Extend {
		for _, a := range firing {
			if t := before[a.Hash]; t.Key != r.Key && t.Ends.Add(r.Silence).After(ends) && now.Before(t.Ends) {
				ends = t.Ends.Add(r.Silence)
			}
		}
	}
	if !slices.ContainsFunc(firing, func(a SentAlert) bool {
		t, ok := before[a.Hash]
		same := ok && t.Who == r.Who && t.covers(a.Began, now)
		if same && (r.Key != "" && t.Key == r.Key || r.Extend && t.Extended && now.Sub(t.At) < doubleTap) {
			ends = t.Ends
			return false
		}
		return !same || r.Silence > 0 && ends.Sub(t.Ends).Abs() >= time.Minute
	}) {
		// A second tap: it is done, and was told.
		return did(anew), nil
	}
	if r.Silence > 0 && (c.Answers == nil || c.Answers.Silences == "") {
		return "", errors.New("没有配置静默 silences are not configured: set answers.silences")
	}
	next := map[uint64]taken{}
	verb := anew
	var failed error
	for _, a := range firing {
		if t := before[a.Hash]; r.Key != "" && t.Key == r.Key {
			// Done before the try that failed.
			next[a.Hash] = t
			continue
		}
		t := taken{Who: r.Who, At: now, Until: now.Add(takenLasts), Key: r.Key, Extended: r.Extend, Silence: before[a.Hash].Silence, Ends: before[a.Hash].Ends}
		if r.Silence > 0 {
			known := ""
			if now.Before(t.Ends) {
				known, verb = t.Silence, "已延长静默 extended its silence until"
				if ends.Before(t.Ends) {
					verb = "已缩短静默 shortened its silence to"
				}
			}
			id, err := e.silence(ctx, c, known, a, r, now, ends)
			if err != nil {
				failed = err
				break
			}
			t.Silence, t.Ends = id, ends
			t.Until = now.Add(max(takenLasts, r.Silence))
		}
		next[a.Hash] = t
	}
	done := did(verb)
	var told *Message
	var changes []*cardChange
	if failed == nil {
		var err error
		if changes, err = e.changesFor(firing, channel.Card{Status: "🙋 " + done, Open: true}, now); err != nil {
			return "", passing{err}
		}
		told = e.tellTaken(c, q, done, now)
	} else if len(next) > 0 {
		// What was silenced is kept, for the next try to find.
		failed = fmt.Errorf("%w (已静默 silenced: %d / %d)", failed, len(next), len(firing))
	} else {
		return "", failed
	}
	err := e.store.Update(ctx, func(tx *spool.Tx) error {
		for hash, t := range next {
			if err := tx.Put(collectionTaken, hash, t); err != nil {
				return err
			}
			if err := e.putShared(tx, share(sharedTaken, strconv.FormatUint(hash, 16), t)); err != nil {
				return err
			}
		}
		if tx.Count(collectionTaken) > maxTaken {
			var old []uint64
			if err := tx.Each(collectionTaken, func(hash uint64, raw []byte) error {
				var t taken
				if json.Unmarshal(raw, &t) != nil || now.After(t.Until) {
					old = append(old, hash)
				}
				return nil
			}); err != nil {
				return err
			}
			for _, hash := range old {
				if err := tx.Delete(collectionTaken, hash); err != nil {
					return err
				}
			}
		}
		if err := putChanges(tx, changes); err != nil || told == nil {
			return err
		}
		told.ID = 0
		return e.save(tx, told)
	})
	if err != nil {
		return "", passing{err}
	}
	e.wakeTeller()
	e.takenMu.Lock()
	maps.Copy(e.taken, next)
	maps.DeleteFunc(e.taken, func(_ uint64, t taken) bool { return now.After(t.Until) })
	e.takenMu.Unlock()
	if failed != nil {
		return "", failed
	}
	e.changeCards(changes...)
	e.log.Info("answered from the chat", "target", q.Target, "alerts", len(next), "silence", r.Silence.String(), "done", done)
	if told != nil {
		e.wakeLane(q.Target, 0, true)
	}
	return done, nil
}

// tellTaken is the message that tells the chat who answered, nil where the target is gone.
func (e *Engine) tellTaken(c *config.Config, q Question, done string, now time.Time) *Message {
	t := c.Targets[q.Target]
	if t == nil {
		return nil
	}
	n := deliveryAlert(takenName, "info", nil, "🙋 "+done, "", now)
	delete(n.Alerts[0].Annotations, "runbook")
	steady := e.store.Steady()
	m := &Message{Target: q.Target, Received: steady, Since: steady, Wall: now, Detail: &n}
	lines := []string{"🙋 " + done}
	for i, a := range q.Alerts {
		if i == 5 {
			lines = append(lines, fmt.Sprintf("… %d 条 more", len(q.Alerts)-i+q.More))
			break
		}
		lines = append(lines, a.Name+" "+a.Where())
	}
	ctx := contextOf(c, t, t.Channels[0], m, now)
	ctx.Mentions = nil
	content := c.TextsOf(t).Note(lines, ctx)
	m.Content = &content
	return m
}

// silence makes a silence for one alert, or moves the end of one that it made before.
func (e *Engine) silence(ctx context.Context, c *config.Config, id string, a SentAlert, r Reply, from, to time.Time) (string, error) {
	type matcher struct {
		Name    string `json:"name"`
		Value   string `json:"value"`
		IsRegex bool   `json:"isRegex"`
		IsEqual bool   `json:"isEqual"`
	}
	if a.Partial {
		// Without all of them it would silence others as well.
		return "", errors.New("没有静默：标签太多，请在 Alertmanager 中静默 not silenced: it has too many labels, silence it in Alertmanager")
	}
	comment := "从聊天中静默 silenced from the chat"
	if r.Key != "" {
		// By this it is found again where the answer to making it got lost, or the process with it.
		mark := fmt.Sprintf(" [%016x]", a.Hash)
		comment += mark
		if r.Again {
			made, ends, err := e.findSilence(ctx, c, a, mark)
			if err != nil || made != "" && to.Sub(ends).Abs() < time.Minute {
				return made, err
			}
			id = cmp.Or(made, id)
		}
	}
	var matchers []matcher
	for _, name := range slices.Sorted(maps.Keys(a.Labels)) {
		m := matcher{name, a.Labels[name], false, true}
		if begin, cut := strings.CutSuffix(m.Value, "…"); cut && len(m.Value) > maxSentValue-utf8.UTFMax {
			// Cut to length: what begins like it.
			m.Value, m.IsRegex = regexp.QuoteMeta(begin)+"(?s:.*)", true
		}
		matchers = append(matchers, m)
	}
	body := map[string]any{
		"matchers": matchers, "startsAt": from.UTC(), "endsAt": to.UTC(), "createdBy": r.Who, "comment": comment,
	}
	if id != "" {
		body["id"] = id
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.Answers.Silences, "/")+"/api/v2/silences", bytes.NewReader(channel.JSON(body)))
	if err != nil {
		return "", errors.New("answers.silences cannot be used")
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range c.Answers.Header {
		req.Header.Set(k, v)
	}
	resp, err := channel.HTTPClient(10*time.Second, e.transport).Do(req)
	if err != nil {
		return "", passing{errUnreachable}
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var made struct {
		SilenceID string `json:"silenceID"`
	}
	if id != "" && resp.StatusCode == http.StatusNotFound {
		// Someone removed it, or Alertmanager lost it.
		return e.silence(ctx, c, "", a, r, from, to)
	}
	if err != nil || resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests {
		return "", passing{fmt.Errorf("没有静默 not silenced: HTTP %d %s", resp.StatusCode, channel.OneLine(c.Redact(string(raw))))}
	}
	if resp.StatusCode/100 != 2 || json.Unmarshal(raw, &made) != nil || made.SilenceID == "" {
		return "", fmt.Errorf("没有静默 not silenced: HTTP %d %s", resp.StatusCode, channel.OneLine(c.Redact(string(raw))))
	}
	return made.SilenceID, nil
}

var errUnreachable = errors.New("没有静默：联系不上 Alertmanager not silenced: it cannot be reached")

// findSilence looks for a silence of an alert that is in force and has the mark in its comment, and when it ends; "" for none.
func (e *Engine) findSilence(ctx context.Context, c *config.Config, a SentAlert, mark string) (string, time.Time, error) {
	address := strings.TrimSuffix(c.Answers.Silences, "/") + "/api/v2/silences"
	if name := a.Labels["alertname"]; name != "" && utf8.ValidString(name) && !strings.HasSuffix(name, "…") {
		address += "?filter=" + url.QueryEscape("alertname="+strconv.Quote(name))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", time.Time{}, errors.New("answers.silences cannot be used")
	}
	for k, v := range c.Answers.Header {
		req.Header.Set(k, v)
	}
	resp, err := channel.HTTPClient(10*time.Second, e.transport).Do(req)
	if err != nil {
		return "", time.Time{}, passing{errUnreachable}
	}
	defer resp.Body.Close()
	var list []struct {
		ID      string    `json:"id"`
		Comment string    `json:"comment"`
		EndsAt  time.Time `json:"endsAt"`
		Status  struct {
			State string `json:"state"`
		} `json:"status"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxSilences)).Decode(&list); err != nil || resp.StatusCode != http.StatusOK {
		return "", time.Time{}, passing{fmt.Errorf("静默列表读不出 the list of silences cannot be read: HTTP %d", resp.StatusCode)}
	}
	for _, s := range list {
		if strings.HasSuffix(s.Comment, mark) && s.Status.State != "expired" {
			return s.ID, s.EndsAt, nil
		}
	}
	return "", time.Time{}, nil
}

// maxSilences bounds what is read of a list of silences.
const maxSilences = 8 << 20
