// Package inputs reads what the files that commands are given hold: dashboards, alert rules, or something else, which is named with the reason.
package inputs

import (
	"context"
	"errors"
	"path"

	"lookout/internal/catalog"
	"lookout/internal/dashboard"
	"lookout/internal/lint"
	"lookout/internal/rules"
	"lookout/internal/source"
)

// Visitor is given what the files hold, one at a time so that only one is in memory.
type Visitor struct {
	Dashboard func(*dashboard.Dashboard)
	Rules     func(*rules.File)
	// Keep means that dashboards are held on to after Dashboard returns; otherwise the next one is read into their memory.
	Keep bool
	// Broken is given what must be readable and is not: the rule of the finding, the place, and what is wrong.
	Broken func(rule string, at dashboard.Position, msg string)
}

// Visit reads the files and returns those that hold something else.
func Visit(ctx context.Context, files []source.File, v Visitor) (skipped []source.Skip, err error) {
	var reader dashboard.Reader
	load := reader.Load
	if v.Keep {
		load = dashboard.Load
	}
	var buf []byte
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return skipped, err
		}
		data, err := f.Read(buf)
		if err != nil {
			if errors.Is(err, context.Canceled) {
				return skipped, err
			}
			v.Broken(lint.UnreadableID, dashboard.Position{File: f.Name, Line: 1, Column: 1}, err.Error())
			continue
		}
		buf = data
		if source.JSON(f.Name, data) {
			d, err := load(f.Name, data)
			at, msg, _ := dashboard.Problem(err)
			if errors.Is(err, dashboard.ErrNotDashboard) {
				// JSON is YAML, and so are rule files in it.
				if r := rules.Read(f.Name, data); r.Holds() {
					v.Rules(r)
					continue
				}
			}
			switch {
			case err == nil:
				v.Dashboard(d)
			case !errors.Is(err, dashboard.ErrNotDashboard):
				v.Broken(lint.JSONSyntaxID, at, msg)
			case f.Must && !isLock(f.Name, data):
				v.Broken(lint.UnreadableID, at, msg)
			default:
				skipped = append(skipped, skip(f, err))
			}
			continue
		}
		switch r := rules.Read(f.Name, data); {
		case r.Holds():
			v.Rules(r)
		case len(r.Problems) > 0 && f.Must:
			for _, p := range r.Problems {
				v.Broken(string(p.Kind), p.Position, p.Message)
			}
		case f.Must && r.Form != rules.Tests:
			v.Broken(lint.UnreadableID, dashboard.Position{File: f.Name, Line: 1, Column: 1}, notLookedAt(r.Form))
		default:
			skipped = append(skipped, source.Skip{File: f.Name, Reason: NotRules(r)})
		}
	}
	return skipped, nil
}

// isLock recognises the file in which import keeps what it brought in: it lies among the dashboards.
func isLock(name string, data []byte) bool {
	return path.Base(name) == catalog.LockName && catalog.IsLock(data)
}

// NotRules says why a file that holds no rules was passed over.
func NotRules(r *rules.File) string {
	if len(r.Problems) > 0 {
		return r.Problems[0].Message
	}
	return notLookedAt(r.Form)
}

// notLookedAt says why YAML was passed over.
func notLookedAt(form rules.Form) string {
	switch form {
	case rules.Tests, rules.Grafana:
		return string(form) + " are not looked at"
	case rules.Dashboard:
		return "it holds a dashboard, which is read from JSON only: save it as JSON, under a name that ends in .json"
	case rules.Empty:
		return "there is nothing in it"
	}
	return "no alert rules in it"
}

// Dashboards hands every dashboard among the files to visit, one at a time so that only one is held in memory. What must be a dashboard and is not goes to broken,
// as an error with its place; other JSON is passed over and named.
func Dashboards(ctx context.Context, files []source.File, visit func(*dashboard.Dashboard) error, broken func(error)) (skipped []source.Skip, err error) {
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return skipped, err
		}
		data, err := f.Read(nil)
		if err != nil {
			broken(err)
			continue
		}
		d, err := dashboard.Load(f.Name, data)
		switch {
		case err == nil:
			if err := visit(d); err != nil {
				return skipped, err
			}
		case errors.Is(err, dashboard.ErrNotDashboard) && (!f.Must || isLock(f.Name, data)):
			skipped = append(skipped, skip(f, err))
		default:
			broken(err)
		}
	}
	return skipped, nil
}

// skip is the entry for a file that is something else.
func skip(f source.File, err error) source.Skip {
	reason := err.Error()
	if _, msg, ok := dashboard.Problem(err); ok {
		reason = msg
	}
	return source.Skip{File: f.Name, Reason: reason}
}
