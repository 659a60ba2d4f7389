package modules

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"lookout/test/internal/checkout"
)

// attach is how a provider under a debugger says where it listens.
var attach = regexp.MustCompile(`TF_REATTACH_PROVIDERS='(.*)'`)

// startProviders starts each provider that `make init` has laid into the environment local once, in
// the way that its documentation gives for debuggers, and returns what Terraform needs to use it.
// Terraform starts each of them anew two or three times for every run block, of which there are
// hundreds, only to ask for its schema: that is two thirds of what these tests would cost.
func startProviders(t *testing.T, c checkout.Checkout) string {
	t.Helper()
	programs, err := filepath.Glob(filepath.Join(c.Root, "envs/local/*/.terraform/providers/*/*/*/*/*/terraform-provider-*"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]json.RawMessage{}
	for _, program := range programs {
		// …/.terraform/providers/<host>/<namespace>/<type>/<version>/<platform>/<program>
		parts := strings.Split(filepath.ToSlash(program), "/")
		parts = parts[len(parts)-6:]
		address := strings.Join(parts[:3], "/")
		if _, ok := all[address]; ok {
			continue
		}
		if all[address], err = startProvider(t, program); err != nil {
			t.Fatalf("starting %s %s: %v", address, parts[3], err)
		}
	}
	if len(all) == 0 {
		t.Fatal("the environment local has no providers: run `make init` first")
	}
	data, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// startProvider returns where one provider listens. It ends with the test.
func startProvider(t *testing.T, program string) (json.RawMessage, error) {
	cmd := exec.Command(program, "--debug")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	said := make(chan string, 1)
	go func() {
		defer close(said)
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if found := attach.FindStringSubmatch(lines.Text()); found != nil {
				said <- found[1]
				break
			}
		}
		// It stops as soon as nobody reads what it says.
		_, _ = io.Copy(io.Discard, stdout)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		for range said {
		}
		_ = cmd.Wait()
	})
	select {
	case text, ok := <-said:
		if !ok {
			return nil, fmt.Errorf("%s --debug ended without a word of where it listens", filepath.Base(program))
		}
		var one map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &one); err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
		for _, config := range one {
			return config, nil
		}
		return nil, fmt.Errorf("%q names no provider", text)
	case <-time.After(time.Minute):
		return nil, fmt.Errorf("%s --debug does not say where it listens", filepath.Base(program))
	}
}
