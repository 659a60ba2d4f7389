package channel

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Robot is what the robots of all chats are configured by. Their kinds embed it.
type Robot struct {
	// URL without the token; the chat's own by default.
	URL       string `yaml:"url"`
	TokenFile string `yaml:"token_file"`
	// Type of message.
	Type string `yaml:"type"`
	// Limit of messages in Window, at most what the chat allows. Lower it when others send to the same robot.
	Limit  int      `yaml:"limit"`
	Window Duration `yaml:"window"`
	// Block is how long to leave a robot alone that says it got too many.
	Block   Duration `yaml:"block"`
	Timeout Duration `yaml:"timeout"`

	Name  string `yaml:"-"`
	Token string `yaml:"-"`
}

// Chat is what is true of all robots of one chat.
type Chat struct {
	Name, URL string
	// TokenBehind is what stands before the token in the address that the chat shows.
	TokenBehind string
	Types       []string
	// Calls that are taken in a minute, and Rest after one too many.
	Calls int
	Rest  time.Duration
}

// owners are the chats' own domains, with the section of the configuration that their robots belong to. What runs elsewhere is a
// proxy, or a mock, whose minutes may be shorter.
var owners = []struct{ domain, name, section string }{
	{"dingtalk.com", "DingTalk", "robots"}, {"feishu.cn", "Feishu", "feishu"}, {"larksuite.com", "Feishu", "feishu"}, {"weixin.qq.com", "WeCom", "wecom"},
}

// address checks a robot's address, and tells whether it is the chat's own.
func (chat Chat) address(c Checker, address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	if strings.HasSuffix(chat.TokenBehind, "/") && (u.RawQuery != "" || u.Fragment != "") {
		c.Fail("url", "holds a query or a fragment: leave what begins with ? or # out, since the token is put behind it")
	}
	host := strings.ToLower(u.Hostname())
	for _, o := range owners {
		if host != o.domain && !strings.HasSuffix(host, "."+o.domain) {
			continue
		}
		if o.name != chat.Name {
			c.Fail("url", "is %s's: robots of %s belong below %s", o.name, o.name, o.section)
			return false
		}
		if u.Scheme == "http" {
			c.Fail("url", "would send the token in clear: write https")
		}
		own, _ := url.Parse(chat.URL)
		if path := strings.TrimSuffix(u.Path, "/"); path != own.Path && !strings.Contains(address, chat.TokenBehind) {
			c.Fail("url", "has another path than %s's %s", chat.Name, own.Path)
		}
		return true
	}
	return false
}

// wrongToken tells whether s holds what is not part of any token, or would be read as something else at its place.
func (chat Chat) wrongToken(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) ||
		strings.HasSuffix(chat.TokenBehind, "/") && strings.ContainsAny(s, "/?#%")
}

// Check completes the common part.
func (r *Robot) Check(c Checker, chat Chat) {
	r.Name = c.Name()
	r.URL = cmp.Or(r.URL, chat.URL)
	c.Address("url", r.URL)
	if _, token, ok := strings.Cut(r.URL, chat.TokenBehind); ok && token != "" {
		c.Fail("url", "holds the token (%s): put it into the token_file, where no one reads it by chance", strings.Trim(chat.TokenBehind, "/="))
	}
	if r.TokenFile == "" {
		c.Fail("", "token_file is missing")
	}
	r.Token = c.Secret("token_file", r.TokenFile)
	if strings.Contains(r.Token, "://") || strings.Contains(r.Token, chat.TokenBehind) {
		c.Fail("token_file", "holds a whole address: it should hold only what stands after %s", chat.TokenBehind)
	} else if chat.wrongToken(r.Token) {
		c.Fail("token_file", "holds characters that a token does not have: it should hold only what stands after %s", chat.TokenBehind)
	}
	r.Type = cmp.Or(r.Type, chat.Types[0])
	if !slices.Contains(chat.Types, r.Type) {
		c.Fail("", "type %q is none of %s", r.Type, strings.Join(chat.Types, ", "))
	}
	r.Limit = cmp.Or(r.Limit, chat.Calls)
	if r.Limit < 1 || r.Limit > chat.Calls {
		c.Fail("", "limit %d is not between 1 and %d, which is what %s allows in a minute", r.Limit, chat.Calls, chat.Name)
	}
	r.Window.Or(time.Minute)
	r.Block.Or(chat.Rest)
	r.Timeout.Or(10 * time.Second)
	if chat.address(c, r.URL) && r.Window.Std() < time.Minute {
		c.Fail("", "window %s is shorter than %s's minute; shorter ones are for tests against a mock", r.Window.Std(), chat.Name)
	}
}

// Traits are those of the common part.
func (r *Robot) Traits(f Form) Traits {
	return Traits{
		Form: f, Limits: []Limit{{r.Limit, r.Window.Std()}}, Rest: r.Block.Std(), Timeout: r.Timeout.Std(),
		Address: r.URL, Token: r.Token,
	}
}

// CheckKeywords bounds the keywords that a robot is secured by: both DingTalk and Feishu take ten.
func CheckKeywords(c Checker, keywords []Word) {
	if len(keywords) > 10 {
		c.Fail("", "%d keywords, a robot can have 10", len(keywords))
	}
	for i, k := range keywords {
		if slices.Contains(keywords[:i], k) {
			c.Fail("", "the keyword %q stands there twice", k)
		}
	}
}
