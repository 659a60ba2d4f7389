package stream

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// ask calls the mock and returns the status and the body.
func ask(t *testing.T, s *Server, method, path, token, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("x-acs-dingtalk-access-token", token)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

const card = `{"cardTemplateId":"t.schema","outTrackId":"m1","callbackType":"STREAM","cardData":{"cardParamMap":{"title":"x"}},"openSpaceId":"dtv1.card//IM_GROUP.cidOps",
	"imGroupOpenSpaceModel":{"supportForward":true},"imGroupOpenDeliverModel":{"robotCode":"r"},"userIdType":1}`

// TestWhatIsNotDocumentedIsRefused is each rule of the OpenAPI with a call that breaks it.
func TestWhatIsNotDocumentedIsRefused(t *testing.T) {
	s, err := New(Config{ClientID: "id", ClientSecret: "secret", Groups: []string{"cidOps"}, PerSecond: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := ask(t, s, "POST", "/v1.0/oauth2/accessToken", "", `{"appKey":"id","appSecret":"wrong"}`); status != 400 || !strings.Contains(body, "invalidClientIdOrSecret") {
		t.Errorf("a wrong secret: %d %s", status, body)
	}
	_, body := ask(t, s, "POST", "/v1.0/oauth2/accessToken", "", `{"appKey":"id","appSecret":"secret"}`)
	_, rest, _ := strings.Cut(body, `"accessToken":"`)
	token, _, _ := strings.Cut(rest, `"`)
	const create, update = "POST /v1.0/card/instances/createAndDeliver", "PUT /v1.0/card/instances"
	if status, body := ask(t, s, "POST", "/v1.0/card/instances/createAndDeliver", token, card); status != 200 || !strings.Contains(body, `"success":true`) || len(s.Cards()) != 1 {
		t.Fatalf("%d %s", status, body)
	}
	for _, c := range []struct{ what, change, with, want string }{
		{create, "m1", "m1", "param.outTrackIdRepeated"},
		{create, `"outTrackId":"m1",`, "", "param.outTrackIdEmpty"},
		{create, "m1", "m 1", "param.outTrackIdInvalid"},
		{create, "t.schema", "t", "param.cardTemplateIdEmpty"},
		{create, `{"title":"x"}`, `{}`, "param.cardPublicDataEmpty"},
		{create, `{"title":"x"}`, `{"title":1}`, "param.invalid"},
		{create, `"callbackType":"STREAM",`, "", "param.callbackTypeInvalid"},
		{create, "IM_GROUP.cidOps", "IM_GROUP.ops", "param.openSpaceModelInvalid"},
		{create, `"robotCode":"r"`, "", "param.robotCodeEmpty"},
		{create, `"userIdType":1`, `"userIdType":3`, "param.userIdTypeInvalid"},
		{create, `"userIdType":1`, `"colour":1`, "param.invalid"},
		{update, card, `{"outTrackId":"m2","cardData":{"cardParamMap":{"a":"b"}}}`, "param.cardInstanceNotExist"},
		{update, card, `{"cardData":{"cardParamMap":{"a":"b"}}}`, "param.outTrackIdEmpty"},
		{update, card, `{"outTrackId":"m1"}`, "param.cardPublicDataEmpty"},
	} {
		method, path, _ := strings.Cut(c.what, " ")
		if status, body := ask(t, s, method, path, token, strings.Replace(card, c.change, c.with, 1)); status != 400 || !strings.Contains(body, c.want) {
			t.Errorf("%s with %q for %q: %d %s, want %s", c.what, c.with, c.change, status, body, c.want)
		}
	}
	// A group without the robot is no refusal of the call.
	other := strings.NewReplacer("m1", "m3", "cidOps", "cidOther").Replace(card)
	if status, body := ask(t, s, "POST", "/v1.0/card/instances/createAndDeliver", token, other); status != 200 || !strings.Contains(body, `"success":false`) || len(s.Cards()) != 1 {
		t.Errorf("%d %s", status, body)
	}
	s.EndTokens()
	if status, body := ask(t, s, "POST", "/v1.0/card/instances/createAndDeliver", token, card); status != 400 || !strings.Contains(body, "InvalidAuthentication") {
		t.Errorf("a token that is over: %d %s", status, body)
	}
	s.tokens["t"] = time.Now().Add(time.Hour)
	s.cfg.PerSecond = 1
	s.calls = map[string][]time.Time{}
	ask(t, s, "PUT", "/v1.0/card/instances", "t", `{}`)
	if status, body := ask(t, s, "PUT", "/v1.0/card/instances", "t", `{}`); status != 403 || !strings.Contains(body, "QpsLimit") {
		t.Errorf("a call too many: %d %s", status, body)
	}
}

// TestTheGatewayIsStrict: a ticket is good for one connection, unknown subscriptions are refused, and a frame that answers nothing ends the
// connection.
func TestTheGatewayIsStrict(t *testing.T) {
	s, err := New(Config{ClientID: "id", ClientSecret: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	const open = "/v1.0/gateway/connections/open"
	for body, want := range map[string]string{
		`{"clientId":"id","clientSecret":"x","subscriptions":[{"type":"CALLBACK","topic":"/v1.0/card/instances/callback"}]}`: "authFailed",
		`{"clientId":"id","clientSecret":"secret","subscriptions":[]}`:                                                       "no subscription",
		`{"clientId":"id","clientSecret":"secret","subscriptions":[{"type":"CALLBACK","topic":"/made/up"}]}`:                 "is not documented",
	} {
		if status, answer := ask(t, s, "POST", open, "", body); status < 400 || !strings.Contains(answer, want) {
			t.Errorf("%s: %d %s", body, status, answer)
		}
	}
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	_, answer := ask(t, s, "POST", open, "", `{"clientId":"id","clientSecret":"secret","subscriptions":[{"type":"CALLBACK","topic":"/v1.0/card/instances/callback"}]}`)
	_, rest, _ := strings.Cut(answer, `"ticket":"`)
	ticket, _, _ := strings.Cut(rest, `"`)
	address := "ws" + strings.TrimPrefix(server.URL, "http") + "/connect?ticket=" + ticket
	conn, _, err := websocket.DefaultDialer.Dial(address, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, resp, err := websocket.DefaultDialer.Dial(address, nil); err == nil || resp == nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the ticket is good for a second connection: %v", err)
	}
	if err := conn.WriteMessage(websocket.TextMessage, []byte(`{"code":200,"headers":{"messageId":"x","contentType":"application/json"},"message":"OK","data":"{}"}`)); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, _, err := conn.ReadMessage(); err == nil {
		t.Error("a frame that answers nothing is accepted")
	}
	if r := s.Refused(); !strings.Contains(strings.Join(r, "\n"), "answers nothing") {
		t.Errorf("refused: %v", r)
	}
}
