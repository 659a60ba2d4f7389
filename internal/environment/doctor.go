package environment

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"lookout/internal/docker"
	"lookout/internal/stack"
	"lookout/internal/toolchain"
)

// A Finding is one thing that the doctor looked at.
type Finding struct {
	// Name is what was looked at, Found what it is like.
	Name, Found string
	// Remedy is what to do about it; "" if nothing is wrong.
	Remedy string
	// Hint says that Lookout works without it: the remedy is advice.
	Hint bool
}

// Limits below which the doctor objects.
const (
	// minEngine is the oldest engine that is tested here, API 1.41.
	minEngineMajor, minEngineMinor = 20, 10
	// minFree is what images, caches and two weeks of a small team's series need, in bytes.
	minFree = 5 << 30
	// maxSkew is what a robot's signature (an hour) and the alignment of samples forgive, with room to spare.
	maxSkew = 30 * time.Second
)

// A Doctor looks for what keeps an environment from working. Its collaborators are functions, so that a test can have any
// machine it likes.
type Doctor struct {
	e *Environment
	// engine returns the engine's version, the folder of its data and its clock.
	engine func(ctx context.Context) (version, dir string, now time.Time, err error)
	// listen reports whether an address can be listened on.
	listen func(address string) error
	// space returns the free bytes of the disk below a path.
	space func(path string) (uint64, error)
	// lookup resolves a host's name.
	lookup func(ctx context.Context, host string) error
	// ask returns the time in an address' answer.
	ask func(ctx context.Context, address string) (time.Time, error)
	// tool returns what a program says of its version.
	tool func(ctx context.Context, name string, args ...string) (string, error)
	env  func(string) string
	now  func() time.Time
	// host is the engine's address, "" for the client's default.
	host func(context.Context) string
}

// NewDoctor is a doctor for this machine.
func (e *Environment) NewDoctor() *Doctor {
	return &Doctor{
		e: e, engine: engineInfo, listen: free, space: freeBytes, env: os.Getenv, now: time.Now, host: docker.Host,
		lookup: func(ctx context.Context, host string) error {
			_, err := net.DefaultResolver.LookupHost(ctx, host)
			return err
		},
		ask: e.date,
		tool: func(ctx context.Context, name string, args ...string) (string, error) {
			out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
			return strings.TrimSpace(string(out)), err
		},
	}
}

// Doctor prints what was found, and is an error if something has to be done.
func (e *Environment) Doctor(ctx context.Context) error {
	findings, err := e.NewDoctor().Examine(ctx)
	if err != nil {
		return err
	}
	wrong := 0
	for _, f := range findings {
		e.Progress.Step(f.Name, f.Found)
		switch {
		case f.Remedy == "":
		case f.Hint:
			e.Progress.Note("hint: " + f.Remedy)
		default:
			wrong++
			e.Progress.Note("to do: " + f.Remedy)
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%s of %d things looked at: what to do is below each", count(wrong, "problem"), len(findings))
	}
	fmt.Fprintf(e.Out, "\n0 problems in %d things looked at.\n", len(findings))
	return nil
}

// Examine looks at everything. The error is for what keeps it from looking.
func (d *Doctor) Examine(ctx context.Context) (findings []Finding, err error) {
	version, dir, engineNow, err := d.engine(ctx)
	findings = append(findings, d.judgeEngine(ctx, version, err))
	up := err == nil
	findings = append(findings, d.tools(ctx)...)
	findings = append(findings, d.disks(dir, up)...)
	findings = append(findings, d.network(ctx, engineNow)...)
	ports, err := d.ports(ctx, up)
	if err != nil {
		return nil, err
	}
	findings = append(findings, ports)
	return findings, ctx.Err()
}

func (d *Doctor) judgeEngine(ctx context.Context, version string, err error) Finding {
	f := Finding{Name: "Docker Engine", Found: version + " answers"}
	host := d.host(ctx)
	if host != "" {
		f.Found += " at " + host
	}
	major, minor := twoNumbers(version)
	switch {
	case err != nil && strings.Contains(err.Error(), "permission denied"):
		f.Found, f.Remedy = err.Error(), "add yourself to the group docker (sudo usermod -aG docker $USER, then log in again), or run make as root"
	case err != nil && host != "":
		f.Found, f.Remedy = err.Error(), "start the engine at "+host+", or correct docker_host (or DOCKER_HOST)"
	case err != nil:
		f.Found, f.Remedy = err.Error(), "start it (sudo systemctl start docker); as root on Debian or Ubuntu `make up` installs and starts one"
	case major < minEngineMajor || major == minEngineMajor && minor < minEngineMinor:
		f.Remedy = fmt.Sprintf("install Docker Engine %d.%d or newer", minEngineMajor, minEngineMinor)
	}
	return f
}

// twoNumbers are the first two numbers of a version.
func twoNumbers(version string) (major, minor int) {
	found := regexp.MustCompile(`(\d+)\.(\d+)`).FindStringSubmatch(version)
	if found == nil {
		return 0, 0
	}
	major, _ = strconv.Atoi(found[1])
	minor, _ = strconv.Atoi(found[2])
	return major, minor
}

// tools are the programs that have to be here.
func (d *Doctor) tools(ctx context.Context) (findings []Finding) {
	for _, t := range []struct {
		name   string
		args   []string
		remedy string
	}{
		{"go", []string{"version"}, "install Go as go.mod names it (https://go.dev/dl, or your distribution's golang)"},
		{"git", []string{"--version"}, "install git"},
		{"curl", []string{"--version"}, "install curl: Prometheus and Alertmanager are asked to reload with it"},
		{"docker", []string{"--version"}, "install the Docker client (the package docker-cli or docker.io)"},
	} {
		f := Finding{Name: t.name}
		out, err := d.tool(ctx, t.name, t.args...)
		if f.Found, _, _ = strings.Cut(out, "\n"); err != nil {
			f.Found, f.Remedy = "does not run: "+err.Error(), t.remedy
		}
		f.Found, _, _ = strings.Cut(f.Found, " (")
		if t.name == "go" && err == nil {
			f.Remedy = d.goVersion(f.Found)
		}
		findings = append(findings, f)
	}
	f := Finding{Name: "terraform"}
	if d.e.terraform.Path == "" {
		_ = d.e.findTerraform(ctx)
	}
	if tf := d.e.terraform; tf.Path != "" {
		f.Found = tf.Name + " " + tf.Version + " (" + tf.Path + ")"
	} else {
		f.Found, f.Remedy, f.Hint = "not chosen yet", "`make init` takes yours, or builds OpenTofu", true
	}
	return append(findings, f)
}

var goDirective = regexp.MustCompile(`(?m)^go (\d+\.\d+)`)

// goVersion compares Go with what go.mod asks for. A newer one is fetched by Go itself unless that was turned off.
func (d *Doctor) goVersion(found string) (remedy string) {
	data, err := os.ReadFile(filepath.Join(d.e.Repo, "go.mod"))
	wanted := goDirective.FindSubmatch(data)
	if err != nil || wanted == nil {
		return ""
	}
	major, minor := twoNumbers(found)
	wantMajor, wantMinor := twoNumbers(string(wanted[1]))
	if major > wantMajor || major == wantMajor && minor >= wantMinor {
		return ""
	}
	return fmt.Sprintf("install Go %s or newer, or let Go fetch it (GOTOOLCHAIN=auto)", wanted[1])
}

// disks are those of the engine and of the caches.
func (d *Doctor) disks(engine string, up bool) (findings []Finding) {
	places := map[string]string{}
	var names []string
	add := func(name, path string) {
		places[name] = path
		names = append(names, name)
	}
	// The engine's disk is another machine's where the engine is.
	if up && exists(engine) {
		add("disk (engine)", engine)
	}
	if root, err := toolchain.DefaultRoot(); err == nil {
		add("disk (cache)", root)
	}
	for _, name := range names {
		path := places[name]
		f := Finding{Name: name}
		n, err := d.space(path)
		switch {
		case err != nil:
			f.Found, f.Remedy = err.Error(), "make "+path+" readable"
		default:
			f.Found = fmt.Sprintf("%.1f GiB free at %s", float64(n)/(1<<30), path)
			if n < minFree {
				f.Remedy = fmt.Sprintf("free %.0f GiB: `docker system df` and `docker image prune` for the engine, `go clean -cache` for Go; "+
					"everything below the cache can be deleted and is made again", float64(minFree)/(1<<30))
			}
		}
		findings = append(findings, f)
	}
	return findings
}

// hosts are what is asked for over the network, with what for.
func (d *Doctor) hosts(ctx context.Context) (addresses, purposes []string) {
	// Go's own answer, since it may be set in the environment or by `go env -w`.
	proxy, err := d.tool(ctx, "go", "env", "GOPROXY")
	if err != nil {
		proxy = ""
	}
	for one := range strings.FieldsFuncSeq(proxy, func(r rune) bool { return r == ',' || r == '|' }) {
		if one != "direct" && one != "off" {
			addresses, purposes = append(addresses, one), append(purposes, "Go modules (GOPROXY)")
		}
	}
	if registry := d.env("IMAGE_REGISTRY"); registry != "" {
		host, _, _ := strings.Cut(registry, "/")
		addresses, purposes = append(addresses, "https://"+host+"/v2/"), append(purposes, "images (IMAGE_REGISTRY)")
	}
	for _, host := range d.e.chatHosts() {
		addresses, purposes = append(addresses, "https://"+host), append(purposes, "messages")
	}
	return addresses, purposes
}

// network looks at names, mirrors and the clock.
func (d *Doctor) network(ctx context.Context, engineNow time.Time) (findings []Finding) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	var clock time.Duration
	clockBy := ""
	addresses, purposes := d.hosts(ctx)
	for i, address := range addresses {
		u, err := url.Parse(address)
		if err != nil || u.Hostname() == "" {
			findings = append(findings, Finding{Name: "mirror", Found: address + " is not an address", Remedy: "correct it: " + purposes[i]})
			continue
		}
		f := Finding{Name: "DNS", Found: u.Hostname() + " resolves"}
		if err := d.lookup(ctx, u.Hostname()); err != nil {
			f.Found = fmt.Sprintf("%s, for %s: %v", u.Hostname(), purposes[i], err)
			f.Remedy = "correct /etc/resolv.conf (for containers: \"dns\" in /etc/docker/daemon.json), or name a mirror that resolves"
			// The proxy is not needed once everything is in the cache; people are told by messages.
			f.Hint = purposes[i] != "messages"
			findings = append(findings, f)
			continue
		}
		findings = append(findings, f)
		f = Finding{Name: "mirror", Found: address + " answers, for " + purposes[i]}
		before := d.now()
		date, err := d.ask(ctx, address)
		if err != nil {
			f.Found = fmt.Sprintf("%s, for %s: %v", address, purposes[i], err)
			f.Remedy, f.Hint = "name one that answers (go env -w GOPROXY=https://goproxy.cn,direct; IMAGE_REGISTRY=host/prefix), or set HTTPS_PROXY; "+
				"what is in the caches works without it", purposes[i] != "messages"
		} else if clockBy == "" && !date.IsZero() {
			clock, clockBy = before.Sub(date), u.Host
		}
		findings = append(findings, f)
	}
	return append(findings, d.clock(clock, clockBy, engineNow))
}

// clock compares this machine's time with another's, and with the engine's.
func (d *Doctor) clock(skew time.Duration, by string, engineNow time.Time) Finding {
	f := Finding{Name: "clock", Found: "not compared: nothing answered that knows the time"}
	const remedy = "set the clock (sudo timedatectl set-ntp true): robots refuse signatures that are an hour off, and Prometheus drops samples from the future"
	if by != "" {
		f.Found = fmt.Sprintf("%s from the time of %s", skew.Abs().Round(time.Second), by)
		if skew.Abs() > maxSkew {
			f.Remedy = remedy
		}
	}
	if engineNow.IsZero() {
		return f
	}
	if apart := d.now().Sub(engineNow).Abs(); apart > maxSkew {
		f.Found += fmt.Sprintf("; the engine's is %s away", apart.Round(time.Second))
		f.Remedy = remedy + "; this one is the engine's"
	}
	return f
}

// ports looks whether each port of the environment is free or the stack's own.
func (d *Doctor) ports(ctx context.Context, up bool) (Finding, error) {
	f := Finding{Name: "ports"}
	own := stack.Ownership{}
	held := map[string]docker.Object{}
	if up {
		var err error
		if own, err = d.e.ownership(ctx); err != nil {
			return f, err
		}
		objects, err := docker.List(ctx, docker.Container)
		if err != nil {
			return f, err
		}
		for _, o := range objects {
			held[o.Name] = o
		}
	}
	ports, err := d.e.wantedPorts()
	if err != nil {
		return f, err
	}
	var taken, mine []string
	for _, s := range stack.Services {
		port, ok := ports[s.Name]
		if !ok {
			continue
		}
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if d.listen(address) == nil {
			continue
		}
		by, ours := holder(address, held, own)
		if ours {
			mine = append(mine, s.Name)
			continue
		}
		taken = append(taken, fmt.Sprintf("%d of %s is in use%s", port, s.Name, by))
	}
	switch {
	case d.host(ctx) != "" && !strings.HasPrefix(d.host(ctx), "unix://"):
		f.Found = "not looked at: the engine is " + d.host(ctx)
	case len(taken) > 0:
		f.Found = strings.Join(taken, "; ")
		f.Remedy = fmt.Sprintf("stop what listens there (ss -ltnp), give ports in %s (variable ports), or start beside it with NAME=%s",
			d.e.rootName("platform"), d.e.secondName(own.Name))
	default:
		f.Found = fmt.Sprintf("%d free, %d used by this stack", len(ports)-len(mine), len(mine))
	}
	return f, nil
}

// wantedPorts are the ports of the environment's services: of name.auto.tfvars.json, else the default of its variable.
func (e *Environment) wantedPorts() (map[string]int, error) {
	var vars nameVars
	if err := e.readVars("platform", "name", &vars); err == nil && len(vars.Ports) > 0 {
		return vars.Ports, nil
	}
	data, err := os.ReadFile(filepath.Join(e.root("platform"), "variables.tf"))
	if err != nil {
		return nil, err
	}
	ports := map[string]int{}
	for _, s := range stack.Services {
		found := regexp.MustCompile(`(?m)^\s+` + s.Name + `\s*= optional\(number, (\d+)\)`).FindSubmatch(data)
		if found != nil {
			ports[s.Name], _ = strconv.Atoi(string(found[1]))
		}
	}
	return ports, nil
}

// chatHosts are the hosts to which the relay of the environment sends messages, as far as its configuration names kinds.
func (e *Environment) chatHosts() (hosts []string) {
	data, err := os.ReadFile(filepath.Join(e.root("platform"), "relay.yaml"))
	if err != nil || e.Name == Local {
		return nil
	}
	for key, host := range map[string]string{"robots": "oapi.dingtalk.com", "feishu": "open.feishu.cn", "wecom": "qyapi.weixin.qq.com"} {
		if regexp.MustCompile(`(?m)^` + key + `:`).Match(data) {
			hosts = append(hosts, host)
		}
	}
	slices.Sort(hosts)
	return hosts
}

// engineInfo asks the engine of ctx.
func engineInfo(ctx context.Context) (version, dir string, now time.Time, err error) {
	if version, err = docker.Version(ctx); err != nil {
		return "", "", now, err
	}
	out, err := docker.Run(ctx, "info", "--format", "{{.SystemTime}} {{.DockerRootDir}}")
	if err != nil {
		return version, "", now, err
	}
	at, dir, _ := strings.Cut(out, " ")
	now, _ = time.Parse(time.RFC3339Nano, at)
	return version, dir, now, nil
}

// freeBytes is the space that is free for an ordinary user on the disk of a path, or of the nearest folder above it that
// exists.
func freeBytes(path string) (uint64, error) {
	for !exists(path) && filepath.Dir(path) != path {
		path = filepath.Dir(path)
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return s.Bavail * uint64(s.Bsize), nil
}

// date asks an address for anything, and returns when it answered by its own clock. Any answer will do.
func (e *Environment) date(ctx context.Context, address string) (time.Time, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
	if err != nil {
		return time.Time{}, err
	}
	resp, err := e.Client.Do(req)
	if err != nil {
		return time.Time{}, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<10))
	_ = resp.Body.Close()
	date, _ := http.ParseTime(resp.Header.Get("Date"))
	return date, nil
}
