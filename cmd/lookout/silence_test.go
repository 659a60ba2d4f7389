package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lookout/internal/alertmanager"
)

// silencer is an Alertmanager with one alert that fires.
func silencer(t *testing.T) (address string, silences *[]alertmanager.Silence) {
	var kept []alertmanager.Silence
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v2/alerts", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`[{"labels": {"alertname": "GoThreadsHigh", "instance": "go1"}, "annotations": {}, "fingerprint": "1"}]`))
	})
	mux.HandleFunc("GET /api/v2/silences", func(w http.ResponseWriter, _ *http.Request) { assert.NoError(t, json.NewEncoder(w).Encode(kept)) })
	mux.HandleFunc("POST /api/v2/silences", func(w http.ResponseWriter, r *http.Request) {
		var s alertmanager.Silence
		assert.NoError(t, json.NewDecoder(r.Body).Decode(&s))
		s.ID, s.Status = "one", &alertmanager.SilenceState{State: "active"}
		kept = append(kept, s)
		_, _ = w.Write([]byte(`{"silenceID": "one"}`))
	})
	mux.HandleFunc("DELETE /api/v2/silence/one", func(http.ResponseWriter, *http.Request) { kept[0].Status.State = "expired" })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL, &kept
}

func TestSilence(t *testing.T) {
	t.Chdir("../..")
	address, kept := silencer(t)
	silence := func(args ...string) (int, string) {
		var out, stderr bytes.Buffer
		code := run(context.Background(), append([]string{"silence", "--alertmanager=" + address}, args...), strings.NewReader(""), &out, &stderr, func(string) string { return "" })
		return code, out.String() + stderr.String()
	}
	code, said := silence("--for=2h", "--by=zhang", "--comment=换磁盘", "--match=instance=go1", "GoThreadsHigh")
	require.Equal(t, 0, code, said)
	assert.Contains(t, said, `alertname="GoThreadsHigh", instance="go1" quiet until `)
	assert.Contains(t, said, "1 such alert firing now")
	require.Len(t, *kept, 1)
	assert.Equal(t, 2*time.Hour, (*kept)[0].EndsAt.Sub((*kept)[0].StartsAt))
	assert.Equal(t, "换磁盘", (*kept)[0].Comment)
	assert.Equal(t, "zhang (lookout silence)", (*kept)[0].CreatedBy)

	code, said = silence("--end", "GoThreadsHigh")
	assert.Equal(t, 2, code, "it has other matchers")
	assert.Contains(t, said, "no silence of alertname=\"GoThreadsHigh\" was made this way")
	code, said = silence("--end", "--match=instance=go1", "GoThreadsHigh")
	require.Equal(t, 0, code, said)
	assert.Contains(t, said, "1 silence of")
	assert.Equal(t, "expired", (*kept)[0].State())

	for want, args := range map[string][]string{
		"a silence needs an end":      {"GoThreadsHigh"},
		`--for is "soon"`:             {"--for=soon", "GoThreadsHigh"},
		"a silence lasts 30d at most": {"--for=31d", "GoThreadsHigh"},
		"name the alert":              {"--for=2h"},
		"--match:":                    {"--for=2h", "--match=instance"},
		"contradict each other":       {"--for=2h", "--end", "GoThreadsHigh"},
		"shows that the chain works":  {"--for=2h", "Watchdog"},
		`"nowhere"`:                   {"--for=2h", "--env=nowhere", "GoThreadsHigh"},
	} {
		code, said := silence(args...)
		assert.Equal(t, 2, code, said)
		assert.Contains(t, said, want)
	}
	assert.Len(t, *kept, 1, "a mistake made a silence")
}
