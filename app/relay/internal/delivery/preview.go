package delivery

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"lookout/app/relay/internal/channel"
	"lookout/app/relay/internal/config"
	"lookout/app/relay/internal/message"
	"lookout/app/relay/internal/notification"
)

// A Rendering is a message as it would be shown.
type Rendering struct {
	channel.Content
	// Body is what would be posted, Bytes what counts of it against Limit.
	Body         []byte
	Bytes, Limit int
	Plain        bool
}

// Preview renders what a notification would look like on a channel of a target, from 0, as the given type of message, or
// the channel's own; as a digest where asked for or where it is too long otherwise.
func (e *Engine) Preview(target string, index int, kind string, n notification.Notification, digest bool) (Rendering, error) {
	return Preview(e.Config(), target, index, kind, n, digest, e.store.Wall())
}

// Preview is the same for a configuration that isn't running.
func Preview(c *config.Config, target string, index int, kind string, n notification.Notification, digest bool, now time.Time) (Rendering, error) {
	t := c.Targets[target]
	if t == nil {
		return Rendering{}, fmt.Errorf("%w %q: name one of %v", ErrNoTarget, target, sortedKeys(c.Targets))
	}
	if index < 0 || index >= len(t.Channels) {
		return Rendering{}, fmt.Errorf("target %s has no channel %d: it has %d, from 0", target, index, len(t.Channels))
	}
	texts, ch := c.TextsOf(t), t.Channels[index]
	ctx := contextOf(c, t, ch, &Message{}, now)
	if kind != "" {
		if !slices.Contains(ch.Kind.Types, kind) {
			return Rendering{}, fmt.Errorf("type %q is none of those of %s: %s", kind, ch.Label(), strings.Join(ch.Kind.Types, ", "))
		}
		ctx.Form = ch.Kind.Sample(kind).Traits().Form
	}
	show := func(content channel.Content, err error) (Rendering, error) {
		return Rendering{
			Content: content, Body: ctx.Form.Body(content, "00000000-0000-0000-0000-000000000000"),
			Bytes: ctx.Form.Size(content), Limit: ctx.Form.Limit, Plain: ctx.Form.Plain,
		}, err
	}
	if !digest {
		content, fits, err := texts.Detail(n, ctx)
		if fits {
			return show(content, err)
		}
	}
	parts, err := texts.Pack(message.Merge([]message.Item{{Notification: n, Received: now}}), ctx, t.Digest.MaxMessages)
	if err != nil {
		return Rendering{}, err
	}
	return show(texts.Digest(parts[0], ctx))
}
