package test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// A target is one scrape target as Prometheus reports it.
type target struct {
	Labels         map[string]string `json:"labels"`
	Health         string            `json:"health"`
	LastError      string            `json:"lastError"`
	ScrapeInterval string            `json:"scrapeInterval"`
	ScrapeURL      string            `json:"scrapeUrl"`
}

// targets are the active ones by job and instance: "go/go1".
func (s *stack) targets(ctx context.Context) (map[string]target, error) {
	var answer struct {
		Data struct {
			ActiveTargets []target `json:"activeTargets"`
		} `json:"data"`
	}
	if err := s.get(ctx, s.url("prometheus")+"/api/v1/targets", &answer); err != nil {
		return nil, err
	}
	targets := map[string]target{}
	for _, found := range answer.Data.ActiveTargets {
		targets[found.Labels["job"]+"/"+found.Labels["instance"]] = found
	}
	return targets, nil
}

// A sample is a value with the time of its scrape.
type sample struct {
	at    time.Time
	value float64
}

// samples asks Prometheus for the stored samples of one series over the time that has passed since
// then, with the times of their scrapes. More or fewer than one series is an error.
func (s *stack) samples(ctx context.Context, selector string, since time.Time) ([]sample, error) {
	window := time.Since(since)
	if window < time.Millisecond {
		window = time.Millisecond
	}
	query := fmt.Sprintf("%s[%dms]", selector, window.Milliseconds())
	var answer struct {
		Data struct {
			Result []struct {
				Values [][2]json.RawMessage `json:"values"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := s.get(ctx, s.url("prometheus")+"/api/v1/query?query="+url.QueryEscape(query), &answer); err != nil {
		return nil, err
	}
	if len(answer.Data.Result) != 1 {
		return nil, fmt.Errorf("%s: %d series, want one", query, len(answer.Data.Result))
	}
	var samples []sample
	for _, pair := range answer.Data.Result[0].Values {
		var at float64
		var text string
		if err := json.Unmarshal(pair[0], &at); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(pair[1], &text); err != nil {
			return nil, err
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, err
		}
		samples = append(samples, sample{at: time.UnixMilli(int64(at * 1000)), value: value})
	}
	return samples, nil
}

// configuration is what Prometheus runs with, as YAML.
func (s *stack) configuration(ctx context.Context) (string, error) {
	var answer struct {
		Data struct {
			YAML string `json:"yaml"`
		} `json:"data"`
	}
	err := s.get(ctx, s.url("prometheus")+"/api/v1/status/config", &answer)
	return answer.Data.YAML, err
}
