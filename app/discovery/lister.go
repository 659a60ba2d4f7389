package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// lister answers like a Docker Engine that has nothing but what it lists.
type lister struct {
	engine  *http.Client
	label   string // name=value
	network string
	log     *slog.Logger
}

// container is what Prometheus is told of one: no image, command, mounts or environment, and of the labels only those that begin
// like the one that made it be listed.
type container struct {
	ID         string            `json:"Id"`
	Names      []string          `json:"Names"`
	Labels     map[string]string `json:"Labels"`
	Ports      []port            `json:"Ports"`
	HostConfig struct {
		NetworkMode string `json:"NetworkMode"`
	} `json:"HostConfig"`
	NetworkSettings struct {
		Networks map[string]*endpoint `json:"Networks"`
	} `json:"NetworkSettings"`
}

type port struct {
	PrivatePort uint16 `json:"PrivatePort"`
	Type        string `json:"Type"`
}

type endpoint struct {
	NetworkID string `json:"NetworkID"`
	IPAddress string `json:"IPAddress"`
}

type network struct {
	ID   string `json:"Id"`
	Name string `json:"Name"`
}

// versioned is a path of the engine's API, with or without the version that a client has settled on. Both lists have had the fields
// that are handed on in every version since 1.24.
var versioned = regexp.MustCompile(`^(?:/v1\.\d+)?(/_ping|/containers/json|/networks|/-/healthy)$`)

func (l lister) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := versioned.FindStringSubmatch(r.URL.Path)
		if path == nil || r.Method != http.MethodGet && !(r.Method == http.MethodHead && path[1] == "/_ping") {
			http.Error(w, "only the lists of containers and networks can be read here", http.StatusForbidden)
			return
		}
		switch path[1] {
		case "/_ping", "/-/healthy":
			l.ping(w, r)
		case "/containers/json":
			l.containers(w, r)
		case "/networks":
			l.networks(w, r)
		}
	})
}

// ping hands on whether the engine answers, and the newest version of its API.
func (l lister) ping(w http.ResponseWriter, r *http.Request) {
	resp, err := l.get(r, "/_ping", nil)
	if err != nil {
		l.fail(w, err)
		return
	}
	_ = resp.Body.Close()
	for _, name := range []string{"Api-Version", "Ostype"} {
		w.Header().Set(name, resp.Header.Get(name))
	}
	fmt.Fprint(w, "OK")
}

func (l lister) containers(w http.ResponseWriter, r *http.Request) {
	var all []container
	// The caller's own filters are not handed on: they could only widen the list.
	err := l.list(r, "/containers/json", map[string][]string{"label": {l.label}, "network": {l.network}}, &all)
	if err != nil {
		l.fail(w, err)
		return
	}
	name, value, _ := strings.Cut(l.label, "=")
	prefix := name[:strings.LastIndex(name, ".")+1]
	listed := []container{}
	for _, c := range all {
		// The engine matches names of networks by their beginning.
		e := c.NetworkSettings.Networks[l.network]
		if e == nil || c.Labels[name] != value {
			continue
		}
		c.NetworkSettings.Networks = map[string]*endpoint{l.network: e}
		labels := map[string]string{}
		for label, value := range c.Labels {
			if strings.HasPrefix(label, prefix) {
				labels[label] = value
			}
		}
		c.Labels = labels
		listed = append(listed, c)
	}
	l.answer(w, listed)
}

func (l lister) networks(w http.ResponseWriter, r *http.Request) {
	var all []network
	if err := l.list(r, "/networks", map[string][]string{"name": {l.network}}, &all); err != nil {
		l.fail(w, err)
		return
	}
	listed := []network{}
	for _, n := range all {
		if n.Name == l.network {
			listed = append(listed, n)
		}
	}
	l.answer(w, listed)
}

func (l lister) get(r *http.Request, path string, filters map[string][]string) (*http.Response, error) {
	query := url.Values{}
	if filters != nil {
		text, err := json.Marshal(filters)
		if err != nil {
			return nil, err
		}
		query.Set("filters", string(text))
	}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "http://engine"+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	return l.engine.Do(req)
}

func (l lister) list(r *http.Request, path string, filters map[string][]string, into any) error {
	resp, err := l.get(r, path, filters)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return fmt.Errorf("%s: the engine answers %s: %s", path, resp.Status, strings.TrimSpace(string(text)))
	}
	return json.NewDecoder(io.LimitReader(resp.Body, 64<<20)).Decode(into)
}

func (l lister) answer(w http.ResponseWriter, list any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(list); err != nil {
		l.log.Debug("the caller went away", "err", err)
	}
}

// fail is an error for Prometheus, which keeps the targets it had until the engine answers again.
func (l lister) fail(w http.ResponseWriter, err error) {
	l.log.Warn("the engine can't be asked", "err", err)
	http.Error(w, "the engine can't be asked: "+err.Error(), http.StatusBadGateway)
}
