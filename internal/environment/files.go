package environment

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"lookout/internal/lint"
	"lookout/internal/promql"
	"lookout/internal/rules"
)

// checkFiles refuses what a person may have got wrong in files that Terraform can only name, not point
// into: dashboards that are not JSON, two dashboards with one uid, and rule files that say something
// unknown.
func checkFiles(repo string) error {
	var problems []string
	uids := map[string]string{}
	root := filepath.Join(repo, "dashboards")
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".json" {
			return err
		}
		rel, err := filepath.Rel(repo, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if filepath.Dir(path) == root {
			// The folder itself holds no dashboards; lock.json of imports is there.
			return nil
		}
		if problem := checkDashboard(rel, data); problem != "" {
			problems = append(problems, problem)
			return nil
		}
		uid := strings.TrimSuffix(filepath.Base(path), ".json")
		if other, ok := uids[uid]; ok {
			problems = append(problems, fmt.Sprintf("%s and %s have one uid, %q: a dashboard's file name is its uid, so rename one of them", other, rel, uid))
			return nil
		}
		uids[uid] = rel
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	keyword, err := keyword(repo)
	if err != nil {
		return err
	}
	_, wrong, err := rules.CheckRepository(os.DirFS(repo), promql.NewParser(), keyword)
	switch wrong = wrong.Serious(); {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case len(wrong) > 0:
		problems = append(problems, wrong.Error())
	}
	if len(problems) > 0 {
		return errors.New(strings.Join(problems, "\n") + "\nnothing was changed")
	}
	return nil
}

// keyword is what the robots' security settings ask for, as .lookout.yaml has it.
func keyword(repo string) (string, error) {
	const name = ".lookout.yaml"
	data, err := os.ReadFile(filepath.Join(repo, name))
	if errors.Is(err, fs.ErrNotExist) {
		return lint.DefaultConfig().Keyword, nil
	}
	if err != nil {
		return "", err
	}
	cfg, err := lint.ParseConfig(name, data)
	return cfg.Keyword, err
}

// Check refuses what can be seen to be wrong before Terraform is asked.
func (e *Environment) Check(ctx context.Context) error {
	if err := checkFiles(e.Repo); err != nil {
		return err
	}
	return e.findTerraform(ctx)
}

func checkDashboard(name string, data []byte) string {
	var v struct {
		UID *string `json:"uid"`
	}
	err := json.Unmarshal(data, &v)
	if err == nil {
		stem := strings.TrimSuffix(filepath.Base(name), ".json")
		if v.UID != nil && *v.UID != "" && *v.UID != stem {
			return fmt.Sprintf("%s: its \"uid\" is %q, but a dashboard's file name is its uid: rename the file or change the uid to %q", name, *v.UID, stem)
		}
		return ""
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		line, column := position(data, syntax.Offset)
		return fmt.Sprintf("%s:%d:%d: not JSON: %v", name, line, column, err)
	case errors.As(err, &kind):
		line, column := position(data, kind.Offset)
		return fmt.Sprintf("%s:%d:%d: not a dashboard: %v", name, line, column, err)
	}
	return fmt.Sprintf("%s: %v", name, err)
}

// position turns the offset just behind a wrong byte into line and column, both from 1.
func position(data []byte, offset int64) (line, column int) {
	before := data[:min(int(max(offset-1, 0)), len(data))]
	line = bytes.Count(before, []byte("\n")) + 1
	return line, len(before) - bytes.LastIndexByte(before, '\n')
}
