package environment

import (
	"context"
	"fmt"
	"strings"
)

// foreign names what the folders that a plan deletes hold besides what Terraform made: Grafana deletes it with them.
// The provider looks for it itself from Grafana 10.2 on, but only after everything else was changed.
func foreign(ctx context.Context, g grafana, plan Plan) (problems []string, err error) {
	var folders []map[string]any
	// What Terraform knows, by uid of the dashboard or by folder and name of the rule group.
	own := map[string]bool{}
	for _, c := range plan.ResourceChanges {
		before := c.Change.Before
		switch {
		case before == nil:
		case c.Type == "grafana_folder" && c.deletes():
			folders = append(folders, before)
		case c.Type == "grafana_dashboard":
			own[fmt.Sprint(before["uid"])] = true
		case c.Type == "grafana_rule_group":
			own[fmt.Sprint(before["folder_uid"], "/", before["name"])] = true
		}
	}
	if len(folders) == 0 {
		return nil, nil
	}
	var found []struct {
		UID    string `json:"uid"`
		Title  string `json:"title"`
		Type   string `json:"type"`
		Folder string `json:"folderUid"`
	}
	if err := g.get(ctx, "/api/search?limit=5000", &found); err != nil {
		return nil, err
	}
	var rules []struct {
		Title  string `json:"title"`
		Folder string `json:"folderUID"`
		Group  string `json:"ruleGroup"`
	}
	if err := g.get(ctx, "/api/v1/provisioning/alert-rules", &rules); err != nil {
		return nil, err
	}
	for _, f := range folders {
		var inside []string
		for _, d := range found {
			if d.Folder == f["uid"] && !own[d.UID] {
				inside = append(inside, fmt.Sprintf("the %s %q", map[bool]string{true: "folder", false: "dashboard"}[d.Type == "dash-folder"], d.Title))
			}
		}
		for _, r := range rules {
			if r.Folder == f["uid"] && !own[r.Folder+"/"+r.Group] {
				inside = append(inside, fmt.Sprintf("the alert rule %q", r.Title))
			}
		}
		if len(inside) > 0 {
			problems = append(problems, fmt.Sprintf("the folder %q would be deleted together with what Terraform did not make in it, %s: "+
				"move that to another folder in Grafana, or keep the directory of the folder", f["title"], strings.Join(inside, ", ")))
		}
	}
	return problems, nil
}

func (c ResourceChange) deletes() bool {
	for _, a := range c.Change.Actions {
		if a == "delete" {
			return true
		}
	}
	return false
}
