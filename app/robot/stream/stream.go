// Package stream is a mock of DingTalk's OpenAPI for interactive cards and of the gateway of Stream mode. It keeps the documented
// rules, refuses what they don't allow, and shows what a group would see.
package stream

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config is all that a Server depends on. Zero values take the defaults named here.
type Config struct {
	ClientID, ClientSecret string
	// Groups are the openConversationIds that the app's robot is a member of; any that begins with cid if there is none.
	Groups []string
	// TokenLasts is how long an access token is good for; 2 hours.
	TokenLasts time.Duration
	// PerSecond calls of one address are taken; 20.
	PerSecond int
	// Redeliver is how long a push waits for its acknowledgement before it is pushed again; 0 for never.
	Redeliver time.Duration
	// Keep is how many cards are kept; 1,000.
	Keep int
	// Acked is told about each tap that was acknowledged with 200.
	Acked func(Tap)
}

// Card is one in a group.
type Card struct {
	ID       string            `json:"outTrackId"`
	Group    string            `json:"group"`
	Template string            `json:"template"`
	Params   map[string]string `json:"params"`
	At       map[string]string `json:"at,omitempty"`
	Updates  int               `json:"updates"`
	Time     time.Time         `json:"time"`
}

// Tap is what someone tapped, and how it was delivered.
type Tap struct {
	MessageID string         `json:"messageId"`
	Card      string         `json:"outTrackId"`
	User      string         `json:"user"`
	Params    map[string]any `json:"params"`
	Time      time.Time      `json:"time"`
	Pushes    int            `json:"pushes"`
	// Acked is when it was acknowledged with 200, Code what the last acknowledgement said.
	Acked time.Time `json:"acked,omitzero"`
	Code  int       `json:"code,omitempty"`
}

// Server is the mock.
type Server struct {
	cfg     Config
	gateway gateway

	mu      sync.Mutex
	tokens  map[string]time.Time
	tickets map[string]time.Time
	calls   map[string][]time.Time
	cards   map[string]*Card
	order   []string
	refused []string
}

// New makes a mock.
func New(cfg Config) (*Server, error) {
	if cfg.ClientID == "" || cfg.ClientSecret == "" {
		return nil, fmt.Errorf("the app has no client ID or no client secret")
	}
	if cfg.TokenLasts == 0 {
		cfg.TokenLasts = 2 * time.Hour
	}
	if cfg.PerSecond == 0 {
		cfg.PerSecond = 20
	}
	if cfg.Keep == 0 {
		cfg.Keep = 1000
	}
	s := &Server{cfg: cfg, tokens: map[string]time.Time{}, tickets: map[string]time.Time{}, calls: map[string][]time.Time{}, cards: map[string]*Card{}}
	s.gateway.server, s.gateway.taps = s, map[string]*pushed{}
	return s, nil
}

// Handler serves the OpenAPI and the gateway.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1.0/oauth2/accessToken", s.accessToken)
	mux.HandleFunc("POST /v1.0/card/instances/createAndDeliver", s.withToken(s.create))
	mux.HandleFunc("PUT /v1.0/card/instances", s.withToken(s.update))
	mux.HandleFunc("POST /v1.0/gateway/connections/open", s.open)
	mux.HandleFunc("GET /connect", s.connect)
	mux.HandleFunc("GET /api/cards", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"cards": s.Cards(), "taps": s.Taps(), "refused": s.Refused()})
	})
	mux.HandleFunc("POST /api/cards/{id}/tap", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			User   string         `json:"user"`
			Params map[string]any `json:"params"`
		}
		if err := json.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(&in); err != nil {
			s.refuse(w, 400, "param.invalid", "the body is not JSON")
			return
		}
		id, err := s.Tap(r.PathValue("id"), in.User, in.Params)
		if err != nil {
			s.refuse(w, 404, "param.invalid", err.Error())
			return
		}
		reply(w, map[string]string{"messageId": id})
	})
	return mux
}

// maxBody bounds what is read of a call.
const maxBody = 1 << 20

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	_ = json.NewEncoder(w).Encode(v)
}

// refuse answers as the OpenAPI does. What was refused is kept, for tests.
func (s *Server) refuse(w http.ResponseWriter, status int, code, message string) {
	s.mu.Lock()
	s.refused = append(s.refused, code+": "+message)
	s.refused = s.refused[max(0, len(s.refused)-1000):]
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"code": code, "message": message, "requestid": random()})
}

func random() string {
	b := make([]byte, 16)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// decode reads a body that holds nothing that the documentation does not know.
func decode(r *http.Request, into any) error {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return fmt.Errorf("Content-Type is not application/json")
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

func (s *Server) accessToken(w http.ResponseWriter, r *http.Request) {
	var in struct {
		AppKey    string `json:"appKey"`
		AppSecret string `json:"appSecret"`
	}
	if err := decode(r, &in); err != nil {
		s.refuse(w, 400, "param.invalid", err.Error())
		return
	}
	if in.AppKey != s.cfg.ClientID || in.AppSecret != s.cfg.ClientSecret {
		s.refuse(w, 400, "invalidClientIdOrSecret", "无效的clientId或者clientSecret")
		return
	}
	token := random()
	s.mu.Lock()
	s.tokens[token] = time.Now().Add(s.cfg.TokenLasts)
	s.mu.Unlock()
	reply(w, map[string]any{"accessToken": token, "expireIn": int(s.cfg.TokenLasts.Seconds())})
}

// EndTokens makes every access token invalid, as changing the app's secret does.
func (s *Server) EndTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// withToken lets calls with a valid token pass, and no more of them in a second than an app may make.
func (s *Server) withToken(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		now := time.Now()
		what := r.Method + " " + r.URL.Path
		s.mu.Lock()
		until, known := s.tokens[r.Header.Get("x-acs-dingtalk-access-token")]
		s.calls[what] = append(slices.DeleteFunc(s.calls[what], func(at time.Time) bool { return now.Sub(at) >= time.Second }), now)
		many := len(s.calls[what]) > s.cfg.PerSecond
		s.mu.Unlock()
		switch {
		case !known || now.After(until):
			s.refuse(w, 400, "InvalidAuthentication", "不合法的access_token")
		case many:
			s.refuse(w, 403, "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", "触发了应用维度的QPS限流")
		default:
			next(w, r)
		}
	}
}

type cardData struct {
	Params map[string]string `json:"cardParamMap"`
}

var spaceID = regexp.MustCompile(`^dtv1\.card//IM_GROUP\.(cid\S+)$`)

// trackID is what an outTrackId may consist of here; the documentation says no more than that it is the caller's own.
var trackID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		UserID       string   `json:"userId"`
		UserIDType   *int     `json:"userIdType"`
		Template     string   `json:"cardTemplateId"`
		ID           string   `json:"outTrackId"`
		CallbackType string   `json:"callbackType"`
		Data         cardData `json:"cardData"`
		Space        string   `json:"openSpaceId"`
		SpaceModel   *struct {
			SupportForward bool              `json:"supportForward"`
			LastMessage    map[string]string `json:"lastMessageI18n"`
			Notification   map[string]any    `json:"notification"`
		} `json:"imGroupOpenSpaceModel"`
		DeliverModel *struct {
			RobotCode string            `json:"robotCode"`
			At        map[string]string `json:"atUserIds"`
		} `json:"imGroupOpenDeliverModel"`
	}
	if err := decode(r, &in); err != nil {
		s.refuse(w, 400, "param.invalid", err.Error())
		return
	}
	group := ""
	if m := spaceID.FindStringSubmatch(in.Space); m != nil {
		group = m[1]
	}
	switch {
	case !strings.HasSuffix(in.Template, ".schema"):
		s.refuse(w, 400, "param.cardTemplateIdEmpty", "卡片模版 Id 为空")
	case in.ID == "":
		s.refuse(w, 400, "param.outTrackIdEmpty", "业务标识 outTrackId 为空")
	case !trackID.MatchString(in.ID):
		s.refuse(w, 400, "param.outTrackIdInvalid", "outTrackId has characters of no identifier")
	case len(in.Data.Params) == 0:
		s.refuse(w, 400, "param.cardPublicDataEmpty", "卡片公共数据为空")
	case in.CallbackType != "STREAM":
		s.refuse(w, 400, "param.callbackTypeInvalid", "callbackType is not STREAM: taps would go nowhere")
	case in.UserIDType != nil && *in.UserIDType != 1 && *in.UserIDType != 2:
		s.refuse(w, 400, "param.userIdTypeInvalid", "userIdType is 1 or 2")
	case group == "" || in.SpaceModel == nil:
		s.refuse(w, 400, "param.openSpaceModelInvalid", "场域信息不合法")
	case in.DeliverModel == nil || in.DeliverModel.RobotCode == "":
		s.refuse(w, 400, "param.robotCodeEmpty", "robotCode is missing")
	default:
		member := len(s.cfg.Groups) == 0 || slices.Contains(s.cfg.Groups, group)
		result := map[string]any{"spaceId": group, "spaceType": "IM_GROUP", "success": member, "carrierId": random(), "errorMsg": ""}
		if !member {
			result["errorMsg"] = "机器人不在群内"
		} else if !s.put(&Card{ID: in.ID, Group: group, Template: in.Template, Params: in.Data.Params, At: in.DeliverModel.At, Time: time.Now()}) {
			s.refuse(w, 400, "param.outTrackIdRepeated", "there is a card with this outTrackId")
			return
		}
		reply(w, map[string]any{"success": true, "result": map[string]any{"outTrackId": in.ID, "deliverResults": []any{result}}})
	}
}

// put shows a card that is not there yet.
func (s *Server) put(c *Card) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cards[c.ID] != nil {
		return false
	}
	s.cards[c.ID] = c
	s.order = append(s.order, c.ID)
	if len(s.order) > s.cfg.Keep {
		delete(s.cards, s.order[0])
		s.order = s.order[1:]
	}
	return true
}

func (s *Server) update(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ID         string    `json:"outTrackId"`
		Data       *cardData `json:"cardData"`
		UserIDType *int      `json:"userIdType"`
		Options    struct {
			ByKey        bool `json:"updateCardDataByKey"`
			PrivateByKey bool `json:"updatePrivateDataByKey"`
		} `json:"cardUpdateOptions"`
	}
	if err := decode(r, &in); err != nil {
		s.refuse(w, 400, "param.invalid", err.Error())
		return
	}
	s.mu.Lock()
	c := s.cards[in.ID]
	if c != nil && in.Data != nil {
		if !in.Options.ByKey {
			c.Params = map[string]string{}
		}
		next := maps.Clone(c.Params)
		maps.Copy(next, in.Data.Params)
		c.Params = next
		c.Updates++
	}
	s.mu.Unlock()
	switch {
	case in.ID == "":
		s.refuse(w, 400, "param.outTrackIdEmpty", "业务标识 outTrackId 为空")
	case in.Data == nil || len(in.Data.Params) == 0:
		s.refuse(w, 400, "param.cardPublicDataEmpty", "卡片公共数据为空")
	case c == nil:
		s.refuse(w, 400, "param.cardInstanceNotExist", "there is no card with this outTrackId")
	default:
		reply(w, map[string]any{"success": true, "result": true})
	}
}

// Cards are those that are shown, oldest first.
func (s *Server) Cards() []Card {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Card{}
	for _, id := range s.order {
		c := *s.cards[id]
		c.Params = maps.Clone(c.Params)
		out = append(out, c)
	}
	return out
}

// Refused are the last calls that were refused, as code and message.
func (s *Server) Refused() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refused)
}
