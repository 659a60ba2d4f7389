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
	// Domain is the chat's own; what runs elsewhere is a mock, whose minutes may be shorter.
	Domain string
	// TokenBehind is what stands before the token in the address that the chat shows.
	TokenBehind string
	Types       []string
	// Calls that are taken in a minute, and Rest after one too many.
	Calls int
	Rest  time.Duration
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
	if u, err := url.Parse(r.URL); err == nil && r.Window.Std() < time.Minute && strings.HasSuffix(u.Hostname(), chat.Domain) {
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
}
