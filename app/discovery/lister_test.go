package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A container as the engine lists it, with what nobody else is to see.
const listed = `[{"Id":"1","Names":["/orders"],"Image":"registry.example.com/orders","Command":"orders --password=hunter2",
 "Labels":{"lookout.scrape":"true","lookout.port":"8080","com.example.owner":"hunter2"},"Ports":[{"PrivatePort":8080,"Type":"tcp"}],
 "Mounts":[{"Source":"/srv/hunter2"}],"HostConfig":{"NetworkMode":"lookout-local"},
 "NetworkSettings":{"Networks":{"other":{"NetworkID":"o","IPAddress":"10.9.0.2"},"lookout-local":{"NetworkID":"n","IPAddress":"10.0.0.2"}}}},
 {"Id":"2","Names":["/elsewhere"],"Labels":{"lookout.scrape":"true"},"NetworkSettings":{"Networks":{"lookout-local-2":{"IPAddress":"10.1.0.2"}}}},
 {"Id":"3","Names":["/unlabelled"],"Labels":{"lookout.scrape":"false"},"NetworkSettings":{"Networks":{"lookout-local":{"IPAddress":"10.0.0.3"}}}}]`

type engine struct{ asked []*url.URL }

func (e *engine) RoundTrip(r *http.Request) (*http.Response, error) {
	e.asked = append(e.asked, r.URL)
	body := "OK"
	switch r.URL.Path {
	case "/containers/json":
		body = listed
	case "/networks":
		body = `[{"Id":"n","Name":"lookout-local","Labels":{"secret":"hunter2"}},{"Id":"m","Name":"lookout-local-2"}]`
	case "/_ping":
	default:
		panic("asked for " + r.URL.Path)
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Api-Version": {"1.41"}}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func ask(method, path string) (*httptest.ResponseRecorder, *engine) {
	e := &engine{}
	l := lister{engine: &http.Client{Transport: e}, label: "lookout.scrape=true", network: "lookout-local", log: slog.New(slog.DiscardHandler)}
	w := httptest.NewRecorder()
	l.handler().ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w, e
}

func TestOnlyLabelledContainersOfTheNetworkAreListed(t *testing.T) {
	// A filter of the caller's changes nothing.
	w, e := ask("GET", "/v1.44/containers/json?all=1&filters={}")
	require.Equal(t, 200, w.Code)
	require.Equal(t, `{"label":["lookout.scrape=true"],"network":["lookout-local"]}`, e.asked[0].Query().Get("filters"))
	require.Empty(t, e.asked[0].Query().Get("all"))
	require.NotContains(t, w.Body.String(), "hunter2")
	var got []container
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
	require.Len(t, got, 1)
	require.Equal(t, []string{"/orders"}, got[0].Names)
	require.Equal(t, map[string]string{"lookout.scrape": "true", "lookout.port": "8080"}, got[0].Labels)
	require.Equal(t, map[string]*endpoint{"lookout-local": {NetworkID: "n", IPAddress: "10.0.0.2"}}, got[0].NetworkSettings.Networks)
	require.Equal(t, []port{{8080, "tcp"}}, got[0].Ports)
}

func TestOnlyItsNetworkIsListed(t *testing.T) {
	w, _ := ask("GET", "/v1.41/networks")
	require.JSONEq(t, `[{"Id":"n","Name":"lookout-local"}]`, w.Body.String())
}

func TestPingHandsOnTheVersion(t *testing.T) {
	w, _ := ask("HEAD", "/_ping")
	require.Equal(t, 200, w.Code)
	require.Equal(t, "1.41", w.Header().Get("Api-Version"))
}

func TestEverythingElseIsForbidden(t *testing.T) {
	for _, call := range []string{"POST /containers/create", "GET /containers/1/json", "GET /v1.41/info", "POST /v1.41/containers/json",
		"GET /v1.41/containers/1/archive?path=/", "DELETE /networks", "GET /v1.41/../info", "GET /", "HEAD /containers/json"} {
		method, path, _ := strings.Cut(call, " ")
		w, e := ask(method, path)
		require.Equal(t, http.StatusForbidden, w.Code, call)
		require.Empty(t, e.asked, call)
	}
}
