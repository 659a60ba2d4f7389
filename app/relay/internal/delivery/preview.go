package delivery

import (
	"fmt"

	"lookout/app/relay/internal/config"
	"lookout/app/relay/internal/message"
	"lookout/app/relay/internal/notification"
	"lookout/app/relay/internal/robot"
)

// Preview renders what a notification would look like on a target's first channel, as the given
// type of message; as a digest where asked for or where it is too long otherwise.
func (e *Engine) Preview(target, kind string, n notification.Notification, digest bool) (robot.Content, error) {
	return Preview(e.Config(), target, kind, n, digest, message.Context{Now: e.store.Wall()})
}

// Preview is the same for a configuration that isn't running. now.Now must be set.
func Preview(c *config.Config, target, kind string, n notification.Notification, digest bool, now message.Context) (robot.Content, error) {
	t := c.Targets[target]
	if t == nil {
		return robot.Content{}, fmt.Errorf("%w %q: name one of %v", ErrNoTarget, target, sortedKeys(c.Targets))
	}
	texts := c.TextsOf(t)
	ctx := contextOf(c, t, t.Channels[0], &Message{}, now.Now)
	if kind != "" {
		ctx.Type = kind
	}
	if !digest {
		content, fits, err := texts.Detail(n, ctx)
		if fits {
			return content, err
		}
	}
	parts, err := texts.Pack(message.Merge([]message.Item{{Notification: n, Received: now.Now}}), ctx, t.Digest.MaxMessages)
	if err != nil {
		return robot.Content{}, err
	}
	return texts.Digest(parts[0], ctx)
}
