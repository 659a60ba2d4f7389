package console_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lookout/internal/console"
)

var uidLink = regexp.MustCompile(`<li[^>]*><a href="/d/([^"]+)">`)

// TestEveryDashboardOpens opens each dashboard with all its panels: each shows something or says why not in its place. It takes a directory of published ones:
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
	prom, _ := stack(t)
	c := startConsole(t, console.Config{Paths: there, Prometheus: prom, Location: time.UTC})
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
	require.Greater(t, boards, 4)
	fmt.Printf("%d dashboards, %d panels opened: %v\n", boards, panels, says)
}
