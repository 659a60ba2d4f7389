package console_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lookout/internal/console"
)

var uidLink = regexp.MustCompile(`<li[^>]*><a href="/d/([^"]+)">`)

// TestEveryDashboardOpens opens each dashboard with all its panels: each shows something or says why not in its place; once from a Prometheus that has few of the metrics,
// and once from one that has an answer to everything, so that all is drawn. It takes a directory of published ones:
//
//	LOOKOUT_BOARDS=dir go test ./internal/console -run TestEveryDashboardOpens -v
//
// Without one it opens the repository's own, those of the tests included.
func TestEveryDashboardOpens(t *testing.T) {
	t.Parallel()
	paths := []string{"../../dashboards", "../render/testdata", "../../examples", "../dashboard/testdata"}
	if dir := os.Getenv("LOOKOUT_BOARDS"); dir != "" {
		paths = []string{dir}
	}
	var there []string
	for _, p := range paths {
		if _, err := os.Stat(p); err == nil {
			there = append(there, p)
		}
	}
	real, _ := stack(t)
	for name, prom := range map[string]string{"few metrics": real, "an answer to everything": answersEverything(t)} {
		t.Run(name, func(t *testing.T) { openAll(t, there, prom) })
	}
}

// answersEverything is a Prometheus with two series for each query, whatever it asks for.
func answersEverything(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		set := func(i int) string {
			return fmt.Sprintf(`{"__name__":"m","instance":"host%d:9100","job":"node","device":"sd%d","le":"%d","mode":"user","quantile":"0.9","namespace":"n","pod":"p%d"}`, i, i, i, i)
		}
		switch {
		case strings.HasSuffix(r.URL.Path, "/query_range"):
			var start, step float64
			fmt.Sscan(r.FormValue("start")+" "+r.FormValue("step"), &start, &step)
			var series []string
			for i := 1; i < 3; i++ {
				var points []string
				for n := range 30 {
					points = append(points, fmt.Sprintf(`[%f,"%d"]`, start+float64(n)*step, n*i))
				}
				series = append(series, `{"metric":`+set(i)+`,"values":[`+strings.Join(points, ",")+`]}`)
			}
			fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[%s]}}`, strings.Join(series, ","))
		case strings.HasSuffix(r.URL.Path, "/query"):
			now := time.Now().Unix()
			fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":%s,"value":[%d,"3"]},{"metric":%s,"value":[%d,"4"]}]}}`, set(1), now, set(2), now)
		case strings.HasSuffix(r.URL.Path, "/rules"):
			fmt.Fprint(w, `{"status":"success","data":{"groups":[]}}`)
		default:
			fmt.Fprint(w, `{"status":"success","data":["one","two"]}`)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func openAll(t *testing.T, paths []string, prom string) {
	t.Helper()
	c := startConsole(t, console.Config{Paths: paths, Prometheus: prom, Location: time.UTC})
	_, list, err := get(c.url + "/dashboards")
	require.NoError(t, err)
	boards, panels, says := 0, 0, map[string]int{}
	for _, m := range uidLink.FindAllStringSubmatch(list, -1) {
		boards++
		code, page, err := get(c.url + "/d/" + m[1])
		require.NoError(t, err)
		if !assert.Equal(t, http.StatusOK, code, "%s: %.300s", m[1], page) {
			continue
		}
		var keys []string
		for _, k := range regexp.MustCompile(`data-key="([^"]+)"( data-static)?`).FindAllStringSubmatch(page, -1) {
			if k[2] == "" {
				keys = append(keys, k[1])
			}
		}
		for len(keys) > 0 {
			n := min(len(keys), 40)
			query := ""
			for _, k := range keys[:n] {
				query += "&p=" + k + ":500x240"
			}
			missing := map[string]bool{}
			for _, k := range keys[:n] {
				missing[k] = true
			}
			// What is slow is asked for again, as the page does.
			for try := 0; len(missing) > 0 && try < 20; try++ {
				resp, err := http.Get(c.url + "/panels/" + m[1] + "?from=now-1h&to=now" + query)
				require.NoError(t, err)
				lines := bufio.NewScanner(resp.Body)
				lines.Buffer(nil, 32<<20)
				for lines.Scan() {
					var p struct {
						Key, HTML string
						Slow, Bad bool
					}
					require.NoError(t, json.Unmarshal(lines.Bytes(), &p))
					if p.Slow {
						continue
					}
					delete(missing, p.Key)
					assert.False(t, p.Bad, "%s panel %s: %.300s", m[1], p.Key, p.HTML)
					kind := "nothing"
					for _, k := range []string{"<svg", "<table", "class=\"prose\"", "class=\"problem\"", "class=\"says\""} {
						if strings.Contains(p.HTML, k) {
							kind = k
						}
					}
					if assert.NotEqual(t, "nothing", kind, "%s panel %s shows nothing: %q", m[1], p.Key, p.HTML) {
						says[kind]++
					}
				}
				require.NoError(t, lines.Err())
				resp.Body.Close()
			}
			assert.Empty(t, missing, "%s: panels without an answer", m[1])
			panels += n
			keys = keys[n:]
		}
	}
	require.Positive(t, boards)
	t.Logf("%d dashboards, %d panels opened: %v", boards, panels, says)
}

// The list by folder, and what is left of it when words of title, folder or tag are searched for.
func TestTheListIsSearched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for file, board := range map[string]string{
		"go/runtime.json": `{"uid":"runtime","title":"Go runtime","tags":["memory"],"schemaVersion":39,"panels":[]}`, "go/service.json": `{"uid":"service","title":"Service","schemaVersion":39,"panels":[]}`,
		"主机.json": `{"uid":"host","title":"主机概览","tags":["memory","linux"],"schemaVersion":39,"panels":[]}`, "package.json": `{"name":"not a dashboard"}`,
	} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(file)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(board), 0o644))
	}
	c := startConsole(t, console.Config{Paths: []string{dir}})
	for query, want := range map[string][]string{
		"": {"host", "runtime", "service"}, "GO": {"runtime", "service"}, "runtime  go": {"runtime"}, "memory": {"host", "runtime"}, "memory linux": {"host"}, "概览": {"host"}, "none": nil,
	} {
		code, page, err := get(c.url + "/dashboards?q=" + url.QueryEscape(query))
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, code)
		var found []string
		for _, m := range uidLink.FindAllStringSubmatch(page, -1) {
			found = append(found, m[1])
		}
		assert.Equal(t, want, found, "%q", query)
		assert.Equal(t, want == nil, strings.Contains(page, "No dashboard has"), "%q", query)
	}
}
