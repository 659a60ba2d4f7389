// Package app sends interactive cards to a group as the robot of a DingTalk app, changes them for everyone, and hears what
// people tap on them by Stream mode: a connection that the relay opens, so that it needs no public address.
package app

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"lookout/app/relay/internal/channel"
)

const (
	// defaultURL is DingTalk's OpenAPI.
	defaultURL = "https://api.dingtalk.com"
	// calls in a minute that the robot of an app may send to a group, as custom robots do.
	calls = 20
	// maxBytes is the most that a card's data may have unless the configuration says otherwise. DingTalk documents no
	// number; a card with as much as this is already several screens long.
	maxBytes = 8000
)

// Kind is that of DingTalk's apps.
var Kind = channel.Kind{
	Name: "app", Section: "apps", Key: "apps", Needs: "client_id_file, client_secret_file, group and template", Alone: true,
	Types: []string{"card"}, Codes: allCodes(), Refusals: refusals(),
	New:    func() channel.Peer { return &App{} },
	Sample: func(string) channel.Peer { return &App{MaxBytes: maxBytes} },
}

// App is the robot of an app in one group.
type App struct {
	// URL of the OpenAPI; DingTalk's by default.
	URL string `yaml:"url"`
	// ClientIDFile and ClientSecretFile hold the app's credentials (once called AppKey and AppSecret).
	ClientIDFile     string `yaml:"client_id_file"`
	ClientSecretFile string `yaml:"client_secret_file"`
	// Group is the openConversationId of the group that cards are sent to.
	Group string `yaml:"group"`
	// Template is the number of the card's template, with .schema at its end.
	Template string `yaml:"template"`
	// RobotCode of the app's robot; the client ID by default.
	RobotCode string `yaml:"robot_code"`
	// People are names by user ID: who taps is told to the chat.
	People map[string]string `yaml:"people"`
	// Limit of cards in Window, at most 20 in a minute.
	Limit  int              `yaml:"limit"`
	Window channel.Duration `yaml:"window"`
	// Block is how long to leave the app alone after "too many".
	Block   channel.Duration `yaml:"block"`
	Timeout channel.Duration `yaml:"timeout"`
	// MaxBytes of a card's data.
	MaxBytes int `yaml:"max_bytes"`

	ClientID     string `yaml:"-"`
	ClientSecret string `yaml:"-"`
}

// Check implements [channel.Peer].
func (a *App) Check(c channel.Checker) {
	a.URL = strings.TrimSuffix(cmp.Or(a.URL, defaultURL), "/")
	c.Address("url", a.URL)
	u, err := url.Parse(a.URL)
	if err == nil {
		host := strings.ToLower(u.Hostname())
		own := host == "dingtalk.com" || strings.HasSuffix(host, ".dingtalk.com")
		if own && u.Scheme == "http" {
			c.Fail("url", "would send the secret in clear: write https")
		}
		if own && host != "api.dingtalk.com" {
			c.Fail("url", "is not that of DingTalk's OpenAPI: leave it out, or write %s", defaultURL)
		}
		if u.RawQuery != "" || u.Fragment != "" || u.Path != "" {
			c.Fail("url", "has a path, a query or a fragment: it should end with the host, since paths are put behind it")
		}
		if own && a.Window != 0 && a.Window.Std() < time.Minute {
			c.Fail("", "window %s is shorter than DingTalk's minute; shorter ones are for tests against a mock", a.Window.Std())
		}
	}
	if a.ClientIDFile == "" {
		c.Fail("", "client_id_file is missing: it holds the app's Client ID (AppKey)")
	}
	if a.ClientSecretFile == "" {
		c.Fail("", "client_secret_file is missing: it holds the app's Client Secret (AppSecret)")
	}
	a.ClientID = c.Secret("client_id_file", a.ClientIDFile)
	a.ClientSecret = c.Secret("client_secret_file", a.ClientSecretFile)
	for field, s := range map[string]string{"client_id_file": a.ClientID, "client_secret_file": a.ClientSecret} {
		if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
			c.Fail(field, "holds characters that a credential does not have")
		}
	}
	if a.ClientID != "" && a.ClientID == a.ClientSecret {
		c.Fail("client_secret_file", "holds the Client ID: the Client Secret is another line of the same page")
	}
	if !strings.HasPrefix(a.Group, "cid") {
		c.Fail("", "group %q is not an openConversationId: it begins with cid, docs/configuration.md says how to find it", a.Group)
	}
	if !strings.HasSuffix(a.Template, ".schema") {
		c.Fail("", "template %q is not the number of a card template: it ends with .schema", a.Template)
	}
	a.RobotCode = cmp.Or(a.RobotCode, a.ClientID)
	a.Limit = cmp.Or(a.Limit, calls)
	if a.Limit < 1 || a.Limit > calls {
		c.Fail("", "limit %d is not between 1 and %d in a minute", a.Limit, calls)
	}
	a.MaxBytes = cmp.Or(a.MaxBytes, maxBytes)
	if a.MaxBytes < 1000 || a.MaxBytes > 100_000 {
		c.Fail("", "max_bytes %d is not between 1000 and 100000", a.MaxBytes)
	}
	a.Window.Or(time.Minute)
	a.Block.Or(time.Minute)
	a.Timeout.Or(10 * time.Second)
	for id, name := range a.People {
		if strings.TrimSpace(name) == "" {
			c.Fail("", "people: %q has no name", id)
		}
	}
}

// Traits implements [channel.Peer].
func (a *App) Traits() channel.Traits {
	return channel.Traits{
		Form: a.form(), Limits: []channel.Limit{{Calls: a.Limit, Length: a.Window.Std()}}, Rest: a.Block.Std(), Timeout: a.Timeout.Std(),
		// The same app in two groups are two ways to people.
		Address: a.URL + "#" + a.Group, Token: a.ClientSecret,
	}
}

func (a *App) form() channel.Form {
	return channel.Form{
		Type: "card", Limit: a.MaxBytes, Buttons: true,
		Size: func(c channel.Content) int {
			return len(channel.JSON(params(c, everyButton, channel.Card{Open: true})))
		},
		Line: func(s string) int { return channel.Escaped(s) + len(`\n`) },
		Body: func(c channel.Content, id string) []byte {
			shown := *a
			if a.RobotCode == a.ClientID {
				// What is shown of a message holds no secret.
				shown.RobotCode = "(Client ID)"
			}
			return shown.body(c, id, everyButton)
		},
		Who: func(m channel.Mention) channel.Mention { return channel.Mention{UserIDs: m.UserIDs, All: m.All} },
	}
}

var everyButton = []string{channel.Take, channel.Silence, channel.Extend}

// params are the variables of the card's template. All of them are texts.
func params(c channel.Content, buttons []string, card channel.Card) map[string]string {
	return map[string]string{
		"title": c.Title, "text": c.Text, "level": cmp.Or(c.Level, "info"), "link": c.Link, "status": card.Status,
		"open": strconv.FormatBool(card.Open && len(buttons) > 0), "can_silence": strconv.FormatBool(slices.Contains(buttons, channel.Silence)),
	}
}

// body is what createAndDeliver is given.
func (a *App) body(c channel.Content, id string, buttons []string) []byte {
	deliver := map[string]any{"robotCode": a.RobotCode}
	at := map[string]string{}
	for _, id := range c.UserIDs {
		at[id] = cmp.Or(a.People[id], id)
	}
	if c.All {
		at["@ALL"] = "@ALL"
	}
	if len(at) > 0 {
		deliver["atUserIds"] = at
	}
	return channel.JSON(map[string]any{
		"cardTemplateId": a.Template, "outTrackId": id, "callbackType": "STREAM", "userIdType": 1,
		"cardData":                map[string]any{"cardParamMap": params(c, buttons, channel.Card{Open: true})},
		"openSpaceId":             "dtv1.card//IM_GROUP." + a.Group,
		"imGroupOpenSpaceModel":   map[string]any{"supportForward": true, "lastMessageI18n": map[string]string{"ZH_CN": c.Title}},
		"imGroupOpenDeliverModel": deliver,
	})
}

// sender is the app's robot at work.
type sender struct {
	app    *App
	env    channel.Environment
	client *http.Client

	mu      sync.Mutex
	token   string
	renewAt time.Time
}

// Sender implements [channel.Peer].
func (a *App) Sender(env channel.Environment) channel.Sender {
	return &sender{app: a, env: env, client: channel.HTTPClient(a.Timeout.Std(), env.Transport)}
}

// Send implements [channel.Sender]. Where an earlier try may have been shown, the card is changed instead: that works only if
// it is there, and then nothing is shown twice.
func (s *sender) Send(ctx context.Context, m channel.Message) channel.Answer {
	if m.Repeated {
		data := map[string]any{"cardParamMap": params(m.Content, m.Buttons, channel.Card{Open: true})}
		switch a := s.update(ctx, m.ID, data); a.Outcome {
		case channel.Delivered:
			a.Note = "the card was there already"
			return a
		case channel.Retry, channel.Throttled:
			// Still not known.
			if !a.Unknown {
				a.Ambiguous = true
				return a
			}
		}
	}
	return s.call(ctx, http.MethodPost, "/v1.0/card/instances/createAndDeliver", s.app.body(m.Content, m.ID, m.Buttons), true)
}

// Update implements [channel.Cards].
func (s *sender) Update(ctx context.Context, id string, card channel.Card) channel.Answer {
	return s.update(ctx, id, map[string]any{"cardParamMap": map[string]string{"status": card.Status, "open": strconv.FormatBool(card.Open)}})
}

// update changes the variables that are given and leaves the others.
func (s *sender) update(ctx context.Context, id string, data map[string]any) channel.Answer {
	return s.call(ctx, http.MethodPut, "/v1.0/card/instances", channel.JSON(map[string]any{
		"outTrackId": id, "userIdType": 1, "cardData": data, "cardUpdateOptions": map[string]bool{"updateCardDataByKey": true},
	}), false)
}
