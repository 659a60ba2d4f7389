package drill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Place is what Terraform knows of an environment that was applied.
type Place struct {
	// Engine evaluates the alerts.
	Engine string
	// URLs are the services' addresses on this machine, by name.
	URLs map[string]string
	// Zone is where its people live, as an IANA name.
	Zone string
}

// FindPlace reads the outputs of an environment's platform: from its state file, or from wherever Terraform keeps it.
func FindPlace(ctx context.Context, root, environment string) (Place, error) {
	dir := filepath.Join(root, "envs", environment, "platform")
	if _, err := os.Stat(dir); err != nil {
		return Place{}, fmt.Errorf("there is no environment %q (envs/%s/platform); envs has %s", environment, environment, strings.Join(folders(filepath.Join(root, "envs")), ", "))
	}
	var outputs map[string]struct{ Value json.RawMessage }
	data, err := os.ReadFile(filepath.Join(dir, "terraform.tfstate"))
	switch {
	case err == nil:
		var state struct {
			Outputs map[string]struct{ Value json.RawMessage }
		}
		if err := json.Unmarshal(data, &state); err != nil {
			return Place{}, fmt.Errorf("the state of envs/%s/platform: %w", environment, err)
		}
		outputs = state.Outputs
	case errors.Is(err, fs.ErrNotExist):
		terraform := filepath.Join(root, ".cache", "bin", "terraform")
		if _, err := os.Stat(terraform); err != nil {
			terraform = "terraform"
		}
		out, err := exec.CommandContext(ctx, terraform, "-chdir="+dir, "output", "-json", "-no-color").Output()
		if err == nil {
			err = json.Unmarshal(out, &outputs)
		}
		if err != nil {
			return Place{}, fmt.Errorf("the addresses of %s are not known, since its outputs cannot be read (%w); run make init ENV=%s, or give all addresses by flags", environment, err, environment)
		}
	default:
		return Place{}, err
	}
	var services map[string]struct{ URL *string }
	var stack struct {
		Alerting string
		Zone     string `json:"time_zone"`
	}
	if raw, ok := outputs["services"]; ok {
		if err := json.Unmarshal(raw.Value, &services); err != nil {
			return Place{}, fmt.Errorf("the output services of envs/%s/platform: %w", environment, err)
		}
	}
	if len(services) == 0 {
		return Place{}, fmt.Errorf("%s is not running: run make up ENV=%s, or give all addresses by flags", environment, environment)
	}
	if raw, ok := outputs["stack"]; ok {
		// An output of another kind under that name is not one of ours.
		_ = json.Unmarshal(raw.Value, &stack)
	}
	place := Place{Engine: first(stack.Alerting, EnginePrometheus), URLs: map[string]string{}, Zone: first(stack.Zone, "Asia/Shanghai")}
	for name, s := range services {
		if s.URL != nil {
			place.URLs[name] = *s.URL
		}
	}
	return place, nil
}

func folders(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out
}

// Quiet tells whether people sleep at a moment: between two times of the day such as 22:00-08:00, in their zone.
func Quiet(now time.Time, zone *time.Location, hours string) (bool, error) {
	from, to, ok := strings.Cut(hours, "-")
	begin, err := time.Parse("15:04", from)
	end, err2 := time.Parse("15:04", to)
	if !ok || err != nil || err2 != nil {
		return false, fmt.Errorf("%q are not quiet hours; write them like 22:00-08:00", hours)
	}
	local := now.In(zone)
	minute := func(t time.Time) int { return 60*t.Hour() + t.Minute() }
	at, a, b := minute(local), minute(begin), minute(end)
	if a <= b {
		return at >= a && at < b, nil
	}
	return at >= a || at < b, nil
}

// Label is the value of lookout_env on the alerts that an engine evaluates; "" if its rules have none.
func (c *Chain) Label(ctx context.Context) (string, error) {
	all, err := c.rules(ctx)
	if err != nil {
		return "", c.engineDown(err)
	}
	for _, r := range all {
		if l := r.Labels["lookout_env"]; l != "" {
			return l, nil
		}
	}
	return "", nil
}
