package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/gorilla/websocket"
	"github.com/open-dingtalk/dingtalk-stream-sdk-go/card"
	"github.com/open-dingtalk/dingtalk-stream-sdk-go/client"
	"github.com/open-dingtalk/dingtalk-stream-sdk-go/logger"
	"github.com/open-dingtalk/dingtalk-stream-sdk-go/payload"
	"github.com/open-dingtalk/dingtalk-stream-sdk-go/utils"

	"lookout/app/relay/internal/channel"
)

const (
	// pingEvery and silentFor find out that a connection is dead: the gateway answers each ping.
	pingEvery = 20 * time.Second
	silentFor = 60 * time.Second
	// writeFor bounds the acknowledgement of a tap.
	writeFor = 5 * time.Second
	// maxFrame bounds what is read of a frame; a tap has fewer than 2 KiB.
	maxFrame = 256 << 10
	// leaveAfter is how long a connection that the gateway wants to end is still listened to: it says that it ends it after 10 s.
	leaveAfter = 15 * time.Second
	// steady is how long a connection must have lasted for the next one to be opened at once.
	steady = 5 * time.Second
)

// sdkLogger makes the SDK's logger, which it would else make at its first use, wherever that is.
var sdkLogger = sync.OnceFunc(func() { logger.GetLogger() })

// Listen implements [channel.Cards]. The connection is opened, and frames and taps are read, by DingTalk's SDK. Its client is not
// used beyond that: it writes from several goroutines to one connection, and a connection that breaks at the wrong moment
// makes it send on a closed channel, which ends the process.
func (s *sender) Listen(ctx context.Context, log *slog.Logger, tapped func(context.Context, channel.Tap) error, connected func(bool)) {
	sdkLogger()
	var open atomic.Int64
	var wg sync.WaitGroup
	defer wg.Wait()
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval, wait.RandomizationFactor = 200*time.Millisecond, 30*time.Second, 0.5
	last := ""
	for ctx.Err() == nil {
		began := time.Now()
		conn, err := s.connect(ctx)
		if err == nil {
			log.Info("connected to DingTalk by Stream mode")
			last = ""
			connected(open.Add(1) > 0)
			leaving, done := make(chan struct{}), make(chan struct{})
			wg.Go(func() {
				defer close(done)
				err := s.serve(ctx, conn, tapped, log, sync.OnceFunc(func() { close(leaving) }))
				connected(open.Add(-1) > 0)
				if ctx.Err() == nil {
					log.Info("the connection to DingTalk ended", "reason", s.plain(err))
				}
			})
			select {
			case <-leaving:
				// The next connection is open before this one ends, so that no tap falls between them.
			case <-done:
			}
			if time.Since(began) > steady {
				wait.Reset()
				continue
			}
		} else if ctx.Err() == nil {
			// Not one line for each try.
			if words := s.plain(err); words != last {
				log.Error("no connection to DingTalk by Stream mode: taps on cards do not arrive", "error", words)
				last = words
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait.NextBackOff()):
		}
	}
}

// connect registers the connection and opens it.
func (s *sender) connect(ctx context.Context) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	registration := client.NewStreamClient(
		client.WithAppCredential(client.NewAppCredentialConfig(s.app.ClientID, s.app.ClientSecret)),
		client.WithOpenApiHost(s.app.URL),
		client.WithSubscription(utils.SubscriptionTypeKCallback, payload.CardInstanceCallbackTopic, func(context.Context, *payload.DataFrame) (*payload.DataFrameResponse, error) {
			return nil, nil
		}),
	)
	endpoint, err := registration.GetConnectionEndpoint(ctx)
	if err != nil {
		return nil, fmt.Errorf("register the connection: %w", err)
	}
	u, err := url.Parse(endpoint.Endpoint)
	if err != nil {
		return nil, errors.New("the gateway's endpoint cannot be read")
	}
	api, err := url.Parse(s.app.URL)
	if err != nil {
		return nil, errors.New("the app's URL cannot be read")
	}
	if api.Scheme == "https" && u.Scheme != "wss" {
		return nil, errors.New("the gateway's endpoint is not wss, taps would come in clear")
	}
	q := u.Query()
	q.Set("ticket", endpoint.Ticket)
	u.RawQuery = q.Encode()
	dialer := websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: 10 * time.Second}
	conn, resp, err := dialer.DialContext(ctx, u.String(), nil)
	if resp != nil && resp.Body != nil {
		_ = resp.Body.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("open the connection: %s", s.plain(err))
	}
	return conn, nil
}

// serve reads frames until the connection ends. leave is called when the gateway says that it will end it.
func (s *sender) serve(ctx context.Context, conn *websocket.Conn, tapped func(context.Context, channel.Tap) error, log *slog.Logger, leave func()) error {
	defer conn.Close()
	// Reading ends by closing, and only so.
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	done := make(chan struct{})
	defer close(done)
	go func() {
		tick := time.NewTicker(pingEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				// What is broken shows by the silence. WriteControl may be called beside other writes.
				_ = conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeFor))
			}
		}
	}()
	conn.SetReadLimit(maxFrame)
	ends := time.Time{}
	alive := func() error {
		until := time.Now().Add(silentFor)
		if !ends.IsZero() && ends.Before(until) {
			until = ends
		}
		return conn.SetReadDeadline(until)
	}
	conn.SetPongHandler(func(string) error { return alive() })
	if err := alive(); err != nil {
		return err
	}
	for {
		kind, raw, err := conn.ReadMessage()
		if err != nil {
			return err
		}
		if err := alive(); err != nil {
			return err
		}
		if kind != websocket.TextMessage {
			continue
		}
		frame, err := payload.DecodeDataFrame(raw)
		if err != nil || frame.Headers == nil {
			log.Warn("a frame of DingTalk's cannot be read", "bytes", len(raw))
			continue
		}
		if frame.Type == utils.SubscriptionTypeKSystem && frame.GetTopic() == "disconnect" {
			// It wants no answer.
			ends = time.Now().Add(leaveAfter)
			leave()
			continue
		}
		reply := s.answer(ctx, frame, tapped, log)
		if reply.Data == "" {
			reply.SetData(`{"response":{}}`)
		}
		reply.SetHeader(payload.DataFrameHeaderKMessageId, frame.GetMessageId())
		reply.SetHeader(payload.DataFrameHeaderKContentType, payload.DataFrameContentTypeKJson)
		if err := conn.SetWriteDeadline(time.Now().Add(writeFor)); err != nil {
			return err
		}
		if err := conn.WriteMessage(websocket.TextMessage, reply.Encode()); err != nil {
			return err
		}
	}
}

// answer is what a frame is answered with. A tap is on disk when this returns 200.
func (s *sender) answer(ctx context.Context, frame *payload.DataFrame, tapped func(context.Context, channel.Tap) error, log *slog.Logger) *payload.DataFrameResponse {
	switch {
	case frame.Type == utils.SubscriptionTypeKSystem && frame.GetTopic() == "ping":
		r := payload.NewDataFrameAckPong(frame.GetMessageId())
		r.SetData(frame.Data)
		return r
	case frame.Type != utils.SubscriptionTypeKCallback || frame.GetTopic() != payload.CardInstanceCallbackTopic:
		return payload.NewDataFrameResponse(payload.DataFrameResponseStatusCodeKHandlerNotFound)
	}
	tap, err := s.tap(frame)
	if err != nil {
		// It would be no better the next time.
		log.Warn("a tap on a card cannot be used", "reason", err.Error())
	} else if err := tapped(ctx, tap); err != nil {
		log.Error("cannot persist a tap, it is not acknowledged", "card", tap.Card, "error", s.plain(err))
		r := payload.NewDataFrameResponse(payload.DataFrameResponseStatusCodeKInternalError)
		r.Message = "internal error"
		return r
	}
	r := payload.NewSuccessDataFrameResponse()
	r.Message = "OK"
	return r
}

// tap reads who tapped what.
func (s *sender) tap(frame *payload.DataFrame) (channel.Tap, error) {
	var request card.CardRequest
	if err := json.Unmarshal([]byte(frame.Data), &request); err != nil {
		return channel.Tap{}, errors.New("its data is not JSON")
	}
	if err := json.Unmarshal([]byte(request.Content), &request.CardActionData); err != nil {
		return channel.Tap{}, errors.New("its content is not JSON")
	}
	t := channel.Tap{ID: frame.GetMessageId(), Card: request.OutTrackId, Action: request.GetActionString("action"), At: s.env.Now()}
	if ms := frame.GetTimestamp(); ms > 0 {
		t.At = time.UnixMilli(ms)
	}
	if request.UserId == "" || t.ID == "" || t.Card == "" {
		return t, errors.New("it does not say who tapped which card")
	}
	if len(t.ID) > 200 || len(t.Card) > 200 || len(request.UserId) > 200 {
		return t, errors.New("it is longer than taps are")
	}
	t.Who = cmp.Or(s.app.People[request.UserId], request.UserId)
	switch t.Action {
	case channel.Take:
	case channel.Silence, channel.Extend:
		// The builder of templates writes numbers as texts, a hand as either.
		var hours float64
		switch v := request.CardActionData.CardPrivateData.Params["hours"].(type) {
		case string:
			hours, _ = strconv.ParseFloat(v, 64)
		case float64:
			hours = v
		}
		if t.Hours = int(hours); hours != float64(t.Hours) || hours < 1 || hours > 24 {
			return t, errors.New("hours is not a whole number from 1 to 24: see the template in docs/configuration.md")
		}
	default:
		return t, fmt.Errorf("action %q is none of take, silence, extend: see the template in docs/configuration.md", channel.OneLine(t.Action))
	}
	return t, nil
}
