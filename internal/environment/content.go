package environment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// access says where the content's Grafana is, as far as this program knows: Terraform's provider reads more. ok is
// false if there is no Grafana.
func (e *Environment) access(ctx context.Context) (a contentSecrets, ok bool, err error) {
	urls, err := e.endpoints(ctx)
	if err != nil {
		return a, false, err
	}
	given := contentSecrets{URL: os.Getenv("GRAFANA_URL"), Auth: os.Getenv("GRAFANA_AUTH")}
	if given.URL != "" && given.Auth == "" {
		return a, false, fmt.Errorf("GRAFANA_URL is set to %s but GRAFANA_AUTH is not: set it to a service account's token or user:password", given.URL)
	}
	if e.Name == Local {
		switch {
		case given.URL != "":
			return given, true, nil
		case urls["grafana"] == "":
			return a, false, nil
		}
		if err := e.readVars("content", "secrets", &a); err != nil {
			return a, false, err
		}
		var platform struct {
			Password string `json:"grafana_admin_password"`
		}
		if err := e.readVars("platform", "secrets", &platform); err != nil {
			return a, false, err
		}
		return contentSecrets{URL: urls["grafana"], Auth: "admin:" + platform.Password}, true, nil
	}
	set, err := e.contentVariables()
	if err != nil {
		return a, false, err
	}
	own := contentSecrets{URL: urls["grafana"]}
	if set.URL == "" && given.URL == "" && os.Getenv("TF_VAR_grafana_url") == "" && own.URL != "" {
		// The Grafana of this stack: its password is known from the one place that has it.
		if f, err := e.files("platform"); err == nil {
			if password := f.text("grafana_admin_password"); password != "" {
				own.Auth = "admin:" + password
			}
		}
	}
	for _, from := range []contentSecrets{set, {os.Getenv("TF_VAR_grafana_url"), os.Getenv("TF_VAR_grafana_auth")}, given, own} {
		if a.URL == "" {
			a.URL = from.URL
		}
		if a.Auth == "" {
			a.Auth = from.Auth
		}
	}
	return a, a.URL != "", nil
}

// contentVariables are the content's variables of contentSecrets, where a *.auto.tfvars.json sets them.
func (e *Environment) contentVariables() (set contentSecrets, err error) {
	files, err := filepath.Glob(filepath.Join(e.root("content"), "*.auto.tfvars.json"))
	if err != nil {
		return set, err
	}
	for _, file := range files {
		var one contentSecrets
		if err := e.readVars("content", strings.TrimSuffix(filepath.Base(file), ".auto.tfvars.json"), &one); err != nil {
			return set, err
		}
		if one.URL != "" {
			set.URL = one.URL
		}
		if one.Auth != "" {
			set.Auth = one.Auth
		}
	}
	return set, nil
}

// plansGrafana reports whether the platform is to run a Grafana.
func (e *Environment) plansGrafana() bool {
	var vars struct {
		Images map[string]any `json:"images"`
	}
	if err := e.readVars("platform", "images", &vars); err != nil {
		return false
	}
	image, _ := vars.Images["grafana"].(string)
	return image != ""
}

// contentReady reports whether there is a Grafana to plan the content for, and sees to it that it can be logged in to:
// local's content is given address and password.
func (e *Environment) contentReady(ctx context.Context) (bool, error) {
	a, ok, err := e.access(ctx)
	if err != nil || !ok {
		return false, err
	}
	s, err := e.readState(ctx, "platform")
	if err != nil {
		return false, err
	}
	if id := s.identity(); id.Alerting != "" {
		// One engine evaluates the rules, and the platform says which.
		if err := e.writeVars("content", "alerting", 0o644, map[string]string{"alerting": id.Alerting}); err != nil {
			return false, err
		}
		e.alerting = id.Alerting
	}
	if e.Name == Local {
		var written contentSecrets
		if err := e.readVars("content", "secrets", &written); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		if written != a {
			if err := e.writeVars("content", "secrets", 0o600, a); err != nil {
				return false, err
			}
		}
	}
	if e.Name != Local {
		e.content = a
	}
	return true, e.login(ctx, a)
}

// checkLogin tries the credentials of a Grafana that runs already, before anything is planned. One that does not
// answer is none of its business: the platform's apply may start it.
func (e *Environment) checkLogin(ctx context.Context) error {
	a, ok, err := e.access(ctx)
	if err != nil || !ok {
		return err
	}
	if err := e.login(ctx, a); errors.Is(err, errRefused) {
		return err
	}
	return nil
}

// errRefused is Grafana refusing credentials.
var errRefused = errors.New("refuses")

// errSilent is a Grafana that cannot be reached.
var errSilent = errors.New("does not answer")

// login asks Grafana one question with the content's credentials. Terraform's provider would ask many at once, and
// Grafana locks a user out for five minutes after five wrong passwords.
func (e *Environment) login(ctx context.Context, a contentSecrets) error {
	if a.URL == "" || a.Auth == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	resp, err := grafana{client: e.Client, secrets: a}.do(ctx, "/api/org")
	if err != nil {
		return fmt.Errorf("the Grafana of %s %w: %w", e.rootName("content"), errSilent, err)
	}
	_ = resp.Body.Close()
	user, _, basic := strings.Cut(a.Auth, ":")
	switch {
	case resp.StatusCode != http.StatusUnauthorized:
		return nil
	case e.Name == Local && os.Getenv("GRAFANA_URL") == "":
		return fmt.Errorf("Grafana at %s %w the password of %s/secrets.auto.tfvars.json for its user admin, "+
			"so it was set up with another one: put that one there, or begin with an empty Grafana (make down up); nothing of it was planned", a.URL, errRefused, e.rootName("platform"))
	case basic:
		return fmt.Errorf("Grafana at %s %w the password for its user %s: correct GRAFANA_AUTH (or grafana_auth); nothing of it was planned", a.URL, errRefused, user)
	}
	return fmt.Errorf("Grafana at %s %w the token: correct GRAFANA_AUTH (or grafana_auth); nothing of it was planned", a.URL, errRefused)
}

// checkContent refuses a plan of the content that would go wrong, before anything is created. What an interrupted apply has
// left in Grafana is taken over, and then it asks for a new plan.
func (e *Environment) checkContent(ctx context.Context, plan Plan) (replan bool, err error) {
	problems, left, err := e.inGrafana(ctx, plan)
	if err != nil {
		return false, err
	}
	for _, o := range left {
		if !e.interrupted {
			break
		}
		if err := e.run(ctx, "content", "import", "-no-color", "-input=false", "-lock-timeout=120s", o.address, o.id); err != nil {
			return false, err
		}
		e.Progress.Note("took over " + o.address + ", which an interrupted apply had not recorded")
		replan = true
	}
	if err := refusal(problems); err != nil {
		return false, err
	}
	return replan, nil
}

// contentProblems are the reasons why a plan of the content would be refused.
func (e *Environment) contentProblems(ctx context.Context, plan Plan) ([]string, error) {
	problems, _, err := e.inGrafana(ctx, plan)
	return problems, err
}

// unrecorded is an object of Grafana's that a plan would create a second time.
type unrecorded struct{ address, id string }

// inGrafana looks in Grafana for what a plan is about to create. What an interrupted apply has left there can be taken
// over. Anything else that is there already is not this state's, and creating it a second time would fail half-way, or
// worse: a second contact point of one name sends every notification twice.
func (e *Environment) inGrafana(ctx context.Context, plan Plan) (problems []string, left []unrecorded, err error) {
	if planned, ok := plan.Variables["alerting"].Value.(string); ok && e.alerting != "" && planned != e.alerting {
		return []string{fmt.Sprintf("alerting is %q in %s but %q in %s, so alerts would come twice or not at all: set it to the same in both",
			planned, e.rootName("content"), e.alerting, e.rootName("platform"))}, nil, nil
	}
	a, ok, err := e.access(ctx)
	if err != nil || !ok || a.Auth == "" {
		return nil, nil, err
	}
	g := grafana{client: e.Client, secrets: a, answers: map[string][]byte{}}
	problems, err = foreign(ctx, g, plan)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range plan.ResourceChanges {
		find, ok := finders[c.Type]
		if !ok || !c.creates() || c.Change.Before != nil {
			continue
		}
		id, err := find(ctx, g, c.Change.After)
		if err != nil {
			return nil, nil, err
		}
		if id == "" {
			continue
		}
		if left = append(left, unrecorded{c.Address, id}); !e.interrupted {
			problems = append(problems, fmt.Sprintf("the %s %q is in Grafana already and not in this state: "+
				"take it over with `terraform -chdir=%s import '%s' '%s'`, or remove it in Grafana",
				words[c.Type], id, e.rootName("content"), c.Address, id))
		}
	}
	return problems, left, nil
}

// words are what people call the types of finders.
var words = map[string]string{
	"grafana_folder":        "folder",
	"grafana_data_source":   "data source",
	"grafana_contact_point": "contact point",
	"grafana_rule_group":    "rule group",
}

// finders look for the object that a planned resource would be, for the types whose creation fails when
// it is there already. They return the provider's import id, or "".
var finders = map[string]func(ctx context.Context, g grafana, planned map[string]any) (id string, err error){
	"grafana_folder":        byUID("/api/folders?limit=1000"),
	"grafana_data_source":   byUID("/api/datasources"),
	"grafana_contact_point": findContactPoint,
	"grafana_rule_group":    findRuleGroup,
}

func byUID(path string) func(context.Context, grafana, map[string]any) (string, error) {
	return func(ctx context.Context, g grafana, planned map[string]any) (string, error) {
		uid, _ := planned["uid"].(string)
		if uid == "" {
			return "", nil
		}
		var objects []struct {
			UID string `json:"uid"`
		}
		if err := g.get(ctx, path, &objects); err != nil {
			return "", err
		}
		for _, o := range objects {
			if o.UID == uid {
				return uid, nil
			}
		}
		return "", nil
	}
}

// findContactPoint goes by the name: Grafana chooses the uid.
func findContactPoint(ctx context.Context, g grafana, planned map[string]any) (string, error) {
	name, _ := planned["name"].(string)
	var points []struct {
		Name string `json:"name"`
	}
	if err := g.get(ctx, "/api/v1/provisioning/contact-points", &points); err != nil {
		return "", err
	}
	for _, p := range points {
		if p.Name == name {
			return name, nil
		}
	}
	return "", nil
}

func findRuleGroup(ctx context.Context, g grafana, planned map[string]any) (string, error) {
	name, _ := planned["name"].(string)
	// Not known while the folder itself is yet to be created or taken over.
	folder, _ := planned["folder_uid"].(string)
	if folder == "" {
		return "", nil
	}
	var rules []struct {
		Folder string `json:"folderUID"`
		Group  string `json:"ruleGroup"`
	}
	if err := g.get(ctx, "/api/v1/provisioning/alert-rules", &rules); err != nil {
		return "", err
	}
	for _, r := range rules {
		if r.Folder == folder && r.Group == name {
			return folder + ":" + name, nil
		}
	}
	return "", nil
}

// grafana asks a Grafana.
type grafana struct {
	client  *http.Client
	secrets contentSecrets
	// answers are those that were had already, by path.
	answers map[string][]byte
}

func (g grafana) get(ctx context.Context, path string, v any) error {
	if data, ok := g.answers[path]; ok {
		return json.Unmarshal(data, v)
	}
	resp, err := g.do(ctx, path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("asking Grafana for %s: it answers %s", path, resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return err
	}
	if g.answers != nil {
		g.answers[path] = data
	}
	return json.Unmarshal(data, v)
}

func (g grafana) do(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(g.secrets.URL, "/")+path, nil)
	if err != nil {
		return nil, err
	}
	if user, password, basic := strings.Cut(g.secrets.Auth, ":"); basic {
		req.SetBasicAuth(user, password)
	} else {
		req.Header.Set("Authorization", "Bearer "+g.secrets.Auth)
	}
	return g.client.Do(req)
}
