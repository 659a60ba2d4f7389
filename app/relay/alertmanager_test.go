package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"lookout/app/robot/robot"
)

// TestAnAlertmanagerAsTheSender posts bodies in the form that Alertmanager 0.35 sends: the alert is shown
// with its silence form and without a container's address, and the Watchdog counts as the heartbeat.
func TestAnAlertmanagerAsTheSender(t *testing.T) {
	server, messages := newGroup(t, robot.Robot{AccessToken: "token", Name: "ops", Keywords: []string{"报警"}})
	p := newProcess(t, fmt.Sprintf(`
robots: {ops: {url: %q, token_file: secrets/ops, keywords: [报警]}}
heartbeats: {chain: {target: ops, timeout: 1h}}
`, server.URL+"/robot/send"), map[string]string{"ops": "token"})
	p.start()
	p.ready()
	beat := func() string {
		for line := range strings.Lines(p.get("/metrics")) {
			if v, ok := strings.CutPrefix(line, `relay_heartbeat_age_seconds{heartbeat="chain"} `); ok {
				return strings.TrimSpace(v)
			}
		}
		return ""
	}
	read := func(file string) []byte {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	eventually(t, 10*time.Second, func() error {
		if age := beat(); age < "0.2" {
			return fmt.Errorf("the age of the heartbeat is %s", age)
		}
		return nil
	})
	if status, answer := p.post("/v1/heartbeats/chain", read("testdata/alertmanager.watchdog.json")); status != 202 {
		t.Fatalf("the Watchdog was answered %d %s", status, answer)
	}
	if age := beat(); age >= "0.2" {
		t.Errorf("after the Watchdog the heartbeat's age is %s", age)
	}
	if status, answer := p.post("/v1/robots/ops", read("internal/message/testdata/engines/alertmanager.firing.json")); status != 202 {
		t.Fatalf("the alert was answered %d %s", status, answer)
	}
	eventually(t, 10*time.Second, func() error {
		if n := len(messages()); n != 1 {
			return fmt.Errorf("%d messages in the chat", n)
		}
		return nil
	})
	text := messages()[0].Text
	for _, want := range []string{"12.25 (阈值 threshold > 8)", "http://127.0.0.1:8090/silences/new?matcher=alertname%3D%22ThreadsHigh%22&matcher=instance%3D%22go1%22", "http://127.0.0.1:8090/d/go-runtime?"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "5f3c9a1be0d2") {
		t.Errorf("the address of a container stands in\n%s", text)
	}
}
