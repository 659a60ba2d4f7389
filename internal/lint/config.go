package lint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"lookout/internal/finding"
)

// Config is the file .lookout.yaml.
type Config struct {
	// ScrapeInterval is how often the metrics are collected; ranges of rates are held against it.
	ScrapeInterval time.Duration
	// Datasources are uids that dashboards may name instead of using a variable.
	Datasources []string
	// Keyword has to stand in the summary of every alert: DingTalk drops messages without it. "" asks for none.
	Keyword string
	// Alerts is what every alert has to have.
	Alerts AlertPolicy
	// ExternalLabels are those that Prometheus is configured to have; nil if that is not said.
	ExternalLabels []string
	Silences       finding.Silences
	// Rules are the team's own.
	Rules []*Custom
	// Optional are metrics that need not be exposed where the check looks, with the reason: what only other hardware has, for one.
	Optional []*Optional
	// Exposed is what check and review compare with where the command line says nothing else.
	Exposed Exposed
}

// Exposed says where it is to be seen what is exposed.
type Exposed struct {
	// Metrics are files with captured expositions, or patterns of their names.
	Metrics []string `yaml:"metrics"`
	// Exporters are programs to start and ask, if the command line allows it.
	Exporters []Exporter `yaml:"exporters"`
}

// Exporter is a program that exposes metrics at /metrics.
type Exporter struct {
	// Run is a line for sh. In it {port} is the port on 127.0.0.1 to listen on, and {dir} an empty directory for its data.
	Run string `yaml:"run"`
	// Until are metrics without which what it exposes is not complete yet.
	Until []string `yaml:"until"`
}

// Optional names metrics that may be missing.
type Optional struct {
	// Metric is a name, or a pattern with * for any characters.
	Metric string `yaml:"metric"`
	Reason string `yaml:"reason"`

	pattern *regexp.Regexp
}

// IsOptional returns why a metric may be missing.
func (c *Config) IsOptional(metric string) (reason string, ok bool) {
	for _, o := range c.Optional {
		if o.pattern.MatchString(metric) {
			return o.Reason, true
		}
	}
	return "", false
}

// AlertPolicy asks for labels and annotations of alerts, by name.
type AlertPolicy struct {
	Labels      map[string]Pattern `yaml:"labels"`
	Annotations map[string]Pattern `yaml:"annotations"`
}

// Pattern is a regular expression that a whole value has to match.
type Pattern struct{ *regexp.Regexp }

// UnmarshalYAML compiles the expression.
func (p *Pattern) UnmarshalYAML(n *yaml.Node) error {
	var text string
	if err := n.Decode(&text); err != nil {
		return err
	}
	compiled, err := regexp.Compile("^(?:" + text + ")$")
	if err != nil {
		return fmt.Errorf("line %d: %q is not a regular expression: %w", n.Line, text, err)
	}
	p.Regexp = compiled
	return nil
}

// String is the expression as it was written.
func (p Pattern) String() string {
	return strings.TrimSuffix(strings.TrimPrefix(p.Regexp.String(), "^(?:"), ")$")
}

// DefaultConfig is what holds without a file. The interval is Prometheus' own default, one minute, only where nothing says better: most setups
// scrape every 15 s, and a rule that cries at [1m] would be silenced everywhere.
func DefaultConfig() Config { return Config{ScrapeInterval: 15 * time.Second, Keyword: "报警"} }

// Load reads the configuration: the named file, or .lookout.yaml in the working directory if it is there.
func Load(name string) (Config, error) {
	explicit := name != ""
	if !explicit {
		name = ".lookout.yaml"
	}
	data, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) && !explicit {
		return DefaultConfig(), nil
	}
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	return ParseConfig(name, data)
}

// ParseConfig reads the configuration. Unknown members are errors: a silence with a typing error would silence nothing.
func ParseConfig(name string, data []byte) (Config, error) {
	cfg := DefaultConfig()
	var raw struct {
		ScrapeInterval string           `yaml:"scrape-interval"`
		Datasources    []string         `yaml:"datasources"`
		Keyword        *string          `yaml:"keyword"`
		Silence        finding.Silences `yaml:"silence"`
		Rules          []*Custom        `yaml:"rules"`
		RulesFile      string           `yaml:"rules-file"`
		Optional       []*Optional      `yaml:"optional"`
		Alerts         AlertPolicy      `yaml:"alerts"`
		ExternalLabels []string         `yaml:"external-labels"`
		Exposed        Exposed          `yaml:"exposed"`
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
	if raw.RulesFile != "" {
		more, err := os.ReadFile(filepath.Join(filepath.Dir(name), raw.RulesFile))
		if err != nil {
			return cfg, fmt.Errorf("%s: rules-file: %w", name, err)
		}
		var own []*Custom
		dec := yaml.NewDecoder(bytes.NewReader(more))
		dec.KnownFields(true)
		if err := dec.Decode(&own); err != nil && !errors.Is(err, io.EOF) {
			return cfg, fmt.Errorf("%s: %w", raw.RulesFile, err)
		}
		raw.Rules = append(raw.Rules, own...)
	}
	ids := map[string]*Rule{}
	for _, r := range Rules() {
		ids[r.ID] = r
	}
	for _, c := range raw.Rules {
		if c == nil {
			continue
		}
		if err := c.compile(ids); err != nil {
			return cfg, fmt.Errorf("%s: %w", name, err)
		}
		ids[c.ID] = c.rule()
	}
	for _, s := range raw.Silence {
		if s == nil {
			continue
		}
		if err := s.Validate(func(rule string) bool { return ids[rule] != nil }); err != nil {
			return cfg, fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, o := range raw.Optional {
		if o == nil || o.Metric == "" || strings.TrimSpace(o.Reason) == "" {
			return cfg, fmt.Errorf("%s: an optional metric needs a name (metric) and a reason", name)
		}
		o.pattern = regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(o.Metric), `\*`, ".*") + "$")
	}
	for _, e := range raw.Exposed.Exporters {
		if !strings.Contains(e.Run, "{port}") {
			return cfg, fmt.Errorf("%s: exposed.exporters: %q does not say where to listen; write {port} where its port belongs", name, e.Run)
		}
	}
	cfg.Exposed = raw.Exposed
	cfg.Rules, cfg.Optional = raw.Rules, raw.Optional
	cfg.Alerts, cfg.ExternalLabels = raw.Alerts, raw.ExternalLabels
	cfg.Datasources, cfg.Silences = raw.Datasources, raw.Silence
	return cfg, nil
}
