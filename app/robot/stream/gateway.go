package stream

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// ticketLasts is how long a ticket is good for, for one connection.
const ticketLasts = 90 * time.Second

// cardTopic is what taps are pushed under.
const cardTopic = "/v1.0/card/instances/callback"

func (s *Server) open(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ClientID      string `json:"clientId"`
		ClientSecret  string `json:"clientSecret"`
		Subscriptions []struct {
			Type  string `json:"type"`
			Topic string `json:"topic"`
		} `json:"subscriptions"`
		UserAgent string            `json:"ua"`
		LocalIP   string            `json:"localIp"`
		Extras    map[string]string `json:"extras"`
	}
	if err := decode(r, &in); err != nil {
		s.refuse(w, 400, "param.invalid", err.Error())
		return
	}
	if in.ClientID != s.cfg.ClientID || in.ClientSecret != s.cfg.ClientSecret {
		s.refuse(w, 401, "authFailed", "鉴权失败")
		return
	}
	taps := false
	for _, sub := range in.Subscriptions {
		switch {
		case sub.Type == "CALLBACK" && sub.Topic == cardTopic:
			taps = true
		case sub.Type == "SYSTEM", sub.Type == "EVENT" && sub.Topic == "*", sub.Type == "CALLBACK" && sub.Topic == "/v1.0/im/bot/messages/get":
		default:
			s.refuse(w, 400, "param.invalid", fmt.Sprintf("subscription %s %s is not documented", sub.Type, sub.Topic))
			return
		}
	}
	if !taps {
		s.refuse(w, 400, "param.invalid", "no subscription to taps on cards")
		return
	}
	ticket := random()
	s.mu.Lock()
	s.tickets[ticket] = time.Now().Add(ticketLasts)
	s.mu.Unlock()
	reply(w, map[string]string{"endpoint": "ws://" + r.Host + "/connect", "ticket": ticket})
}

// gateway pushes taps to the connections that are open.
type gateway struct {
	server *Server
	mu     sync.Mutex
	conns  []*connection
	taps   map[string]*pushed
	order  []string
	last   int
}

type pushed struct {
	Tap
	timer *time.Timer
}

type connection struct {
	conn *websocket.Conn
	mu   sync.Mutex
	// leaving is set once the client was told that the connection ends.
	leaving bool
	// asked are the pushes that it was sent, and pings.
	asked map[string]string
}

type frame struct {
	SpecVersion string            `json:"specVersion"`
	Type        string            `json:"type"`
	Headers     map[string]string `json:"headers"`
	Data        string            `json:"data"`
}

func (c *connection) push(f frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id := f.Headers["messageId"]; id != "" {
		c.asked[id] = f.Data
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
	return c.conn.WriteJSON(f)
}

func (s *Server) connect(w http.ResponseWriter, r *http.Request) {
	ticket := r.URL.Query().Get("ticket")
	s.mu.Lock()
	until, known := s.tickets[ticket]
	delete(s.tickets, ticket)
	s.mu.Unlock()
	if !known || time.Now().After(until) {
		s.refuse(w, 401, "authFailed", "the ticket is over, or was used before")
		return
	}
	up := websocket.Upgrader{}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	c := &connection{conn: conn, asked: map[string]string{}}
	g := &s.gateway
	g.mu.Lock()
	g.conns = append(g.conns, c)
	waiting := slices.Clone(g.order)
	g.mu.Unlock()
	defer func() {
		conn.Close()
		g.mu.Lock()
		g.conns = slices.DeleteFunc(g.conns, func(o *connection) bool { return o == c })
		g.mu.Unlock()
	}()
	if s.cfg.Redeliver > 0 {
		go func() {
			for _, id := range waiting {
				g.deliver(id)
			}
		}()
	}
	for {
		_, raw, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if err := g.acknowledged(c, raw); err != nil {
			s.mu.Lock()
			s.refused = append(s.refused, "frame: "+err.Error())
			s.mu.Unlock()
			return
		}
	}
}

// acknowledged reads what a client answered to a push.
func (g *gateway) acknowledged(c *connection, raw []byte) error {
	var in struct {
		Code    *int              `json:"code"`
		Headers map[string]string `json:"headers"`
		Message *string           `json:"message"`
		Data    *string           `json:"data"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	id := in.Headers["messageId"]
	c.mu.Lock()
	asked, known := c.asked[id]
	delete(c.asked, id)
	c.mu.Unlock()
	switch {
	case in.Code == nil || in.Message == nil || in.Data == nil || in.Headers["contentType"] != "application/json":
		return fmt.Errorf("code, message, data or contentType is missing in %.200s", raw)
	case *in.Code != 200 && *in.Code != 404 && *in.Code != 500:
		return fmt.Errorf("code %d is not documented", *in.Code)
	case !known:
		return fmt.Errorf("messageId %q answers nothing", id)
	}
	g.mu.Lock()
	t := g.taps[id]
	if t == nil {
		g.mu.Unlock()
		// A ping's answer repeats its data.
		if *in.Data != asked {
			return fmt.Errorf("the ping's data came back as %.200s", *in.Data)
		}
		return nil
	}
	if !json.Valid([]byte(*in.Data)) {
		g.mu.Unlock()
		return fmt.Errorf("data is not JSON: %.200s", *in.Data)
	}
	t.Code = *in.Code
	first := t.Acked.IsZero() && t.Code == 200
	if first {
		t.Acked = time.Now()
		t.timer.Stop()
	}
	tap := t.Tap
	g.mu.Unlock()
	if first && g.server.cfg.Acked != nil {
		g.server.cfg.Acked(tap)
	}
	return nil
}

// Tap is what a person does: it is pushed to one of the connections. It returns the push's messageId.
func (s *Server) Tap(card, user string, params map[string]any) (string, error) {
	s.mu.Lock()
	c := s.cards[card]
	s.mu.Unlock()
	if c == nil {
		return "", fmt.Errorf("there is no card %q", card)
	}
	if user == "" {
		return "", fmt.Errorf("no one tapped: user is empty")
	}
	g := &s.gateway
	g.mu.Lock()
	g.last++
	id := fmt.Sprintf("%s_%x_%s", "213d841d", g.last, random()[:8])
	t := &pushed{Tap: Tap{MessageID: id, Card: card, User: user, Params: maps.Clone(params), Time: time.Now()}}
	t.timer = time.AfterFunc(time.Hour, func() { g.deliver(id) })
	g.taps[id] = t
	g.order = append(g.order, id)
	if len(g.order) > 10*s.cfg.Keep {
		g.taps[g.order[0]].timer.Stop()
		delete(g.taps, g.order[0])
		g.order = g.order[1:]
	}
	g.mu.Unlock()
	g.deliver(id)
	return id, nil
}

// deliver pushes a tap that is not acknowledged to any of the connections.
func (g *gateway) deliver(id string) {
	g.mu.Lock()
	t := g.taps[id]
	if t == nil || !t.Acked.IsZero() {
		g.mu.Unlock()
		return
	}
	t.timer.Stop()
	if again := g.server.cfg.Redeliver; again > 0 {
		t.timer.Reset(again)
	}
	open := slices.DeleteFunc(slices.Clone(g.conns), func(c *connection) bool { return c.leaving })
	if len(open) == 0 {
		g.mu.Unlock()
		return
	}
	c := open[rand.IntN(len(open))]
	t.Pushes++
	content, _ := json.Marshal(map[string]any{"cardPrivateData": map[string]any{"actionIds": []string{fmt.Sprint(t.Params["action"])}, "params": t.Params}})
	data, _ := json.Marshal(map[string]any{
		"content": string(content), "corpId": "dingcorp", "extension": "{}", "outTrackId": t.Card, "spaceId": "cid", "spaceType": "IM_GROUP",
		"type": "actionCallback", "userId": t.User, "userIdType": 1,
	})
	f := frame{SpecVersion: "1.0", Type: "CALLBACK", Data: string(data), Headers: map[string]string{
		"appId": "app", "contentType": "application/json", "messageId": id, "time": fmt.Sprint(t.Time.UnixMilli()), "topic": cardTopic,
	}}
	g.mu.Unlock()
	if c.push(f) != nil {
		_ = c.conn.Close()
	}
}

// Taps are those that people made, oldest first.
func (s *Server) Taps() []Tap {
	g := &s.gateway
	g.mu.Lock()
	defer g.mu.Unlock()
	out := []Tap{}
	for _, id := range g.order {
		out = append(out, g.taps[id].Tap)
	}
	return out
}

// Connections is how many are open and will stay so.
func (s *Server) Connections() int {
	s.gateway.mu.Lock()
	defer s.gateway.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(s.gateway.conns), func(c *connection) bool { return c.leaving }))
}

// Ping asks all connections whether they live.
func (s *Server) Ping() { s.system("ping", `{"opaque":"`+random()+`"}`) }

// Disconnect tells all clients that their connections end, which are closed a while later.
func (s *Server) Disconnect(after time.Duration) {
	for _, c := range s.system("disconnect", `{"reason":"connection is expired"}`) {
		time.AfterFunc(after, func() { _ = c.conn.Close() })
	}
}

func (s *Server) system(topic, data string) []*connection {
	s.gateway.mu.Lock()
	conns := slices.Clone(s.gateway.conns)
	for _, c := range conns {
		c.leaving = c.leaving || topic == "disconnect"
	}
	s.gateway.mu.Unlock()
	for _, c := range conns {
		headers := map[string]string{"topic": topic, "contentType": "application/json"}
		if topic == "ping" {
			headers["messageId"] = random()
		}
		_ = c.push(frame{SpecVersion: "1.0", Type: "SYSTEM", Headers: headers, Data: data})
	}
	return conns
}
