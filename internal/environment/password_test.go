package environment

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// passwords is a Grafana that knows its admin's password, and changes it as the real one does.
func passwords(t *testing.T, password *string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, got, _ := r.BasicAuth()
		if user != "admin" || got != *password {
			http.Error(w, `{"message":"Invalid username or password"}`, http.StatusUnauthorized)
			return
		}
		if r.Method == http.MethodPut && r.URL.Path == "/api/user/password" {
			var change struct{ OldPassword, NewPassword, ConfirmNew string }
			if json.NewDecoder(r.Body).Decode(&change) != nil || change.OldPassword != *password || change.ConfirmNew != change.NewPassword {
				http.Error(w, `{"message":"bad request"}`, http.StatusBadRequest)
				return
			}
			*password = change.NewPassword
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestAPasswordIsChangedInGrafanaAndInItsOnePlace(t *testing.T) {
	e, out := newEnvironment(t)
	var now string
	url := passwords(t, &now)
	withGrafana(t, e, url)
	now = func() string {
		var platform map[string]string
		require.NoError(t, e.readVars("platform", "secrets", &platform))
		return platform["grafana_admin_password"]
	}()
	first := now
	require.ErrorContains(t, e.SetPassword(t.Context(), "short"), "at least 8")
	require.NoError(t, e.SetPassword(t.Context(), "correct horse"))
	require.Equal(t, "correct horse", now, "Grafana takes it")
	require.NoError(t, e.Password())
	require.Contains(t, out.String(), "correct horse\n")
	require.NotContains(t, strings.Split(out.String(), "correct horse\n")[0], "correct horse", "it is only printed when asked for")
	_, err := e.contentReady(t.Context())
	require.NoError(t, err, "the content logs in with it")
	require.NoError(t, e.SetPassword(t.Context(), Generate))
	require.NotContains(t, []string{first, "correct horse"}, now)
	require.GreaterOrEqual(t, len(now), 20)

	// Someone has changed it in Grafana: nothing is written.
	kept := now
	now = "another"
	require.ErrorContains(t, e.SetPassword(t.Context(), "correct horse"), "refuses the change")
	out.Reset()
	require.NoError(t, e.Password())
	require.Equal(t, kept+"\n", out.String())
}

func TestElsewhereThePasswordStandsInOneVariable(t *testing.T) {
	c := newCareless(t)
	now := "from the variable"
	url := passwords(t, &now)
	c.remove(filepath.Join(c.e.root("platform"), "backend.hcl"))
	write(t, filepath.Join(c.e.root("platform"), "terraform.tfstate"), `{"outputs":{"stack":{"value":{"id":"i","name":"lookout-staging","alerting":"grafana"}},"services":{"value":{"grafana":{"url":"`+url+`"}}}}}`)
	t.Setenv("TF_VAR_grafana_admin_password", now)
	ready, err := c.e.contentReady(c.ctx)
	require.NoError(t, err)
	require.True(t, ready)
	script(t, c.e, "")
	environ := strings.Join(c.e.command(c.ctx, "content", "plan").Env, "\n")
	require.Contains(t, environ, "TF_VAR_grafana_auth=admin:from the variable", "Terraform is handed the login: GRAFANA_AUTH need not repeat it")
	require.NotContains(t, strings.Join(c.e.command(c.ctx, "platform", "plan").Env, "\n"), "TF_VAR_grafana_auth=")
	require.NoError(t, c.e.SetPassword(c.ctx, "correct horse"))
	require.Equal(t, "correct horse", now)
	require.Contains(t, c.e.Out.(*strings.Builder).String(), "Put it where you keep TF_VAR_grafana_admin_password")
}
