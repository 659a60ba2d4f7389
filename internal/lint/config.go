package lint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"go.yaml.in/yaml/v3"
)

// Config is the file .lookout.yaml.
type Config struct {
	// ScrapeInterval is how often the metrics are collected; ranges of rates are held against it.
	ScrapeInterval time.Duration
	// Datasources are uids that dashboards may name instead of using a variable.
	Datasources []string
	// Keyword has to stand in the summary of every alert: DingTalk drops messages without it. "" asks for none.
	Keyword  string
	Silences []*Silence
}

// DefaultConfig is what holds without a file. The interval is Prometheus' own default, one minute, only where nothing says better: most setups
// scrape every 15 s, and a rule that cries at [1m] would be silenced everywhere.
func DefaultConfig() Config { return Config{ScrapeInterval: 15 * time.Second, Keyword: "报警"} }

// ParseConfig reads the configuration. Unknown members are errors: a silence with a typing error would silence nothing.
func ParseConfig(name string, data []byte) (Config, error) {
	cfg := DefaultConfig()
	var raw struct {
		ScrapeInterval string     `yaml:"scrape-interval"`
		Datasources    []string   `yaml:"datasources"`
		Keyword        *string    `yaml:"keyword"`
		Silence        []*Silence `yaml:"silence"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&raw); err != nil && !errors.Is(err, io.EOF) {
		return cfg, fmt.Errorf("%s: %w", name, err)
	}
	if raw.ScrapeInterval != "" {
		d, err := time.ParseDuration(raw.ScrapeInterval)
		if err != nil || d <= 0 {
			return cfg, fmt.Errorf("%s: scrape-interval %q is no duration; write 10s or 1m", name, raw.ScrapeInterval)
		}
		cfg.ScrapeInterval = d
	}
	if raw.Keyword != nil {
		cfg.Keyword = *raw.Keyword
	}
	ids := map[string]*Rule{}
	for _, r := range Rules() {
		ids[r.ID] = r
	}
	for _, s := range raw.Silence {
		if s == nil {
			continue
		}
		if err := s.validate(ids); err != nil {
			return cfg, fmt.Errorf("%s: %w", name, err)
		}
	}
	cfg.Datasources, cfg.Silences = raw.Datasources, raw.Silence
	return cfg, nil
}

func (c *Config) silenced(f *Finding, uid string) bool {
	for _, s := range c.Silences {
		if s != nil && s.matches(f, uid) {
			return true
		}
	}
	return false
}
