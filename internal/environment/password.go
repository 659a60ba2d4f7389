package environment

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// Password prints the local Grafana's admin password.
func (e *Environment) Password() error {
	var platform struct {
		Password string `json:"grafana_admin_password"`
	}
	if err := e.readVars("platform", "secrets", &platform); err != nil {
		return fmt.Errorf("no generated password for %s (only local has one, after `make init`): %w", e.Name, err)
	}
	_, err := fmt.Fprintln(e.Out, platform.Password)
	return err
}

// Generate is what asks SetPassword to choose a password.
const Generate = "generate"

// minPassword is the shortest password, as modules/grafana has it.
const minPassword = 8

// SetPassword gives the admin of the stack's Grafana another password: in Grafana, where its first start has put the old one into
// the database, and in the one place where this checkout keeps it. Elsewhere than in local that is for the caller to do, who is told.
func (e *Environment) SetPassword(ctx context.Context, password string) error {
	if password == Generate {
		password = rand.Text()
	}
	if len(password) < minPassword {
		return fmt.Errorf("NEW has %d characters: give a password of at least %d, or NEW=%s", len(password), minPassword, Generate)
	}
	if os.Getenv("GRAFANA_URL") != "" {
		return errors.New("GRAFANA_URL names a Grafana that is not this stack's: change the password there, and GRAFANA_AUTH where you keep it")
	}
	release, err := e.exclusive(ctx)
	if err != nil {
		return err
	}
	defer release()
	a, ok, err := e.access(ctx)
	if err != nil {
		return err
	}
	user, old, basic := strings.Cut(a.Auth, ":")
	if !ok || !basic || user != "admin" {
		return fmt.Errorf("the environment %s runs no Grafana whose admin password is known here: `make up ENV=%s` starts one where there is an image", e.Name, e.Name)
	}
	if err := e.changePassword(ctx, a, old, password); err != nil {
		return err
	}
	if e.Name != Local {
		_, err := fmt.Fprintf(e.Out, "Grafana at %s takes the new password. Put it where you keep TF_VAR_grafana_admin_password, before the next apply:\n%s\n", a.URL, password)
		return err
	}
	if err := e.writeVars("platform", "secrets", 0o600, map[string]string{"grafana_admin_password": password}); err != nil {
		return err
	}
	// The content's login is made of it.
	if err := e.writeVars("content", "secrets", 0o600, contentSecrets{URL: a.URL, Auth: "admin:" + password}); err != nil {
		return err
	}
	e.Progress.Step("Password", "changed in Grafana and in "+e.rootName("platform")+"/secrets.auto.tfvars.json; `make apply` carries it into the container, `make password` prints it")
	return nil
}

// changePassword asks Grafana to.
func (e *Environment) changePassword(ctx context.Context, a contentSecrets, old, password string) error {
	body, err := json.Marshal(map[string]string{"oldPassword": old, "newPassword": password, "confirmNew": password})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, strings.TrimSuffix(a.URL, "/")+"/api/user/password", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.SetBasicAuth("admin", old)
	req.Header.Set("Content-Type", "application/json")
	resp, err := e.Client.Do(req)
	if err != nil {
		return fmt.Errorf("Grafana at %s does not answer, so its password stays: %w", a.URL, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return fmt.Errorf("Grafana at %s refuses the change (%s: %s): its password stays; if someone has changed it in Grafana, put that one into %s/secrets.auto.tfvars.json",
			a.URL, resp.Status, strings.TrimSpace(string(said)), e.rootName("platform"))
	}
	return nil
}
