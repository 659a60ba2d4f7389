package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"lookout/app/relay/internal/config"
	"lookout/app/relay/internal/message"
	"lookout/app/relay/internal/notification"
	"lookout/app/relay/internal/spool"
)

const (
	// portion and portionBytes bound what is moved in one transaction.
	portion      = 1000
	portionBytes = 1 << 20
	// offerFor is how old a dead letter may be that is sent once more by itself.
	offerFor = 24 * time.Hour
)

// save writes a message into its lane's outbox, under a new number if it has none.
func (e *Engine) save(tx *spool.Tx, m *Message) error {
	if m.ID == 0 {
		id, err := tx.NextID()
		if err != nil {
			return err
		}
		m.ID = id
	}
	if m.Nonce == "" && m.Attempts == 0 {
		m.Nonce = newNonce()
	}
	return tx.Put(outboxOf(m.Target, m.Channel, m.Urgent), m.ID, m)
}

// valid says whether a record of the spool can be read.
func valid(collection string, _, v []byte) error {
	var into any
	switch {
	case collection == collectionOutbox || strings.HasPrefix(collection, collectionOutbox+"/"):
		into = &Message{}
	case collection == collectionDead:
		into = &DeadLetter{}
	case collection == collectionMembers:
		into = &map[string]any{}
	case collection == collectionSent:
		into = &Sent{}
	case collection == collectionTaps:
		into = &KeptTap{}
	case collection == collectionCards:
		into = &cardChange{}
	case collection == collectionTaken:
		into = &taken{}
	case collection == collectionBeats:
		into = &map[string]beat{}
	default:
		if !json.Valid(v) {
			return errors.New("not JSON")
		}
		return nil
	}
	if err := json.Unmarshal(v, into); err != nil {
		return err
	}
	switch m := into.(type) {
	case *Message:
		if m.Detail == nil && m.Digest == nil {
			return errors.New("it says nothing")
		}
	case *DeadLetter:
		if m.Detail == nil && m.Digest == nil {
			return errors.New("it says nothing")
		}
	}
	return nil
}

// inspect puts aside what cannot be read, and reports it on the last channel of every target.
func (e *Engine) inspect(c *config.Config) error {
	found, err := e.store.Sweep(valid)
	if errors.Is(err, spool.ErrFull) {
		// It is read again at the next start; until then unreadable records are passed over.
		e.log.Error("the spool cannot be inspected, its disk is full", "error", err)
		err = nil
	}
	if err != nil {
		return fmt.Errorf("inspect the spool: %w", err)
	}
	total := 0
	for _, name := range slices.Sorted(maps.Keys(found)) {
		e.damaged(name, found[name])
		total += found[name]
	}
	r := e.store.Recovery
	if r == nil && total == 0 {
		return nil
	}
	zh := fmt.Sprintf("%d 条记录已损坏，已移出，其余照常投递。", total)
	en := fmt.Sprintf("%d damaged records were put aside; the rest is delivered as usual.", total)
	if r != nil {
		e.Metrics.Recoveries.Inc()
		e.log.Error("the spool was damaged: what is readable was saved into a new one", "damaged", r.Damaged, "cause", r.Cause, "saved", r.Saved, "unreadable_places", r.Places)
		zh = fmt.Sprintf("缓存文件已损坏（%d 处），可读的 %d 条记录已保留，原文件改名为 %s。可能有报警丢失，请到 Alertmanager 或 Grafana 核对。", r.Places, r.Saved, r.Damaged)
		en = fmt.Sprintf("The spool was damaged in %d places; %d readable records were kept, the file is now %s. Alerts may be lost: compare with Alertmanager or Grafana.", r.Places, r.Saved, r.Damaged)
	}
	n := deliveryAlert("RelaySpoolDamaged", "critical", nil, "报警中继的缓存损坏 The relay's spool was damaged", zh+"\n"+en, e.store.Wall())
	told := map[string]bool{}
	for _, name := range sortedKeys(c.Targets) {
		// Targets that end in the same channel are told once.
		channels := c.Targets[name].Channels
		if label := channels[len(channels)-1].Label(); told[label] {
			continue
		} else {
			told[label] = true
		}
		e.tell(context.Background(), c, name, len(c.Targets[name].Channels)-1, "damage", n)
	}
	return nil
}

// damaged counts records that were put aside.
func (e *Engine) damaged(collection string, n int) {
	kind, _, _ := strings.Cut(collection, "/")
	e.Metrics.Damaged.WithLabelValues(kind).Add(float64(n))
	e.log.Error("damaged records were put aside", "collection", collection, "records", n)
}

// settleIn moves what the configuration leaves without a place: messages of a target that lost a channel to its
// last one, and what waits for targets that are gone to the dead letters. It goes in portions, so
// that a hundred thousand cost no more memory than a hundred, and goes on where it was interrupted.
func (e *Engine) settleIn(ctx context.Context, c *config.Config) {
	size, fitted := portionBytes, 0
	buried := 0
	for {
		n, more, err := e.settlePortion(ctx, c, size)
		buried += n
		if more {
			e.store.Trim()
		}
		if ctx.Err() != nil {
			return
		}
		switch {
		case errors.Is(err, spool.ErrFull) && size > 1:
			// Less at a time needs less room; what fitted is left behind only slowly.
			size, fitted = max(size/4, 1), 0
			continue
		case err == nil:
			if fitted++; fitted%8 == 0 {
				size = min(2*size, portionBytes)
			}
		}
		if err != nil {
			e.log.Error("what a new configuration leaves behind cannot be moved yet", "error", err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
			}
			continue
		}
		if !more {
			break
		}
	}
	if buried > 0 {
		e.log.Error("alerts for targets that are not configured any more became dead letters", "alerts", buried, "remedy", "relay dead list; relay dead resend --target")
	}
}

// settlePortion moves one portion and says how many alerts were buried and whether there may be more.
func (e *Engine) settlePortion(ctx context.Context, c *config.Config, bytes int) (buried int, more bool, err error) {
	var queues, outboxes []string
	legacy := false
	if err := e.store.View(func(tx *spool.Tx) error {
		for _, name := range tx.Targets() {
			if c.Targets[targetOf(name)] == nil {
				queues = append(queues, name)
			}
		}
		for _, name := range tx.Collections(collectionOutbox + "/") {
			target, channel, _ := laneOf(name)
			if t := c.Targets[target]; (t == nil || channel < 0 || channel >= len(t.Channels)) && tx.Count(name) > 0 {
				outboxes = append(outboxes, name)
			}
		}
		legacy = tx.Count(collectionOutbox) > 0
		return nil
	}); err != nil {
		return 0, false, err
	}
	if legacy {
		outboxes = append(outboxes, collectionOutbox)
	}
	for _, name := range queues {
		items, _, err := e.peek(name, portion, bytes)
		if err != nil {
			return 0, true, err
		}
		if len(items) == 0 {
			if err := e.store.Update(ctx, func(tx *spool.Tx) error { return tx.Forget(name) }); err != nil {
				return 0, true, err
			}
			continue
		}
		d, oldest := mergeQueued(items)
		m := Message{Target: targetOf(name), Urgent: strings.HasSuffix(name, "!"), Received: oldest.received, Wall: oldest.wall, Digest: &d, Packed: true}
		err = e.store.Update(ctx, func(tx *spool.Tx) error {
			if err := e.bury(tx, m); err != nil {
				return err
			}
			return e.dequeue(tx, name, items)
		})
		if err != nil {
			return 0, true, err
		}
		e.Metrics.DeadLetters.WithLabelValues("", "no_target").Inc()
		return d.Len(), true, nil
	}
	for _, name := range outboxes {
		var list []Message
		var bad []uint64
		if err := e.store.View(func(tx *spool.Tx) error {
			size := 0
			return tx.Each(name, func(id uint64, raw []byte) error {
				var m Message
				if json.Unmarshal(raw, &m) != nil {
					bad = append(bad, id)
				} else {
					m.ID = id
					list = append(list, m)
				}
				if size += len(raw); len(list) >= portion || size > bytes {
					return spool.Stop
				}
				return nil
			})
		}); err != nil {
			return 0, true, err
		}
		if len(list)+len(bad) == 0 {
			continue
		}
		woken := map[laneKey]bool{}
		buried := 0
		err := e.store.Update(ctx, func(tx *spool.Tx) error {
			buried = 0
			for _, id := range bad {
				if err := tx.PutAside(name, id); err != nil {
					return err
				}
			}
			var gone []message.Digest
			var last Message
			for _, m := range list {
				if err := tx.Delete(name, m.ID); err != nil {
					return err
				}
				t := c.Targets[m.Target]
				if t == nil {
					gone = append(gone, m.digest())
					last = m
					continue
				}
				if m.Channel >= len(t.Channels) {
					m.Channel, m.Content, m.Robot, m.Ambiguous, m.RefusedBy, m.Attempts = len(t.Channels)-1, nil, "", false, nil, 0
				}
				if err := e.save(tx, &m); err != nil {
					return err
				}
				woken[laneKey{m.Target, m.Channel}] = true
			}
			if len(gone) == 0 {
				return nil
			}
			d := message.Combine(gone)
			buried = d.Len()
			last.Detail, last.Digest = nil, &d
			return e.bury(tx, last)
		})
		if err != nil {
			return 0, true, err
		}
		if len(bad) > 0 {
			e.damaged(name, len(bad))
		}
		if buried > 0 {
			e.Metrics.DeadLetters.WithLabelValues("", "no_target").Inc()
		}
		for k := range woken {
			e.wakeLane(k.target, k.channel, true)
		}
		return buried, true, nil
	}
	return 0, false, nil
}

func (e *Engine) bury(tx *spool.Tx, m Message) error {
	id, err := tx.NextID()
	if err != nil {
		return err
	}
	m.ID, m.Content, m.Nonce = id, nil, ""
	return tx.Put(collectionDead, id, DeadLetter{Message: m, Died: e.store.Wall(), Reason: "its target is not configured any more"})
}

// offerDead sends the dead letters of the last day once more, merged into one digest: a channel of theirs works
// again.
func (e *Engine) offerDead(ctx context.Context, target string) {
	var digests []message.Digest
	var ids []uint64
	var first DeadLetter
	now := e.store.Wall()
	err := e.store.View(func(tx *spool.Tx) error {
		if tx.Count(collectionDead) == 0 {
			return nil
		}
		size := 0
		return tx.Each(collectionDead, func(id uint64, raw []byte) error {
			var d DeadLetter
			if json.Unmarshal(raw, &d) != nil || d.Target != target || d.Offered || now.Sub(d.Died) > offerFor {
				return nil
			}
			if size += len(raw); len(ids) > 0 && size > e.mergeLimit() || len(ids) >= maxMerge {
				return spool.Stop
			}
			if len(ids) == 0 {
				first = d
			}
			ids = append(ids, id)
			digests = append(digests, d.digest())
			return nil
		})
	})
	if err == nil && len(ids) > 0 {
		d := message.Combine(digests)
		m := Message{Target: target, Received: first.Received, Wall: first.Wall, Since: e.store.Steady(), Digest: &d, Offered: true,
			Escalated: "补发：渠道已恢复 sent late, the channel works again: " + first.Reason}
		err = e.store.Update(ctx, func(tx *spool.Tx) error {
			for _, id := range ids {
				if err := tx.Delete(collectionDead, id); err != nil {
					return err
				}
			}
			m.ID = 0
			return e.save(tx, &m)
		})
		if err == nil {
			e.log.Info("dead letters are sent once more", "target", target, "dead_letters", len(ids))
			e.wakeLane(target, 0, true)
		}
	}
	if err != nil {
		e.log.Error("dead letters cannot be sent once more", "target", target, "error", err)
	}
}

// critical tells whether an alert has kept places and a message of its own.
func critical(a notification.Alert) bool { return notification.Rank(a.Severity()) == 0 }

// Outgoing is a message that waits to be delivered.
type Outgoing struct {
	Target string `json:"target"`
	// Channel that it is on, by its label.
	Channel  string    `json:"channel"`
	Title    string    `json:"title"`
	Alerts   int       `json:"alerts"`
	Accepted time.Time `json:"accepted"`
	Attempts int       `json:"attempts"`
	// Reason why it was not delivered yet, "" if nothing was tried.
	Reason string `json:"reason,omitempty"`
}

// maxOutgoingBytes bounds what is read for one list of messages that wait.
const maxOutgoingBytes = 8 << 20

// Outgoing lists messages that wait, target by target: at most limit.
func (e *Engine) Outgoing(limit int) ([]Outgoing, error) {
	c := e.Config()
	var out []Outgoing
	err := e.store.View(func(tx *spool.Tx) error {
		size := 0
		for _, name := range tx.Collections(collectionOutbox + "/") {
			target, index, _ := laneOf(name)
			t := c.Targets[target]
			if t == nil || index < 0 || index >= len(t.Channels) {
				continue
			}
			if err := tx.Each(name, func(_ uint64, raw []byte) error {
				if len(out) >= limit || size > maxOutgoingBytes {
					return spool.Stop
				}
				size += len(raw)
				var m Message
				if json.Unmarshal(raw, &m) != nil {
					return nil
				}
				o := Outgoing{Target: target, Channel: t.Channels[index].Label(), Title: message.Clip(300, m.Title()), Alerts: m.alerts(), Accepted: m.Wall, Attempts: m.Attempts}
				if len(m.Failures) > 0 {
					o.Reason = m.lastFailure()
				}
				out = append(out, o)
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}
