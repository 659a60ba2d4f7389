package delivery

import (
	"fmt"
	"html"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lookout/app/relay/internal/message"
	"lookout/app/robot/robot"
)

// otherChats are a Feishu and a WeCom robot as strict as the real ones.
func otherChats(t *testing.T) *robot.Server {
	t.Helper()
	s, err := robot.New(robot.Config{Now: time.Now, Keep: 10_000, Logger: slog.New(slog.DiscardHandler), Robots: []robot.Robot{
		{Chat: robot.Feishu, AccessToken: "token-a", Name: "feishu", Keywords: []string{"Lookout"}, Secret: "token-c"},
		{Chat: robot.WeCom, AccessToken: "token-b", Name: "wecom"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

const feishuAndWeCom = `
retry: {initial: 1s, max: 5s}
feishu: {ops: {url: "http://robot.test/open-apis/bot/v2/hook", token_file: a, secret_file: c, keywords: [Lookout]%s}}
wecom: {duty: {url: "http://robot.test/cgi-bin/webhook/send", token_file: b%s}}
targets:
  feishu: {channels: [{feishu: ops}], mentions: [{match: {severity: critical}, ids: {feishu: [ou_1], wecom: [zhangsan]}, mobiles: ["13800000000"]}]}
  wecom: {channels: [{wecom: [duty]}], mentions: [{match: {severity: critical}, ids: {wecom: [zhangsan]}, mobiles: ["13800000000"]}]}
`

// TestOtherChatsTakeWhatIsSent: every form of message, single and in a storm, with names that format and people that are
// called, is taken by mocks that refuse whatever the documentation does; every alert is in one, and no limit is met.
func TestOtherChatsTakeWhatIsSent(t *testing.T) {
	for _, types := range [][2]string{{"", ""}, {", type: post", ", type: text"}, {", type: text", ", type: markdown"}} {
		t.Run(fmt.Sprint(types), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chats := otherChats(t)
				g := newRig(t, fmt.Sprintf(feishuAndWeCom, types[0], types[1]), handler(chats.Handler()))
				const all = 300
				for _, target := range []string{"feishu", "wecom"} {
					g.accept(target, alert("firing", "First*_`[x](y)<at id=all></at><@all>", "instance", "first host", "severity", "critical"))
				}
				time.Sleep(20 * time.Second)
				for i := range all {
					for _, target := range []string{"feishu", "wecom"} {
						g.accept(target, alert([]string{"firing", "resolved"}[i%7/6], fmt.Sprint("Rule", i%5), "instance", fmt.Sprintf("host%04d", i), "path", strings.Repeat("/data", i%9)))
					}
					time.Sleep(40 * time.Millisecond)
				}
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				shown, refused := chat(t, chats)
				if len(refused) > 0 {
					t.Fatalf("%d messages were refused, the first by %s: %d %s\n%s", len(refused), refused[0].Robot, refused[0].ErrCode, refused[0].ErrMsg, refused[0].Payload)
				}
				text := map[string]string{}
				count := map[string]int{}
				for _, m := range shown {
					text[m.Robot] += m.Title + "\n" + m.Text + "\n"
					count[m.Robot]++
				}
				for _, name := range []string{"feishu", "wecom"} {
					missing := 0
					for i := range all {
						if !strings.Contains(text[name], fmt.Sprintf("host%04d", i)) {
							missing++
						}
					}
					// What does not fit into ten messages is counted by name.
					if missing > 0 && !strings.Contains(text[name], "未列出") {
						t.Errorf("%s: %d of %d alerts are neither named nor counted", name, missing, all)
					}
				}
				first := map[string]robot.Message{}
				for _, m := range shown {
					if _, ok := first[m.Robot]; !ok {
						first[m.Robot] = m
					}
				}
				if at := first["feishu"].At; len(at.UserIDs) != 1 || at.UserIDs[0] != "ou_1" || at.All {
					t.Errorf("Feishu calls %+v", at)
				}
				if at := first["wecom"].At; len(at.UserIDs) != 1 || at.UserIDs[0] != "zhangsan" || at.All || (len(at.Mobiles) == 1) != strings.Contains(types[1], "text") {
					t.Errorf("WeCom calls %+v", at)
				}
				t.Logf("%v messages", count)
			})
		})
	}
}

// TestOtherChatsRefusals: what a mock of the chat refuses goes to the next channel, which is told why.
func TestOtherChatsRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		file, content, says string
	}{
		"wrong secret": {"c", "another", "check the signing secret and the clock"},
		"wrong token":  {"a", "another", "the token does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chats := otherChats(t)
				g := newRig(t, oneRobot, handler(chats.Handler()))
				g.write(c.file, c.content)
				g.write("relay.yaml", strings.Replace(fmt.Sprintf(feishuAndWeCom, "", ""), "feishu: {channels: [{feishu: ops}]", "feishu: {channels: [{feishu: ops}, {wecom: duty}]", 1))
				g.engine.Apply(g.load())
				time.Sleep(time.Second)
				g.accept("feishu", alert("firing", "Disk", "severity", "critical"))
				time.Sleep(10 * time.Second)
				synctest.Wait()
				shown, refused := chat(t, chats)
				if len(refused) != 1 || len(shown) != 1 || shown[0].Robot != "wecom" || !strings.Contains(shown[0].Text, c.says) {
					t.Errorf("refused %+v\nshown %+v", refused, shown)
				}
				if got := g.metric("relay_channel_blocked", `channel="feishu:ops"`); got != 0 {
					t.Errorf("the bot is left alone: %v", got)
				}
			})
		})
	}
}

// TestFeishusTwoWindows: two targets share a bot, and neither five in a second nor a hundred in a minute are passed, over
// restarts too. The mock refuses the sixth and the 101st.
func TestFeishusTwoWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chats := otherChats(t)
		conf := fmt.Sprintf(feishuAndWeCom, "", "")
		for i := range 8 {
			conf += fmt.Sprintf("  t%d: {channels: [{feishu: ops}], digest: {pause: 1ms, above: 1000, settle: 1ms}}\n", i)
		}
		g := newRig(t, conf, handler(chats.Handler()))
		for i := range 60 {
			for n := range 8 {
				g.accept(fmt.Sprint("t", n), alert("firing", fmt.Sprint("A", i), "instance", fmt.Sprint(n)))
			}
			if i%20 == 19 {
				g.end()
				g.start()
			}
			time.Sleep(700 * time.Millisecond)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		shown, refused := chat(t, chats)
		if len(refused) > 0 {
			t.Fatalf("%d messages were refused: %d %s", len(refused), refused[0].ErrCode, refused[0].ErrMsg)
		}
		if len(shown) < 60 {
			t.Fatalf("only %d messages: the limits were not reached", len(shown))
		}
		t.Logf("%d messages", len(shown))
	})
}

// TestARepetitionThatAChatCannotTell says that it may be one.
func TestARepetitionThatAChatCannotTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chats := otherChats(t)
		lost := false
		g := newRig(t, fmt.Sprintf(feishuAndWeCom, "", ""), side(func(r *http.Request, body []byte) (*http.Response, error) {
			resp, err := handler(chats.Handler())(r, body)
			if !lost {
				lost = true
				return answer(502, ""), nil
			}
			return resp, err
		}))
		g.accept("wecom", alert("firing", "Disk"))
		time.Sleep(time.Minute)
		synctest.Wait()
		shown, _ := chat(t, chats)
		if len(shown) != 2 || strings.Contains(shown[0].Text, "可能重复") || !strings.Contains(shown[1].Text, "可能重复") {
			t.Errorf("%+v", shown)
		}
	})
}

var (
	tags = regexp.MustCompile(`<[^>]*>`)
	// What the page shows of a message, without the raw body below it.
	bubbles = regexp.MustCompile(`(?s)<div class="(?:markdown|plain)">(.*?)</div>\s*(?:<div class="buttons|</div>)`)
)

// TestWhatPeopleSeeInOtherChats shows every kind of message on the mock's page: nothing of the markup shows, and names that look
// like markup are shown as they are written.
func TestWhatPeopleSeeInOtherChats(t *testing.T) {
	for name, n := range message.Samples(time.Now()) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chats := otherChats(t)
				g := newRig(t, fmt.Sprintf(feishuAndWeCom, "", ""), handler(chats.Handler()))
				n.Alerts = slices.Clone(n.Alerts)
				n.Alerts[0].Labels = maps.Clone(n.Alerts[0].Labels)
				n.Alerts[0].Labels["path"] = "*a* __b__ [c](d) ~e~ # f"
				for _, target := range []string{"feishu", "wecom"} {
					g.accept(target, n)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				shown, refused := chat(t, chats)
				if len(shown) < 2 || len(refused) > 0 {
					t.Fatalf("%d messages, %d refused: %+v", len(shown), len(refused), refused)
				}
				w := httptest.NewRecorder()
				chats.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/?lang=zh", nil))
				found := bubbles.FindAllStringSubmatch(w.Body.String(), -1)
				if len(found) != len(shown) {
					t.Fatalf("%d of %d messages were found on the page", len(found), len(shown))
				}
				all := ""
				for _, m := range found {
					text := html.UnescapeString(tags.ReplaceAllString(m[1], ""))
					for _, raw := range []string{"**", "](", `\*`, `\_`, `\[`, "&#", "### "} {
						if strings.Contains(text, raw) {
							t.Errorf("%q shows in\n%s", raw, text)
						}
					}
					all += text
				}
				if want := "path=*a* __b__ [c] (d) ~e~ # f"; strings.Count(strings.ReplaceAll(all, "\u200b", ""), want) < 2 && name != "errors" && name != "error" && name != "nodata" {
					t.Errorf("%q is not shown as it is written, twice:\n%s", want, all)
				}
			})
		})
	}
}
