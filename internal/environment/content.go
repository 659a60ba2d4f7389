package environment

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// adoptContent takes over what an interrupted apply has created in Grafana without recording it:
// what is taken could not be created again, and in local it is nobody else's. Everything else of the
// content is written over by its name when it is applied again.
func (e *Environment) adoptContent(ctx context.Context, plan Plan) (bool, error) {
	if !e.interrupted || e.Name != Local {
		return false, nil
	}
	var secrets contentSecrets
	if err := e.readVars("content", "secrets", &secrets); err != nil {
		return false, err
	}
	g := grafana{client: e.Client, secrets: secrets}
	adopted := false
	for _, c := range plan.ResourceChanges {
		find, ok := finders[c.Type]
		if !ok || !c.creates() || c.Change.Before != nil {
			continue
		}
		id, err := find(ctx, g, c.Change.After)
		if err != nil {
			return false, err
		}
		if id == "" {
			continue
		}
		if err := e.run(ctx, "content", "import", "-no-color", "-input=false", "-lock-timeout=120s", c.Address, id); err != nil {
			return false, err
		}
		e.Progress.Note("took over " + c.Address + ", which an interrupted apply had not recorded")
		adopted = true
	}
	return adopted, nil
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

// grafana asks the local environment's Grafana.
type grafana struct {
	client  *http.Client
	secrets contentSecrets
}

func (g grafana) get(ctx context.Context, path string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(g.secrets.URL, "/")+path, nil)
	if err != nil {
		return err
	}
	user, password, _ := strings.Cut(g.secrets.Auth, ":")
	req.SetBasicAuth(user, password)
	resp, err := g.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("asking Grafana for %s: it answers %s", path, resp.Status)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, 64<<20)).Decode(v)
}
