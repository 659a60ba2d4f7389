package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// oddPrometheus answers a query by its text: each is a kind of answer that a picture has to survive.
func oddPrometheus(t *testing.T) string {
	t.Helper()
	numbers := map[string]string{
		"huge": "1e300", "tiny": "1e-300", "const": "8", "neg": "-8", "normal": "3", "uint64": "18446744073709551615", "1e15": "1e15", "1e21": "4.2e21", "1e27": "1e27",
		"1e36": "1e36", "neg1e21": "-1e21", "1e_9": "3e-9", "q": "5",
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, start, end := r.FormValue("query"), r.FormValue("start"), r.FormValue("end")
		if start == "" {
			start, end = r.FormValue("time"), r.FormValue("time")
		}
		series := func(labels string, values ...string) string {
			var points []string
			for i, v := range values {
				points = append(points, fmt.Sprintf(`[%s,%q]`, []string{start, end}[min(i, 1)], v))
			}
			return `{"metric":{` + labels + `},"values":[` + strings.Join(points, ",") + `]}`
		}
		var list []string
		switch n, ok := numbers[strings.Trim(query, "`\"{} ")]; {
		case ok:
			list = append(list, series(`"job":"go"`, n, n))
		case query == "nan":
			list = append(list, series(`"job":"a"`, "NaN", "NaN"), series(`"job":"b"`, "+Inf", "-Inf"))
		case query == "many":
			for i := range 200 {
				list = append(list, series(fmt.Sprintf(`"n":"%d"`, i), "1", "2"))
			}
		case query == "one":
			list = append(list, series(`"job":"a"`, "1"))
		case query == "mark":
			list = append(list, series(`"job":"<script>alert(1)</script>"`, "1", "2"))
		case query == "nh":
			list = append(list, `{"metric":{"job":"go"},"histograms":[[`+start+`,{"count":"3","sum":"4","buckets":[[0,"0.5","1","2"],[0,"1","2","1"]]}]]}`)
		}
		if r.URL.Path == "/api/v1/query" {
			_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
			return
		}
		if strings.Contains(r.URL.Path, "/label") {
			_, _ = io.WriteString(w, `{"status":"success","data":["a","b"]}`)
			return
		}
		_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"matrix","result":[`+strings.Join(list, ",")+`]}}`)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// Every file of the cases gives a picture, with and without data, that holds no script and nothing outside of itself.
func TestRenderCases(t *testing.T) {
	address := oddPrometheus(t)
	files, err := filepath.Glob(filepath.Join(cases, "render", "*.json"))
	if err != nil || len(files) < 15 {
		t.Fatal(files, err)
	}
	text := regexp.MustCompile(`<text x="([-\d.]+)"`)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		for _, args := range [][]string{{}, {"--prometheus", address, "--expand"}, {"--prometheus", address, "--width", "400"}} {
			out := filepath.Join(t.TempDir(), "x.svg")
			code, said := outcome(t, append([]string{"render", "--out", out, "--from", "2026-01-02T03:00:00Z", "--to", "2026-01-02T04:00:00Z", file}, args...)...)
			data, err := os.ReadFile(out)
			if err != nil || code == exitFailed {
				t.Fatalf("%s %v: exit code %d\n%s", name, args, code, said)
			}
			svg := string(data)
			if strings.Contains(svg, "<script") || strings.Contains(svg, "NaN\"") {
				t.Errorf("%s: a script, or a place that is not a number", name)
			}
			for _, m := range text.FindAllStringSubmatch(svg, -1) {
				if strings.HasPrefix(m[1], "-") {
					t.Errorf("%s %v: a text begins left of the picture, at %s", name, args, m[1])
				}
			}
			if len(args) == 0 || args[len(args)-1] == "400" {
				continue
			}
			for of, wants := range map[string][]string{
				"vals":    {">4.50 Sext<", ">9e+35<", ">9e+37%<", ">3e-9<", "ZiB<", ">3e-7%<"},
				"vals2":   {">4.20<", ">Sext<", ">1000 Sept<", ">3e-9<"},
				"ts":      {">1e+276 Sept<", "&lt;script&gt;", "more<", "native histogram of A"},
				"manyrep": {">12 of 3000<"},
				"nonprom": {"{a=&#34;b&#34;} |= &#34;x&#34; (asks loki)", "select now() (asks mysql)", "namespace AWS/EC2", "InstanceId *", "Library panel “"},
				"types":   {"A panel of type “geomap” is not", "A panel of type “my-plugin-panel”", "A panel of type “(none)”"},
			} {
				if of != name {
					continue
				}
				for _, want := range wants {
					if !strings.Contains(svg, want) {
						t.Errorf("%s: %s is missing", name, want)
					}
				}
			}
		}
	}
}

// What Prometheus answers instead of data decides the exit code, and wrong flags are refused.
func TestRenderRefusals(t *testing.T) {
	file := filepath.Join(cases, "render", "ts.json")
	answer := func(status int, body string) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(srv.Close)
		return srv.URL
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"500":      {[]string{"--prometheus", answer(500, "no")}, exitFailed, "500"},
		"HTML":     {[]string{"--prometheus", answer(200, "<html>")}, exitFailed, "ask Prometheus"},
		"422":      {[]string{"--prometheus", answer(422, `{"status":"error","errorType":"execution","error":"too many samples"}`)}, exitFindings, "too many samples"},
		"refused":  {[]string{"--prometheus", gone.URL}, exitFailed, "refused"},
		"jpg":      {[]string{"-o", filepath.Join(t.TempDir(), "x.jpg")}, exitFailed, "x.jpg: pictures are .svg, .png or .html"},
		"scale 0":  {[]string{"--scale", "0"}, exitFailed, "--scale 0: from 0.1 to 4"},
		"scale":    {[]string{"--scale", "100", "--format", "png"}, exitFailed, "scale 100"},
		"width":    {[]string{"--width", "10"}, exitFailed, "400 to 4000"},
		"time":     {[]string{"--from", "yesterday"}, exitFailed, `"yesterday" is not a time`},
		"timezone": {[]string{"--timezone", "Mars/X"}, exitFailed, "Mars/X"},
		"interval": {[]string{"--scrape-interval=-5s"}, exitFailed, "write a duration above zero"},
	} {
		code, out := outcome(t, append([]string{"render", file}, c.args...)...)
		if code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit code %d, want %d with %q\n%.400s", name, code, c.code, c.want, out)
		}
	}
}
