// Package gateway sends by any gateway that takes a POST, for SMS or telephone.
package gateway

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"lookout/app/relay/internal/channel"
)

// Kind is that of gateways.
var Kind = channel.Kind{
	Name: "webhook", Section: "webhooks", Key: "webhook", Needs: "url or url_file", Types: []string{"markdown"},
	New:    func() channel.Peer { return &Webhook{} },
	Sample: func(string) channel.Peer { return &Webhook{} },
}

// Webhook is a gateway.
type Webhook struct {
	// URL, or URLFile where the address itself is a secret.
	URL     string            `yaml:"url"`
	URLFile string            `yaml:"url_file"`
	Headers map[string]string `yaml:"headers"`
	// HeaderFiles are headers whose value is a secret.
	HeaderFiles map[string]string `yaml:"header_files"`
	// Success says which answers mean that it was taken, Preset names those of a known gateway.
	Success Success `yaml:"success"`
	Preset  string  `yaml:"preset"`
	// Template renders the body; "webhook" by default.
	Template    string           `yaml:"template"`
	ContentType string           `yaml:"content_type"`
	Timeout     channel.Duration `yaml:"timeout"`

	Address string            `yaml:"-"`
	Header  map[string]string `yaml:"-"`
}

// Success is how a gateway's answer is read. Without a path an answer is refused whose errcode, code, Code or
// status is other than 0, 200, OK or success, or that says false for one of them, for success or for ok.
type Success struct {
	// Path to a value in the answer's JSON, such as Response.SendStatusSet.*.Code.
	Path string `yaml:"path"`
	// Values that mean success.
	Values []string `yaml:"values"`
	// Throttled are beginnings of values that mean: too many, try again later.
	Throttled []string `yaml:"throttled"`

	// errorPath is where the gateway says why, in answers that have nothing at Path.
	errorPath string
}

// presets are the answers of gateways: Aliyun's SendSms
// (https://help.aliyun.com/zh/sms/developer-reference/api-dysmsapi-2017-05-25-sendsms) and SingleCallByTts
// (https://help.aliyun.com/zh/vms/developer-reference/api-dyvmsapi-2017-05-25-singlecallbytts), Tencent's SendSms
// (https://cloud.tencent.com/document/product/382/55981).
var presets = map[string]Success{
	"aliyun-sms":   {Path: "Code", Values: []string{"OK"}, Throttled: []string{"isv.BUSINESS_LIMIT_CONTROL", "Throttling"}},
	"aliyun-voice": {Path: "Code", Values: []string{"OK"}, Throttled: []string{"isv.BUSINESS_LIMIT_CONTROL", "Throttling"}},
	"tencent-sms":  {Path: "Response.SendStatusSet.*.Code", Values: []string{"Ok"}, Throttled: []string{"LimitExceeded", "RequestLimitExceeded"}, errorPath: "Response.Error.Code"},
}

// Check implements [channel.Peer].
func (w *Webhook) Check(c channel.Checker) {
	if (w.URL == "") == (w.URLFile == "") {
		c.Fail("", "exactly one of url and url_file")
	}
	w.Address = w.URL
	if w.URLFile != "" {
		w.Address = c.Secret("url_file", w.URLFile)
	}
	if w.Address != "" {
		c.Address("url", w.Address)
	}
	for _, h := range slices.Sorted(maps.Keys(w.Headers)) {
		switch lower := strings.ToLower(h); {
		case !httpguts.ValidHeaderFieldName(h) || !httpguts.ValidHeaderFieldValue(w.Headers[h]):
			c.Fail("headers", "%q is not a header that can be sent", h)
		case lower == "content-type":
			c.Fail("headers", "write content_type for Content-Type")
		case lower == "authorization" || lower == "cookie" || strings.Contains(lower, "api-key") || strings.Contains(lower, "token") || strings.Contains(lower, "secret"):
			c.Fail("headers", "the value of %s is a secret: put it into a file, named in header_files", h)
		}
	}
	w.Header = maps.Clone(w.Headers)
	if w.Header == nil {
		w.Header = map[string]string{}
	}
	for _, h := range slices.Sorted(maps.Keys(w.HeaderFiles)) {
		if !httpguts.ValidHeaderFieldName(h) {
			c.Fail("header_files", "%q is not the name of a header", h)
		}
		if _, twice := w.Headers[h]; twice {
			c.Fail("header_files", "%s stands in headers as well", h)
		}
		w.Header[h] = c.Secret("header_files."+h, w.HeaderFiles[h])
	}
	if w.Preset != "" {
		preset, ok := presets[w.Preset]
		if !ok {
			c.Fail("", "preset %q is not known: use one of %s", w.Preset, strings.Join(slices.Sorted(maps.Keys(presets)), ", "))
		}
		if w.Success.Path != "" || len(w.Success.Values)+len(w.Success.Throttled) > 0 {
			c.Fail("", "success and preset exclude each other")
		}
		w.Success = preset
	}
	if (w.Success.Path == "") != (len(w.Success.Values) == 0) {
		c.Fail("", "success needs both path and values")
	}
	if w.Success.Path != "" && slices.Contains(strings.Split(w.Success.Path, "."), "") {
		c.Fail("success.path", "%q has an empty part: write it like data.*.code", w.Success.Path)
	}
	if w.ContentType != "" {
		if _, _, err := mime.ParseMediaType(w.ContentType); err != nil {
			c.Fail("", "content_type %q is not one", w.ContentType)
		}
	}
	w.Template = cmp.Or(w.Template, "webhook")
	if !c.HasTemplate(w.Template) {
		c.Fail("", "there is no template %q", w.Template)
	}
	w.ContentType = cmp.Or(w.ContentType, "application/json; charset=utf-8")
	w.Timeout.Or(10 * time.Second)
}

// Traits implements [channel.Peer].
func (w *Webhook) Traits() channel.Traits {
	return channel.Traits{Form: form, Rest: time.Minute, Timeout: w.Timeout.Std(), Template: w.Template}
}

var form = channel.Form{
	Type: "markdown", Limit: 256 << 10,
	Size: func(c channel.Content) int { return len(c.Title) + channel.Escaped(c.Text) },
	Line: func(s string) int { return channel.Escaped(s) + len(`\n`) },
	Body: func(c channel.Content, id string) []byte {
		return channel.JSON(map[string]string{"title": c.Title, "text": c.Text, "id": id})
	},
}

type sender struct {
	webhook *Webhook
	env     channel.Environment
	client  *http.Client
}

// Sender implements [channel.Peer].
func (w *Webhook) Sender(env channel.Environment) channel.Sender {
	return &sender{w, env, channel.HTTPClient(w.Timeout.Std(), env.Transport)}
}

// Send implements [channel.Sender].
func (s *sender) Send(ctx context.Context, m channel.Message) channel.Answer {
	w := s.webhook
	body, err := s.env.Render(w.Template, m)
	if body == "" {
		return channel.Unusable(fmt.Sprintf("template %q fails: %v", w.Template, err))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.Address, strings.NewReader(body))
	if err != nil {
		return channel.Unusable("the webhook's address cannot be used")
	}
	req.Header.Set("Content-Type", w.ContentType)
	req.Header.Set("Idempotency-Key", m.ID)
	for k, v := range w.Header {
		req.Header.Set(k, v)
	}
	return channel.Do(s.client, req, func(r channel.Response) channel.Answer { return read(w.Success, r, s.env.Redact) }, s.env.Redact)
}
