package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"
)

// relayProxy passes on to the relay what the links in its messages open, by which people take and silence alerts: phones have to reach the console alone. The relay
// checks the links' signature and says what its page may load; nothing else of it can be reached this way.
func relayProxy(cfg Config) (http.Handler, error) {
	if cfg.Relay == "" {
		return nil, nil
	}
	u, err := url.Parse(cfg.Relay)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" {
		return nil, errors.New("--relay is not the address of a relay; write it like http://relay:8070")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = 15 * time.Second
	return &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			// The relay holds a form's origin against the name that the reader's browser came by.
			r.Out.Host = r.In.Host
			r.Out.Header.Del("Authorization")
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			http.Error(w, "中继没有应答，请稍后再试 The relay does not answer: try again in a moment.", http.StatusBadGateway)
		},
	}, nil
}

// routeAnswers serves them.
func (s *Server) routeAnswers(mux *http.ServeMux) {
	if s.relay == nil {
		return
	}
	for _, method := range []string{"GET", "POST"} {
		mux.HandleFunc(method+" /answer/{ref}", func(w http.ResponseWriter, r *http.Request) {
			// The relay sets its own.
			for _, name := range []string{"X-Content-Type-Options", "Referrer-Policy"} {
				w.Header().Del(name)
			}
			r.URL.Path, r.URL.RawPath = fmt.Sprintf("/answer/%s", url.PathEscape(r.PathValue("ref"))), ""
			s.relay.ServeHTTP(w, r)
		})
	}
}
