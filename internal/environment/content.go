package environment

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// adoptContent takes over what an interrupted apply has created in Grafana without recording it:
// folders and datasources whose uid is taken could neither be created again nor are they anybody
// else's. Everything else of the content is written over by its name when it is applied again.
func (e *Environment) adoptContent(ctx context.Context, plan Plan) (bool, error) {
	if !e.interrupted || e.Name != Local {
		return false, nil
	}
	var secrets contentSecrets
	if err := e.readVars("content", "secrets", &secrets); err != nil {
		return false, err
	}
	adopted := false
	for _, c := range plan.ResourceChanges {
		path, ok := lookups[c.Type]
		if !ok || !c.creates() || c.Change.Before != nil {
			continue
		}
		uid, _ := c.Change.After["uid"].(string)
		name, _ := c.Change.After["name"].(string)
		if uid == "" && name == "" {
			continue
		}
		id, err := find(ctx, e.Client, secrets, path, uid, name)
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

// lookups are the types whose creation fails when the object is there already, and where Grafana
// lists them.
var lookups = map[string]string{
	"grafana_folder":        "/api/folders?limit=1000",
	"grafana_data_source":   "/api/datasources",
	"grafana_contact_point": "/api/v1/provisioning/contact-points",
}

// find returns the provider's import id of an object, or "" if Grafana has none with that uid, or of
// that name where Grafana chooses the uid.
func find(ctx context.Context, client *http.Client, secrets contentSecrets, path, uid, name string) (string, error) {
	base, err := url.Parse(secrets.URL)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base.String()+path, nil)
	if err != nil {
		return "", err
	}
	user, password, _ := strings.Cut(secrets.Auth, ":")
	req.SetBasicAuth(user, password)
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("asking Grafana for %s: it answers %s", path, resp.Status)
	}
	var objects []struct {
		UID  string `json:"uid"`
		Name string `json:"name"`
	}
	if err := json.Unmarshal(body, &objects); err != nil {
		return "", err
	}
	for _, o := range objects {
		if uid != "" && o.UID == uid {
			return o.UID, nil
		}
		if uid == "" && name != "" && o.Name == name {
			// Contact points are imported by their name.
			return o.Name, nil
		}
	}
	return "", nil
}
