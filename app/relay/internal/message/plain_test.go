package message

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

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

// TestALongLineIsCutBetweenItsParts: a template of one's own may write more than a chat takes. What is cut off is neither half a
// character nor half a link, and the link to answer by stays.
func TestALongLineIsCutBetweenItsParts(t *testing.T) {
	folder := t.TempDir()
	answer := "https://x.test/answer/0123456789abcdef?e=1700000000&s=abcdefghijklmnop"
	for name, line := range map[string]string{
		"links":   strings.Repeat("[📈 面板 x](https://console.test/d/很长的地址/x)", 2500),
		"escapes": strings.Repeat(`\*报\_`, 2500),
		"lines":   strings.Repeat("- **规则 Rule**: 很长的一行\n", 2500),
	} {
		line = `{{define "digest.line"}}- {{.Name}} ` + line + `{{end}}`
		if err := os.WriteFile(filepath.Join(folder, "own.tmpl"), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		tm, err := Load(folder, noon.Location())
		if err != nil {
			t.Fatal(err)
		}
		for kind, form := range map[string]channel.Form{"dingtalk": dingtalk.Form("markdown"), "card": feishu.Form("card"), "wecom": wecom.Form("markdown"), "wecom text": wecom.Form("text")} {
			c := Context{Keyword: "报警", Keywords: []string{"报警"}, Now: noon, Form: form, Answer: answer}
			parts, _ := tm.Pack(Merge([]Item{{Samples(noon)["firing"], noon}}), c, 10)
			m, err := tm.Digest(parts[0], c)
			if size := form.Size(m); err != nil || size > form.Limit || size < form.Limit*7/10 {
				t.Errorf("%s, %s: %d bytes of %d, %v", name, kind, size, form.Limit, err)
			}
			if !strings.Contains(m.Text, answer) || !strings.Contains(m.Text, "…") || !utf8.ValidString(m.Text) {
				t.Errorf("%s, %s: the link or the mark is missing: %.300s", name, kind, m.Text[max(0, len(m.Text)-300):])
			}
			for l := range strings.SplitSeq(m.Text, "\n") {
				for _, s := range channel.ParseLine(l).Spans {
					if s.URL == "" && (strings.Contains(s.Text, "](") || strings.Contains(s.Text, "[") && !form.Plain) {
						t.Errorf("%s, %s: half a link: %q", name, kind, s.Text)
					}
				}
				if strings.Count(l, "**")%2 != 0 {
					t.Errorf("%s, %s: half a bold text: %s", name, kind, l)
				}
			}
		}
	}
}

// TestACutLeavesNoHalves: at every byte, of text with everything that formats.
func TestACutLeavesNoHalves(t *testing.T) {
	const text = "# 报警\n- **规则 \\* Rule**: [面\\]板](https://x.test/a?b=c) \\[x\\] a\\\\ ** 报 **\n> [🔕](http://y.test/)"
	c := Context{}
	last := ""
	for n := range len(text) + 2 {
		got := c.cut(n, text)
		if len(got) > max(n, 4) && got != text || len(got) < len(last)-60 || n >= len(text) && got != text || !utf8.ValidString(got) {
			t.Errorf("%d: %q", n, got)
		}
		last = got
		for l := range strings.SplitSeq(strings.TrimSuffix(got, "…"), "\n") {
			if strings.Count(strings.ReplaceAll(l, `\*`, ""), "**")%2 != 0 || strings.HasSuffix(strings.ReplaceAll(l, `\\`, ""), `\`) {
				t.Errorf("%d: %q", n, got)
			}
			for _, s := range channel.ParseLine(l).Spans {
				if s.URL == "" && (strings.Contains(s.Text, "](") || strings.Contains(s.Text, "[面") || strings.Contains(s.Text, "[🔕") || strings.HasSuffix(s.Text, "[")) && !strings.Contains(s.Text, "[x") && s.Text != " [" {
					t.Errorf("%d: half a link in %q", n, got)
				}
			}
		}
	}
}
