package environment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/zclconf/go-cty/cty"
	"go.yaml.in/yaml/v3"

	"lookout/internal/docker"
	"lookout/internal/rootconfig"
	"lookout/internal/stack"
	"lookout/internal/toolchain"
)

// generated are the *.auto.tfvars.json files that programs here write, by the first part of their names.
var generated = []string{"alerting", "delivery", "grafana", "images", "name", "secrets"}

// A rootFiles is a root as its files and the environment's variables describe it.
type rootFiles struct {
	module *rootconfig.Module
	// all are the values of its variables, own those that a person has set.
	all, own map[string]rootconfig.Value
	eval     *rootconfig.Evaluator
}

func isGenerated(file string) bool {
	name, ok := strings.CutSuffix(file, ".auto.tfvars.json")
	return ok && slices.Contains(generated, name)
}

// files reads a root without Terraform.
func (e *Environment) files(root string) (f rootFiles, err error) {
	dir := e.root(root)
	if f.module, err = rootconfig.Load(dir); err != nil {
		return f, err
	}
	if f.all, err = rootconfig.Values(e.Repo, dir, f.module, os.Environ(), nil); err != nil {
		return f, err
	}
	if f.own, err = rootconfig.Values(e.Repo, dir, f.module, os.Environ(), isGenerated); err != nil {
		return f, err
	}
	f.eval = rootconfig.NewEvaluator(f.module, f.all)
	return f, nil
}

// text is a variable's value where it is a string, else "".
func (f rootFiles) text(name string) string {
	value, err := f.eval.Variable(name)
	if err != nil {
		return ""
	}
	return rootconfig.Text(value)
}

// call is the module block by which a root uses one of stacks/; "" if it uses none.
func (f rootFiles) call(name string) string {
	for _, call := range slices.Sorted(maps.Keys(f.module.Calls)) {
		if filepath.Base(f.module.Calls[call].Module.Dir) == name {
			return call
		}
	}
	return ""
}

// WithEngine returns a context whose Docker calls go to the engine that the environment names as docker_host.
func (e *Environment) WithEngine(ctx context.Context) (context.Context, error) {
	f, err := e.files("platform")
	if err != nil {
		return ctx, err
	}
	return docker.WithHost(ctx, f.text("docker_host")), nil
}

// preflight finds what is missing or wrong in the files, variables and secrets of the environment before anything is built,
// pulled or planned, so that one message has all of it.
func (e *Environment) preflight(ctx context.Context) error {
	problems, err := e.missing(ctx)
	if err != nil {
		return err
	}
	return refusal(problems)
}

func (e *Environment) missing(ctx context.Context) (problems []string, err error) {
	platform, err := e.files("platform")
	if err != nil {
		return nil, err
	}
	content, err := e.files("content")
	if err != nil {
		return nil, err
	}
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }

	for _, root := range []struct {
		name         string
		files, other rootFiles
	}{{"platform", platform, content}, {"content", content, platform}} {
		unknown, err := rootconfig.Undeclared(e.Repo, e.root(root.name), root.files.module, os.Environ(), root.other.module)
		if err != nil {
			return nil, err
		}
		for _, p := range append(unknown, rootconfig.UnknownKeys(e.Repo, root.files.module, root.files.own)...) {
			if words := p.String(); !slices.Contains(problems, words) {
				problems = append(problems, words)
			}
		}
	}
	hasContent := e.hasGrafana() || e.namesGrafana(platform)
	for _, root := range []string{"platform", "content"} {
		config := filepath.Join(e.root(root), "backend.hcl")
		if (root == "platform" || hasContent) && !exists(config) && exists(config+".example") {
			add("%s/backend.hcl is missing, which says where the state is kept: copy backend.hcl.example there and fill it in", e.rootName(root))
		}
	}
	problems = append(problems, e.unset("platform", platform)...)
	if hasContent {
		problems = append(problems, e.unset("content", content)...)
	}
	problems = append(problems, e.missingGrafana(ctx, platform, content)...)
	if e.onThisHost(ctx) {
		problems = append(problems, missingSecrets(e.rootName("platform"), platform)...)
	}
	problems = append(problems, e.missingWay(platform, content, hasContent, len(problems) > 0)...)
	return problems, nil
}

// unset are the variables of a root that have to be set and are not.
func (e *Environment) unset(root string, f rootFiles) (problems []string) {
	for _, name := range slices.Sorted(maps.Keys(f.module.Variables)) {
		if _, set := f.all[name]; set || f.module.Variables[name].Default != nil {
			continue
		}
		problems = append(problems, fmt.Sprintf("%s: the variable %s is not set: write it into terraform.tfvars there, or set TF_VAR_%s", e.rootName(root), name, name))
	}
	return problems
}

// namesGrafana reports whether a person names an image of Grafana for this environment.
func (e *Environment) namesGrafana(platform rootFiles) bool {
	return os.Getenv(toolchain.Variable("grafana")) != "" || rootconfig.Text(rootconfig.Get(platform.own["images"].Value, "grafana")) != ""
}

// missingGrafana is what is missing to log in to Grafana, or speaks for its being another environment's.
func (e *Environment) missingGrafana(ctx context.Context, platform, content rootFiles) (problems []string) {
	given := contentSecrets{URL: os.Getenv("GRAFANA_URL"), Auth: os.Getenv("GRAFANA_AUTH")}
	set := contentSecrets{URL: rootconfig.Text(content.own["grafana_url"].Value), Auth: rootconfig.Text(content.own["grafana_auth"].Value)}
	runs := given.URL == "" && set.URL == "" && (e.plansGrafana() || e.namesGrafana(platform))
	at, auth := cmp.Or(set.URL, given.URL), cmp.Or(set.Auth, given.Auth)
	switch {
	case at != "" && auth == "":
		problems = append(problems, fmt.Sprintf("GRAFANA_URL is set to %s but GRAFANA_AUTH is not: set it to a service account's token or user:password", at))
	case at == "" && given.Auth != "" && !runs && e.Name != Local:
		problems = append(problems, "GRAFANA_AUTH is set but GRAFANA_URL is not: set it to the address of that Grafana")
	}
	if at != "" {
		if u, err := url.Parse(at); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			problems = append(problems, fmt.Sprintf("GRAFANA_URL is %q, which is not an address: write for example https://grafana.example.com", at))
		} else if whose := e.othersGrafana(ctx, u); whose != "" {
			problems = append(problems, fmt.Sprintf("GRAFANA_URL is %s, which belongs to %s: unset it, or name the Grafana of %s", at, whose, e.Name))
		}
	}
	if runs && e.Name != Local && platform.text("grafana_admin_password") == "" {
		problems = append(problems, "grafana_admin_password is not set, and this environment runs a Grafana: set TF_VAR_grafana_admin_password, "+
			"for example to \"$(openssl rand -base64 18)\", and keep it where you keep passwords")
	}
	return problems
}

// othersGrafana names another environment or stack that an address is known to belong to; "" if there is none.
func (e *Environment) othersGrafana(ctx context.Context, at *url.URL) string {
	names, err := Names(e.Repo)
	if err != nil {
		return ""
	}
	same := func(address string) bool {
		u, err := url.Parse(address)
		return err == nil && address != "" && strings.EqualFold(u.Host, at.Host)
	}
	for _, name := range names {
		if name == e.Name {
			continue
		}
		other := *e
		other.Name = name
		platform, err := other.files("platform")
		if err != nil {
			continue
		}
		addresses := []string{rootconfig.Text(platform.all["root_url"].Value)}
		if content, err := other.files("content"); err == nil && name != Local {
			addresses = append(addresses, rootconfig.Text(content.own["grafana_url"].Value))
		}
		if slices.ContainsFunc(addresses, same) {
			return "the environment " + name
		}
	}
	ip := net.ParseIP(at.Hostname())
	if at.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return ""
	}
	own, err := e.ownership(ctx)
	if err != nil {
		return ""
	}
	containers, err := docker.List(ctx, docker.Container, "label="+stack.LabelEnvironment)
	if err != nil {
		// No engine yet, and so no Grafana of one.
		return ""
	}
	for _, c := range containers {
		if name := c.Labels[stack.LabelEnvironment]; slices.Contains(c.Ports, at.Port()) && name != own.Name {
			return "the stack " + name
		}
	}
	return ""
}

// missingWay is the error of an environment in which no one would be notified that the relay is down. Which engine evaluates
// may not be known before the images are: then it is said only next to something else that has to be set anyway.
func (e *Environment) missingWay(platform, content rootFiles, hasContent, others bool) (problems []string) {
	call := platform.call("platform")
	notification, ok := platform.eval.Argument(call, "notification")
	engine := platform.text("alerting")
	if engine == "" && hasContent {
		engine = "grafana"
	}
	if e.Name == Local || call == "" {
		return nil
	}
	way := rootconfig.Get(notification, "about_delivery")
	if _, here := platform.module.Variables["notification"]; ok && here && engine != "grafana" && empty(way) && (engine == "prometheus" || others || e.knownWithoutGrafana()) {
		problems = append(problems, fmt.Sprintf("%s: notification.about_delivery is not set, so no one would be notified that the relay is down%s: write "+
			"notification = {about_delivery = {robot_file = \"watch.url\"}} (a file below secrets_directory, alertmanager/), {webhook = \"https://…\"} or {email = [\"…\"]} into terraform.tfvars",
			e.rootName("platform"), map[bool]string{true: " (needed unless this environment has a Grafana)"}[engine == "" && !e.knownWithoutGrafana()]))
	}
	if v := content.module.Variables["about_delivery"]; v != nil && engine == "grafana" && content.text("delivery") != "native" {
		if way, err := content.eval.Variable("about_delivery"); err == nil && empty(way) {
			problems = append(problems, fmt.Sprintf("%s: about_delivery is not set, so no one would be notified that the relay is down: write "+
				"about_delivery = {email = [\"oncall@example.com\"]}, {webhook = \"https://…\"} or {robot = \"watch\"} into terraform.tfvars", e.rootName("content")))
		}
	}
	return problems
}

func empty(v cty.Value) bool {
	if v == cty.NilVal || v.IsNull() {
		return true
	}
	return v.IsKnown() && v.CanIterateElements() && v.LengthInt() == 0
}

// knownWithoutGrafana reports whether an earlier run has found that no image of Grafana is to be had.
func (e *Environment) knownWithoutGrafana() bool {
	origins, err := toolchain.OpenOrigins(e.cache("origin.json"), e.Origin)
	return err == nil && origins.Image("grafana").From == toolchain.Absent
}

// A secret is a file on the Docker host that a configuration names.
type secret struct {
	// path is the file's on the host, by where it is named.
	path, by string
}

// wantedSecrets are the files that the relay, Prometheus, Alertmanager and the console are told to read.
func wantedSecrets(root string, f rootFiles) (secrets []secret) {
	call := f.call("platform")
	if call == "" {
		return nil
	}
	seen := map[string]bool{}
	add := func(dir, file, by string) {
		if path := filepath.Join(dir, file); dir != "" && file != "" && !seen[path] {
			seen[path] = true
			secrets = append(secrets, secret{path, by})
		}
	}
	relay, _ := f.eval.Argument(call, "relay")
	if f.text("delivery") == native {
		relay = cty.NilVal
	}
	dir := rootconfig.Text(rootconfig.Get(relay, "secrets_directory"))
	var config any
	if yaml.Unmarshal([]byte(rootconfig.Text(rootconfig.Get(relay, "config"))), &config) == nil {
		mounted(config, func(file string) { add(dir, file, root+"/relay.yaml") })
	}
	// The directories of the others are null where no file is named.
	prometheus, _ := f.eval.Argument(call, "secrets_directory")
	jobs, _ := f.eval.Argument(call, "scrape_jobs")
	named(jobs, func(path []string, file string) {
		add(rootconfig.Text(prometheus), file, "scrape_jobs."+strings.Join(path, "."))
	})
	notification, _ := f.eval.Argument(call, "notification")
	dir = rootconfig.Text(rootconfig.Get(notification, "secrets_directory"))
	named(notification, func(path []string, file string) { add(dir, file, "notification."+strings.Join(path, ".")) })
	console, _ := f.eval.Argument(call, "console")
	dir = rootconfig.Text(rootconfig.Get(console, "secrets_directory"))
	named(console, func(path []string, file string) { add(dir, file, "console."+strings.Join(path, ".")) })
	return secrets
}

// mounted visits what a relay's configuration names below /secrets.
func mounted(v any, visit func(file string)) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			mounted(v[key], visit)
		}
	case []any:
		for _, one := range v {
			mounted(one, visit)
		}
	case string:
		if file, ok := strings.CutPrefix(v, "/secrets/"); ok {
			visit(file)
		}
	}
}

// named visits the values of keys that end in _file.
func named(v cty.Value, visit func(path []string, file string)) {
	rootconfig.Strings(v, func(path []string, text string) {
		if len(path) > 0 && strings.HasSuffix(path[len(path)-1], "_file") {
			visit(path, text)
		}
	})
}

// onThisHost reports whether the engine is this machine's, so that its files can be looked at. Another machine's are for the
// check in a container of that engine to find.
func (e *Environment) onThisHost(ctx context.Context) bool {
	host := docker.Host(ctx)
	return e.local || host == "" || strings.HasPrefix(host, "unix://")
}

// missingSecrets names the files that are not on the Docker host, or that the containers' user cannot read there.
func missingSecrets(root string, f rootFiles) (problems []string) {
	for _, s := range wantedSecrets(root, f) {
		info, err := os.Stat(s.path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			problems = append(problems, fmt.Sprintf("the secret %s is not there, which %s names: put it there, readable by uid %d "+
				"(install -D -m 0640 -o root -g %d /dev/stdin %s)", s.path, s.by, nobody, nobody, s.path))
		case err != nil:
			// Whoever runs this may not look there; the check in a container says whether it can be read.
		case info.IsDir():
			problems = append(problems, fmt.Sprintf("the secret %s is a directory, and %s names it as a file: put a file there", s.path, s.by))
		case info.Size() == 0:
			problems = append(problems, fmt.Sprintf("the secret %s is empty, which %s names: write it again", s.path, s.by))
		default:
			if at := unreadable(s.path); at != "" {
				problems = append(problems, fmt.Sprintf("the secret %s cannot be read by uid %d, which the containers run as: chgrp %d %s and chmod g+r%s it",
					s.path, nobody, nobody, at, map[bool]string{true: "x"}[at != s.path]))
			}
		}
	}
	return problems
}

// nobody is the user and group that containers run as.
const nobody = 65534

// unreadable is the file, or the folder above it, that keeps nobody from reading a path; "" if nothing does. Folders that
// belong to the engine's own mount are not looked through, since a mount begins at the folder of the file.
func unreadable(path string) string {
	for at, want := range map[string]uint32{path: 4, filepath.Dir(path): 1} {
		info, err := os.Stat(at)
		if err != nil {
			return ""
		}
		owner, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return ""
		}
		bits := uint32(info.Mode().Perm())
		switch {
		case owner.Uid == nobody:
			bits >>= 6
		case owner.Gid == nobody:
			bits >>= 3
		}
		if bits&want == 0 {
			return at
		}
	}
	return ""
}

// native is the delivery without a relay.
const native = "native"

// handOnDelivery tells each root what a person has said of the delivery in the other: a relay that nothing reaches would raise the
// alarm that its heartbeat is missing, and without one nothing would be delivered.
func (e *Environment) handOnDelivery() error {
	said := map[string]string{}
	for _, root := range []string{"platform", "content"} {
		f, err := e.files(root)
		if err != nil {
			return err
		}
		if f.module.Variables["delivery"] == nil {
			return nil
		}
		said[root] = rootconfig.Text(f.own["delivery"].Value)
	}
	if said["platform"] != "" && said["content"] != "" && said["platform"] != said["content"] {
		return fmt.Errorf("delivery is %q in %s but %q in %s: set it to the same in both, or in one of them only",
			said["platform"], e.rootName("platform"), said["content"], e.rootName("content"))
	}
	for root, other := range map[string]string{"platform": "content", "content": "platform"} {
		file := e.varsPath(root, "delivery")
		if said[root] != "" || said[other] == "" {
			if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			continue
		}
		if err := e.writeVars(root, "delivery", 0o644, map[string]string{"delivery": said[other]}); err != nil {
			return err
		}
	}
	return nil
}

// waiting is the reason why a plan that removes the relay's spool has to wait: what has not been delivered yet would be lost.
func (e *Environment) waiting(ctx context.Context, plan Plan) (problems []string) {
	for _, c := range plan.ResourceChanges {
		name, _ := c.Change.Before["name"].(string)
		if c.Type != "docker_volume" || !c.deletes() || c.creates() || !strings.HasSuffix(name, "-relay-spool") {
			continue
		}
		urls, err := e.endpoints(ctx)
		if err != nil || urls["relay"] == "" {
			continue
		}
		if d, err := e.delivery(ctx, urls["relay"]); err == nil && d.Waiting+d.DeadLetters > 0 {
			problems = append(problems, fmt.Sprintf("%d deliveries and %d dead letters wait in the volume %s, which goes with the relay: "+
				"apply again when `make status ENV=%s` says 0 (the relay's page re-sends or drops dead letters)", d.Waiting, d.DeadLetters, name, e.Name))
		}
	}
	return problems
}

// ownImages are the images that a person has set for the platform, by role: they win over what is found or built.
func (e *Environment) ownImages() (map[string]string, string, error) {
	f, err := e.files("platform")
	if err != nil {
		return nil, "", err
	}
	images := map[string]string{}
	for _, role := range toolchain.Roles() {
		if image := rootconfig.Text(rootconfig.Get(f.own["images"].Value, role)); image != "" {
			images[role] = image
		}
	}
	return images, f.own["images"].Where, nil
}

// failedChecks are arguments for a plan that makes anew what has checked a configuration and refused it: whatever it did not find
// may be there now, and the refusal would stay in the state.
func (e *Environment) failedChecks(ctx context.Context, root string) (args []string, err error) {
	if root != "platform" {
		return nil, nil
	}
	s, err := e.readState(ctx, root)
	if err != nil {
		return nil, err
	}
	for _, r := range s.resources() {
		code, _ := r.Attributes["exit_code"].(float64)
		if r.Type == "docker_container" && r.Name == "check" && code != 0 {
			args = append(args, "-replace="+r.Address)
		}
	}
	return args, nil
}
