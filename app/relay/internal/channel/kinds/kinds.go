// Package kinds lists the kinds of channels.
package kinds

import (
	"lookout/app/relay/internal/channel"
	"lookout/app/relay/internal/channel/dingtalk"
	"lookout/app/relay/internal/channel/dingtalk/app"
	"lookout/app/relay/internal/channel/email"
	"lookout/app/relay/internal/channel/feishu"
	"lookout/app/relay/internal/channel/gateway"
	"lookout/app/relay/internal/channel/wecom"
)

// All kinds: a new one is a folder next to these, and a line here.
var All = []*channel.Kind{
	&dingtalk.Kind,
	&app.Kind,
	&feishu.Kind,
	&wecom.Kind,
	&email.Kind,
	&gateway.Kind,
}

// Names are those of all kinds.
func Names() []string {
	var names []string
	for _, k := range All {
		names = append(names, k.Name)
	}
	return names
}

// Find returns the kind of a name, nil if there is none.
func Find(name string) *channel.Kind {
	for _, k := range All {
		if k.Name == name {
			return k
		}
	}
	return nil
}
