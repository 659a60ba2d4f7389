package render

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"lookout/internal/dashboard"
)

// The answers in testdata/answers.json were given by Prometheus 3.16 that scraped itself under two job names. To record them again:
//
//	go test ./internal/render -run TestEverything -record http://localhost:9090
var record = flag.String("record", "", "address of a Prometheus to record testdata/answers.json from")

const answersFile = "testdata/answers.json"

type recording struct {
	Start, End time.Time
	// Answers by path and form.
	Answers map[string]json.RawMessage
}

// recorded gives a client whose Prometheus answers as the recorded one did, and the queries that it was asked.
func recorded(t testing.TB) (q Querier, rec *recording, asked func() []url.Values) {
	t.Helper()
	rec = &recording{Answers: map[string]json.RawMessage{}}
	if *record == "" {
		data, err := os.ReadFile(answersFile)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, rec); err != nil {
			t.Fatal(err)
		}
	} else {
		rec.End = time.Now().UTC().Truncate(time.Minute)
		rec.Start = rec.End.Add(-10 * time.Minute)
	}
	var mu sync.Mutex
	var forms []url.Values
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		key := r.URL.Path + "?" + r.Form.Encode()
		mu.Lock()
		defer mu.Unlock()
		forms = append(forms, r.Form)
		if *record != "" {
			res, err := http.PostForm(*record+r.URL.Path, r.Form)
			if r.Method == http.MethodGet {
				res, err = http.Get(*record + key)
			}
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Error(err)
			}
			rec.Answers[key] = body
		}
		body, ok := rec.Answers[key]
		if !ok {
			t.Errorf("no answer is recorded for %s", key)
			http.Error(w, "not recorded", http.StatusNotFound)
			return
		}
		var status struct{ Status string }
		if err := json.Unmarshal(body, &status); err != nil || status.Status != "success" {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = w.Write(body)
	}))
	t.Cleanup(func() {
		srv.Close()
		if *record == "" {
			return
		}
		data, err := json.MarshalIndent(rec, "", " ")
		if err == nil {
			err = os.WriteFile(answersFile, append(data, '\n'), 0o644)
		}
		if err != nil {
			t.Error(err)
		}
	})
	client, err := api.NewClient(api.Config{Address: srv.URL, Client: srv.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return v1.NewAPI(client), rec, func() []url.Values {
		mu.Lock()
		defer mu.Unlock()
		return forms
	}
}

func load(t testing.TB, file string) *dashboard.Dashboard {
	t.Helper()
	data, err := os.ReadFile(filepath.FromSlash(file))
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(data))
}

func parse(t testing.TB, text string) *dashboard.Dashboard {
	t.Helper()
	d, err := dashboard.Load("test.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mustSVG(t testing.TB, d *dashboard.Dashboard, opts Options) string {
	t.Helper()
	out, err := SVG(context.Background(), d, opts)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
