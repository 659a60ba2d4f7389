package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"lookout/app/relay/internal/config"
	"lookout/app/relay/internal/delivery"
	"lookout/app/relay/internal/message"
)

// answerView is what answer.html shows.
type answerView struct {
	delivery.Question
	Firing int
	// Who answered last from this browser.
	Who string
	// Hours that a silence can last.
	Hours []int
	// Done is what was done, Error what went wrong.
	Done, Error string
	Zone        *time.Location
}

// TakenBy is who takes care of an alert.
func (v answerView) TakenBy(a delivery.SentAlert) string { return v.Taken[a.Hash] }

// SilencedUntil is until when an alert is silenced from here, "" if it is not.
func (v answerView) SilencedUntil(a delivery.SentAlert) string {
	if at := v.Ends[a.Hash]; time.Now().Before(at) {
		return at.In(v.Zone).Format("01-02 15:04")
	}
	return ""
}

// answer is the page that the link of a message opens on a phone. The signature in the address is what lets in; nothing is
// done by opening it, since chats open links to show what is behind them.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	c := s.e.Config()
	q := r.URL.Query()
	v := answerView{Hours: []int{1, 4, 24}, Zone: c.Zone}
	if cookie, err := r.Cookie("who"); err == nil {
		who, _ := url.QueryUnescape(cookie.Value)
		v.Who = message.Clip(60, message.Safe(who))
	}
	status := http.StatusOK
	var err error
	v.Question, err = s.e.Ask(r.PathValue("ref"), q.Get("e"), q.Get("s"))
	switch {
	case errors.Is(err, delivery.ErrLink):
		status, v.Error = http.StatusForbidden, err.Error()
		s.e.Metrics.Rejected.WithLabelValues("forbidden").Inc()
	case errors.Is(err, delivery.ErrUnknown):
		status, v.Error = http.StatusNotFound, err.Error()
	case err != nil:
		status, v.Error = http.StatusServiceUnavailable, err.Error()
	case r.Method == http.MethodPost:
		r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
		reply := delivery.Reply{Who: r.PostFormValue("who")}
		hours := r.PostFormValue("hours")
		n, herr := strconv.Atoi(hours)
		switch {
		case hours == "":
		case herr != nil || n < 1 || n > 24:
			err = errors.New("静默 1 到 24 小时 silence it for 1 to 24 hours")
		default:
			reply.Silence = time.Duration(n) * time.Hour
		}
		if err == nil {
			v.Done, err = s.e.Answer(r.Context(), v.Question, reply)
		}
		if err != nil {
			status, v.Error = http.StatusBadRequest, c.Redact(err.Error())
			break
		}
		v.Who = message.Clip(60, message.Safe(reply.Who))
		//lint:ignore G124 a name that prefills a form, also where the relay is reached by plain HTTP
		http.SetCookie(w, &http.Cookie{Name: "who", Value: url.QueryEscape(v.Who), Path: answerPath(c), MaxAge: 365 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		v.Question, _ = s.e.Ask(r.PathValue("ref"), q.Get("e"), q.Get("s"))
	}
	for _, a := range v.Alerts {
		if a.Status == "firing" {
			v.Firing++
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// Nothing of the address goes elsewhere. With no-referrer the form's own origin would be null, and the tap be refused where
	// there is no TLS.
	w.Header().Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	if err := s.page.ExecuteTemplate(w, "answer.html", v); err != nil {
		s.log.Warn("page", "error", err)
	}
}

// answerPath is where browsers find the page: below the console's own path, where it has one.
func answerPath(c *config.Config) string {
	prefix := ""
	if c.Answers != nil {
		if u, err := url.Parse(c.Answers.URL); err == nil {
			prefix = strings.TrimSuffix(u.EscapedPath(), "/")
		}
	}
	return prefix + "/answer/"
}
