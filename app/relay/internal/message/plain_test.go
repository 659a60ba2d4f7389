package message

import (
	"strings"
	"testing"

	"lookout/app/relay/internal/channel"
	"lookout/app/relay/internal/channel/dingtalk"
	"lookout/app/relay/internal/channel/feishu"
	"lookout/app/relay/internal/channel/wecom"
	"lookout/app/relay/internal/notification"
)

// TestADigestAsPlainText shows no markup where the chat would show it as it is written: bold, escapes, links, headings.
func TestADigestAsPlainText(t *testing.T) {
	tm, err := Load("", noon.Location())
	if err != nil {
		t.Fatal(err)
	}
	for name, form := range map[string]channel.Form{"dingtalk": dingtalk.Form("text"), "link": dingtalk.Form("link"), "feishu": feishu.Form("text"), "wecom": wecom.Form("text")} {
		for sample, n := range Samples(noon) {
			n.Alerts = append([]notification.Alert{}, n.Alerts...)
			n.Alerts[0].Labels = map[string]string{"alertname": "A_b*c", "path": "[x](y)"}
			c := Context{Keyword: "报警", Keywords: []string{"报警"}, Now: noon, Form: form, Answer: "https://x.test/answer/1?e=2&s=3"}
			parts, err := tm.Pack(Merge([]Item{{n, noon}}), c, 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range parts {
				m, err := tm.Digest(p, c)
				if err != nil || form.Size(m) > form.Limit {
					t.Errorf("%s, %s: %d bytes, %v", name, sample, form.Size(m), err)
				}
				for _, raw := range []string{"**", `\`, "](", "### ", "\n> ", "\n- "} {
					if strings.Contains(m.Text, raw) {
						t.Errorf("%s, %s shows %q:\n%s", name, sample, raw, m.Text)
						break
					}
				}
			}
		}
	}
}
