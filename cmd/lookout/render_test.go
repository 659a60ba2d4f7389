package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const renderDashboard = `{"uid":"u","title":"d","schemaVersion":39,"time":{"from":"now-1h","to":"now"},
	"templating":{"list":[{"name":"job","type":"custom","query":"go,other","current":{"value":"go"}}]},
	"panels":[{"type":"stat","title":"Threads","gridPos":{"x":0,"y":0,"w":6,"h":4},"targets":[{"refId":"A","expr":"go_threads{job=\"$job\"}"}],"fieldConfig":{"defaults":{"unit":"suffix:threads"},"overrides":[]}}]}`

// prometheus answers range queries with 8 at both ends, and refuses what is asked about the job "bad".
func prometheus(t *testing.T) (address string, queries func() []string) {
	t.Helper()
	var mu sync.Mutex
	var asked []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.FormValue("query")+" from "+r.FormValue("start")+" to "+r.FormValue("end"))
		mu.Unlock()
		if strings.Contains(r.FormValue("query"), "bad") {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"status":"error","errorType":"bad_data","error":"no such thing"}`)
			return
		}
		_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"job":"go"},"values":[[`+r.FormValue("start")+`,"8"],[`+r.FormValue("end")+`,"8"]]}]}}`)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return asked
	}
}

func TestRenderWithPrometheus(t *testing.T) {
	file := filepath.Join(t.TempDir(), "d.json")
	if err := os.WriteFile(file, []byte(renderDashboard), 0o600); err != nil {
		t.Fatal(err)
	}
	address, queries := prometheus(t)
	render := func(args ...string) (code int, stdout, stderr string) {
		var out, errs bytes.Buffer
		code = run(context.Background(), append([]string{"render", file}, args...), strings.NewReader(""), &out, &errs, func(string) string { return "" })
		return code, out.String(), errs.String()
	}
	code, stdout, stderr := render("--prometheus", address, "--from", "2026-01-02T03:00:00Z", "--to", "2026-01-02T04:00:00Z", "--timezone", "Asia/Shanghai")
	if code != exitClean || !strings.Contains(stdout, ">8</text>") || !strings.Contains(stdout, "threads") || !strings.Contains(stdout, "2026-01-02 11:00:00 – 12:00:00 CST") {
		t.Errorf("exit %d\n%s\n%s", code, stdout, stderr)
	}
	if want := `go_threads{job="go"} from 1767322800 to 1767326400`; queries()[0] != want {
		t.Errorf("asked %q, want %q", queries()[0], want)
	}
	if code, stdout, stderr = render("--prometheus", address, "--var", "job=bad"); code != exitFindings || !strings.Contains(stderr, `panel "Threads": go_threads{job="bad"}: bad_data: no such thing`) || !strings.Contains(stdout, "no such thing") {
		t.Errorf("a query that is refused: exit %d\n%s\n%s", code, stdout, stderr)
	}
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	if code, stdout, stderr = render("--prometheus", dead.URL); code != exitFailed || stdout != "" || !strings.Contains(stderr, "ask Prometheus") {
		t.Errorf("no Prometheus: exit %d\n%s\n%s", code, stdout, stderr)
	}
}
