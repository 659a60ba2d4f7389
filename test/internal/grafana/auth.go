package grafana

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A Role is what an account may do. Recorded for viewer and editor: both may read folders, dashboards, datasources, searches and
// the states of rules; an editor may write folders, dashboards and silences; the provisioning API is the admin's.
type Role int

// Roles, each with the rights of those before it.
const (
	Viewer Role = iota
	Editor
	Admin
)

type user struct {
	login, password string
	role            Role
	// failed are the times of wrong passwords.
	failed []time.Time
}

type accounts struct {
	users, tokens map[string]*user
	refusals      int
}

// AddUser adds an account with a password.
func (s *Server) AddUser(login, password string, role Role) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts.users[login] = &user{login: login, password: password, role: role}
}

// AddToken adds a service account's token.
func (s *Server) AddToken(name, token string, role Role) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts.tokens[token] = &user{login: "sa-" + name, role: role}
}

// Five wrong passwords of a user within this time refuse the right one too, until this time after the last of them.
const (
	lockoutAfter = 5
	lockoutFor   = 5 * time.Minute
)

// identify finds whose request it is, or answers for Grafana.
func (s *Server) identify(r *http.Request) (*user, answer, bool) {
	refuse := func(text string) (*user, answer, bool) {
		a := failed(http.StatusUnauthorized, "%s", text)
		a.plain = true
		return nil, a, false
	}
	header := r.Header.Get("Authorization")
	if header == "" {
		return nil, answer{status: http.StatusUnauthorized, body: map[string]any{"message": "Unauthorized"}, plain: true}, false
	}
	if token, ok := strings.CutPrefix(header, "Bearer "); ok {
		if u := s.accounts.tokens[token]; u != nil {
			return u, answer{}, true
		}
		return refuse("invalid API key")
	}
	const wrong = "invalid username or password"
	login, password, ok := r.BasicAuth()
	u := s.accounts.users[login]
	if !ok || u == nil {
		return refuse(wrong)
	}
	// Nothing forgives them but time: whether a good login does was not recorded.
	recent := 0
	for _, at := range u.failed {
		if s.options.Now().Sub(at) < lockoutFor {
			recent++
		}
	}
	if recent >= lockoutAfter {
		return refuse(wrong)
	}
	if u.password != password {
		u.failed = append(u.failed, s.options.Now())
		return refuse(wrong)
	}
	return u, answer{}, true
}

// otherOrganisation: nobody here is in another one than 1; what is no number is ignored.
func otherOrganisation(header string) bool {
	id, err := strconv.Atoi(header)
	return err == nil && id != 1
}

func (s *Server) denied(permission string) answer {
	s.accounts.refusals++
	return answer{status: http.StatusForbidden, plain: true, body: map[string]any{
		"accessErrorId": fmt.Sprintf("ACE%010d", s.accounts.refusals),
		"message":       "You'll need additional permissions to perform this action. Permissions needed: " + permission,
		"title":         "Access denied",
	}}
}
