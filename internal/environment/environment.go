// Package environment brings an environment of envs/ up and down: what `make up`, `make init` and
// `make down` do around plain `terraform apply` in its two roots.
package environment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"lookout/internal/toolchain"
)

// Local is the environment whose secrets are generated and whose plans are applied without a question.
const Local = "local"

// An Environment is one folder of envs/ with its roots platform and content.
type Environment struct {
	// Name is the folder's name.
	Name string
	// Repo is the repository's root.
	Repo string
	// Origin chooses again where images and providers come from: auto, registry or modules. Empty keeps the choice.
	Origin string
	// Progress reports what is being done.
	Progress *toolchain.Progress
	// Out is for results, as opposed to progress.
	Out io.Writer
	// In answers questions; nil means that there is no terminal to ask at.
	In io.Reader
	// Client asks the stack's own pages and decides what can be reached.
	Client *http.Client
	// Log is for what only matters when something is wrong.
	Log *slog.Logger

	terraform toolchain.Terraform
	// interrupted says that the last apply of this environment did not come to its end.
	interrupted bool
	// content is where the content's Grafana is and how to log in to it, once that is known, for Terraform's calls.
	content contentSecrets
	// local says that the engine's files are this machine's whatever its address is, as in tests.
	local bool
	// alerting is the engine that evaluates alert rules, as the platform has it; "" until that is known.
	alerting string
}

// Open checks that the environment exists. The error names those that do.
func Open(e Environment) (*Environment, error) {
	names, err := Names(e.Repo)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if name == e.Name {
			return &e, nil
		}
	}
	return nil, fmt.Errorf("unknown environment %q: choose one of %s (ENV=…), or add envs/%s as CONTRIBUTING.md says",
		e.Name, strings.Join(names, ", "), e.Name)
}

// Names lists the environments of a repository.
func Names(repo string) ([]string, error) {
	roots, err := filepath.Glob(filepath.Join(repo, "envs", "*", "platform"))
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(roots))
	for _, root := range roots {
		names = append(names, filepath.Base(filepath.Dir(root)))
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no environment under %s: run this in a checkout of Lookout", filepath.Join(repo, "envs"))
	}
	sort.Strings(names)
	return names, nil
}

func (e *Environment) root(name string) string {
	return filepath.Join(e.Repo, "envs", e.Name, name)
}

// cache is the folder of what belongs to this checkout and can be made again.
func (e *Environment) cache(elem ...string) string {
	return filepath.Join(append([]string{e.Repo, ".cache"}, elem...)...)
}

// logPath is where Terraform's own words of one root go.
func (e *Environment) logPath(root string) string {
	return e.cache("log", e.Name+"-"+root+".log")
}

// Up brings the environment to the state that its files describe and says how to use it.
func (e *Environment) Up(ctx context.Context) error {
	if err := e.Init(ctx); err != nil {
		return err
	}
	if err := e.Apply(ctx); err != nil {
		return err
	}
	return e.Summary(ctx)
}

// Apply brings both roots up to date: the platform first, since the content lives in its Grafana. Without a Grafana
// there is no content to apply.
func (e *Environment) Apply(ctx context.Context) error {
	if err := e.findTerraform(ctx); err != nil {
		return err
	}
	release, err := e.exclusive(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := e.repair(ctx); err != nil {
		return err
	}
	if err := e.takeDownBuiltGrafana(ctx); err != nil {
		return err
	}
	if err := e.checkLogin(ctx); err != nil {
		return err
	}
	// From here on the record is this apply's own.
	done, err := e.begin()
	if err != nil {
		return err
	}
	if err := e.applyRoot(ctx, "platform", e.checkPlatform); err != nil {
		return err
	}
	if err := e.awaitHealthy(ctx); err != nil {
		return err
	}
	ready, err := e.contentReady(ctx)
	if err != nil {
		return err
	}
	if !ready {
		e.Progress.Step("Content", noGrafana)
		return done()
	}
	if err := e.applyRoot(ctx, "content", e.checkContent); err != nil {
		return err
	}
	return done()
}

// noGrafana is why the content root is left out.
const noGrafana = "skipped, since there is no Grafana: the console shows the dashboards, Prometheus evaluates the alert rules"

// Plan prints what Apply would change.
func (e *Environment) Plan(ctx context.Context) error {
	if err := e.findTerraform(ctx); err != nil {
		return err
	}
	release, err := e.exclusive(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := e.checkLogin(ctx); err != nil {
		return err
	}
	e.interrupted = exists(e.cache("apply", e.Name))
	if err := e.planRoot(ctx, "platform", e.platformProblems); err != nil {
		return err
	}
	ready, err := e.contentReady(ctx)
	if err != nil {
		return err
	}
	if !ready {
		why := noGrafana
		if e.plansGrafana() {
			why = "not planned yet, since its Grafana does not run: `make apply` starts it"
		}
		e.Progress.Step("Content", why)
		return nil
	}
	return e.planRoot(ctx, "content", e.contentProblems)
}

// planRoot prints what an apply of one root would change, or refuses what the apply would refuse: problems finds that in
// the plan, and no plan is shown then.
func (e *Environment) planRoot(ctx context.Context, root string, problems func(context.Context, Plan) ([]string, error)) error {
	file := e.cache("plan", e.Name+"-"+root+".tfplan")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	// A plan holds what its root's variables hold: nothing of it stays behind.
	defer os.Remove(file)
	args, err := e.planArgs(ctx, root, file)
	if err != nil {
		return err
	}
	out, err := e.output(ctx, root, args...)
	if err != nil && !errors.Is(err, errChanges) {
		return err
	}
	if err != nil {
		var plan Plan
		if err := e.query(ctx, &plan, root, "show", "-json", file); err != nil {
			return err
		}
		found, err := problems(ctx, plan)
		if err != nil {
			return err
		}
		if err := refusal(found); err != nil {
			return err
		}
	}
	// Where Terraform keeps the plan is of no use to anybody: the file goes with this command.
	out, _, _ = strings.Cut(reading.ReplaceAllString(out, ""), "\n─────")
	_, err = fmt.Fprintf(e.Out, "\n%s\n%s\n", e.rootName(root), strings.Trim(out, "\n"))
	return err
}

// refusal is the error of a plan that an apply would not carry out; nil without problems.
func refusal(problems []string) error {
	if len(problems) == 0 {
		return nil
	}
	return errors.New(strings.Join(problems, "\n") + "\nnothing was changed")
}

// reading matches the lines in which Terraform says what it looks at.
var reading = regexp.MustCompile(`(?m)^\S+: (Refreshing state|Reading|Still reading|Read complete).*\n`)

// asks reports whether changes of this environment are asked about.
func (e *Environment) asks() bool { return e.Name != Local && os.Getenv("YES") != "1" }

// production reports whether an environment is one whose name a person has to type: a "yes" is typed too easily.
func production(name string) bool { return strings.HasPrefix(name, "prod") }

// confirmed reports whether a change of an environment may go ahead: always in local, elsewhere when a person types
// "yes", in production its name, or has said so beforehand.
func (e *Environment) confirmed(what string) error {
	if !e.asks() {
		return nil
	}
	if e.In == nil {
		return fmt.Errorf("%s %s needs a yes, and there is no terminal to ask at: set YES=1 if you mean it", what, e.Name)
	}
	wanted := "yes"
	if production(e.Name) {
		wanted = e.Name
	}
	fmt.Fprintf(e.Out, "%s %s? Only %q goes on: ", what, e.Name, wanted)
	var answer string
	if _, err := fmt.Fscanln(e.In, &answer); err != nil || answer != wanted {
		return fmt.Errorf("%s %s was not confirmed; nothing was changed", what, e.Name)
	}
	return nil
}
