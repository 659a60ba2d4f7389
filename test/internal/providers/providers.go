// Package providers starts Terraform's providers once for many runs of Terraform.
package providers

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
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

// Start initialises roots ("envs/local/content") of a copy of the checkout, starts each provider that this lays into them once, in
// the way that its documentation gives for debuggers, and returns what Terraform needs in TF_REATTACH_PROVIDERS to use them. They end
// with the test. Terraform starts each of them anew two or three times for every run, of which there are hundreds, only to ask for
// its schema: that is two thirds of what the tests would cost. A provider serves one configuration at a time.
func Start(t testing.TB, c checkout.Checkout, tree string, roots ...string) string {
	t.Helper()
	all := map[string]json.RawMessage{}
	for _, root := range roots {
		cmd := exec.CommandContext(t.Context(), c.Terraform, "init", "-backend=false", "-input=false", "-no-color")
		cmd.Dir, cmd.Env = filepath.Join(tree, root), os.Environ()
		for name, value := range c.Environ() {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("terraform init in %s: %v\n%s", root, err, out)
		}
		programs, err := filepath.Glob(filepath.Join(cmd.Dir, ".terraform/providers/*/*/*/*/*/terraform-provider-*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(programs) == 0 {
			t.Fatalf("%s has no providers after terraform init", root)
		}
		for _, program := range programs {
			// …/.terraform/providers/<host>/<namespace>/<type>/<version>/<platform>/<program>
			parts := strings.Split(filepath.ToSlash(program), "/")
			parts = parts[len(parts)-6:]
			address := strings.Join(parts[:3], "/")
			if _, ok := all[address]; ok {
				continue
			}
			if all[address], err = start(t, program, cmd.Dir); err != nil {
				t.Fatalf("starting %s %s: %v", address, parts[3], err)
			}
		}
	}
	data, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// start returns where one provider listens. It ends with the test. Paths that it is given are meant from dir, as when Terraform
// starts it there.
func start(t testing.TB, program, dir string) (json.RawMessage, error) {
	cmd := exec.Command(program, "--debug")
	cmd.Dir = dir
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
		//lint:ignore scannererr without a line the caller says so
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if found := attach.FindStringSubmatch(lines.Text()); found != nil {
				said <- found[1]
				break
			}
		}
		// It stops as soon as no one reads what it says.
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
