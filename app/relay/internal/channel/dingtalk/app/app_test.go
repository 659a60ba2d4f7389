package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"lookout/app/relay/internal/channel"
	"lookout/app/robot/stream"
)

func same(s string) string { return s }

// TestEveryAnswerIsUnderstood is what answers of the OpenAPI mean for a card that is delivered.
func TestEveryAnswerIsUnderstood(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   channel.Outcome
		code   string
	}{
		{200, `{"success":true,"result":{"outTrackId":"x","deliverResults":[{"success":true,"spaceId":"cid"}]}}`, channel.Delivered, "0"},
		{200, `{"success":"true","result":{"deliverResults":[{"success":"true"}]}}`, channel.Delivered, "0"},
		{200, `{"success":true,"result":{"deliverResults":[{"success":false,"errorMsg":"机器人不在群内"}]}}`, channel.Refused, codeUndelivered},
		{200, `{"success":true,"result":{"deliverResults":[]}}`, channel.Retry, channel.CodeNoErrcode},
		{200, `{"success":true}`, channel.Retry, channel.CodeNoErrcode},
		{200, `{"result":{"deliverResults":[{"success":true}]}}`, channel.Retry, channel.CodeNoErrcode},
		{200, `{"success":false,"code":"param.contentUnsafe"}`, channel.Refused, "param.contentUnsafe"},
		{200, `<html>`, channel.Retry, channel.CodeNotJSON},
		{400, `{"code":"param.cardTemplateIdEmpty","message":"卡片模版 Id 为空"}`, channel.Refused, "param.cardTemplateIdEmpty"},
		{400, `{"code":"param.somethingNew","message":"?"}`, channel.Refused, channel.CodeOther},
		{400, `{"code":"param.cardDataTooLong"}`, channel.Split, channel.CodeOther},
		{400, `{"code":"InvalidAuthentication","message":"不合法的access_token"}`, channel.Refused, "InvalidAuthentication"},
		{403, `{"code":"Forbidden.AccessDenied.AccessTokenPermissionDenied"}`, channel.Refused, "Forbidden.AccessDenied.AccessTokenPermissionDenied"},
		{403, `{"code":"Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"}`, channel.Throttled, "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"},
		{403, `{"code":"Forbidden.AccessDenied.ApiQuotaUsedUp"}`, channel.Throttled, channel.CodeOther},
		{400, `{"code":"neverSeen"}`, channel.Retry, channel.CodeOther},
		{400, `no JSON`, channel.Retry, channel.CodeHTTP4xx},
		{429, `{"code":"x"}`, channel.Throttled, channel.CodeHTTP429},
		{503, `{"code":"ServiceUnavailable"}`, channel.Retry, channel.CodeHTTP5xx},
		{302, ``, channel.Retry, channel.CodeRedirect},
	} {
		a := Read(channel.Response{Status: c.status, Header: http.Header{}, Body: []byte(c.body)}, true, same)
		if a.Outcome != c.want || a.Code != c.code {
			t.Errorf("%d %s is %s %s, want %s %s", c.status, c.body, a.Outcome, a.Code, c.want, c.code)
		}
		if a.Outcome == channel.Throttled && a.Code != channel.CodeHTTP429 && a.Wait <= 0 {
			t.Errorf("%s does not say how long to wait", c.body)
		}
	}
}

// start is an app at a mock.
func start(t *testing.T, cfg stream.Config, wrap func(http.Handler) http.Handler) (*stream.Server, *sender) {
	t.Helper()
	cfg.ClientID, cfg.ClientSecret = "id", "secret"
	mock, err := stream.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h := mock.Handler()
	if wrap != nil {
		h = wrap(h)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	a := &App{URL: server.URL, ClientID: "id", ClientSecret: "secret", RobotCode: "id", Group: "cidOps", Template: "t.schema", MaxBytes: maxBytes, People: map[string]string{"u1": "张三"}}
	s := a.Sender(channel.Environment{Transport: http.DefaultTransport, Now: time.Now, Redact: same})
	return mock, s.(*sender)
}

var hello = channel.Message{ID: "m1", Content: channel.Content{Title: "报警", Text: "db1", UserIDs: []string{"u1"}, All: true}, Buttons: []string{channel.Take}}

// TestACardIsMadeChangedAndNeverTwice: a token that ends is renewed, a repetition after a lost answer shows nothing twice, and
// a change leaves what it does not name.
func TestACardIsMadeChangedAndNeverTwice(t *testing.T) {
	lose := false
	mock, s := start(t, stream.Config{Groups: []string{"cidOps"}}, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if lose && r.Method == http.MethodPost {
				next.ServeHTTP(httptest.NewRecorder(), r)
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	if a := s.Send(t.Context(), hello); a.Outcome != channel.Delivered {
		t.Fatalf("%+v", a)
	}
	mock.EndTokens()
	if a := s.Update(t.Context(), "m1", channel.Card{Status: "张三 已认领"}); a.Outcome != channel.Delivered {
		t.Fatalf("with a token that is over: %+v", a)
	}
	c := mock.Cards()[0]
	if c.Params["status"] != "张三 已认领" || c.Params["open"] != "false" || c.Params["text"] != "db1" || c.Params["can_silence"] != "false" || c.At["u1"] != "张三" || c.At["@ALL"] == "" {
		t.Errorf("the card is %+v", c)
	}
	second := hello
	second.ID = "m2"
	lose = true
	if a := s.Send(t.Context(), second); a.Outcome != channel.Retry || !a.Ambiguous {
		t.Fatalf("an answer that got lost: %+v", a)
	}
	lose, second.Repeated = false, true
	if a := s.Send(t.Context(), second); a.Outcome != channel.Delivered || a.Note == "" {
		t.Fatalf("its repetition: %+v", a)
	}
	// One that never arrived is sent.
	third := hello
	third.ID, third.Repeated = "m3", true
	if a := s.Send(t.Context(), third); a.Outcome != channel.Delivered || len(mock.Cards()) != 3 {
		t.Fatalf("%+v, %d cards", a, len(mock.Cards()))
	}
	s.app.Group = "cidElsewhere"
	third.ID = "m4"
	if a := s.Send(t.Context(), third); a.Outcome != channel.Refused || !strings.Contains(a.Reason, "机器人不在群内") {
		t.Errorf("a group without the robot: %+v", a)
	}
	s.app.ClientSecret, s.token = "wrong", ""
	if a := s.Send(t.Context(), third); a.Outcome != channel.Refused || a.Code != "invalidClientIdOrSecret" || a.Ambiguous {
		t.Errorf("a wrong secret: %+v", a)
	}
}

// TestATapIsAcknowledgedOnceItIsKept: what cannot be kept is not acknowledged with 200 and comes again; what makes no sense is
// acknowledged and dropped.
func TestATapIsAcknowledgedOnceItIsKept(t *testing.T) {
	mock, s := start(t, stream.Config{Redeliver: 20 * time.Millisecond}, nil)
	if a := s.Send(t.Context(), hello); a.Outcome != channel.Delivered {
		t.Fatalf("%+v", a)
	}
	var mu sync.Mutex
	var kept []channel.Tap
	tries := 0
	ctx, stop := context.WithCancel(t.Context())
	done, up := make(chan struct{}), make(chan struct{}, 10)
	go func() {
		defer close(done)
		s.Listen(ctx, slog.New(slog.DiscardHandler), func(_ context.Context, tap channel.Tap) error {
			mu.Lock()
			defer mu.Unlock()
			if tries++; tries < 3 {
				return errors.New("the disk is full")
			}
			kept = append(kept, tap)
			return nil
		}, func(on bool) {
			if on {
				up <- struct{}{}
			}
		})
	}()
	<-up
	for _, params := range []map[string]any{{"action": "silence", "hours": "4"}, {"action": "dance"}, {"action": "silence", "hours": 1.5}, {"action": "extend", "hours": 99}, {}} {
		if _, err := mock.Tap("m1", "u1", params); err != nil {
			t.Fatal(err)
		}
	}
	acked := func() bool {
		for _, tap := range mock.Taps() {
			if tap.Acked.IsZero() {
				return false
			}
		}
		return true
	}
	for until := time.Now().Add(20 * time.Second); !acked(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("not acknowledged: %+v, refused %v", mock.Taps(), mock.Refused())
		}
	}
	stop()
	<-done
	first := mock.Taps()[0]
	if len(kept) != 1 || kept[0].Who != "张三" || kept[0].Card != "m1" || kept[0].Hours != 4 || kept[0].ID != first.MessageID || first.Pushes < 3 {
		t.Errorf("kept %+v after %d pushes", kept, first.Pushes)
	}
	if r := mock.Refused(); len(r) > 0 {
		t.Errorf("refused: %v", r)
	}
}
