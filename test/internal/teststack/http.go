package teststack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Ask sends a request to the stack, as Grafana's administrator where it is Grafana's, and returns the answer's status and
// body whatever they are.
func (s *Stack) Ask(ctx context.Context, method, url string, header http.Header, body []byte) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if strings.HasPrefix(url, s.URL(Grafana)+"/") {
		req.SetBasicAuth("admin", s.Password)
	}
	if len(body) > 0 && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.Client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		err = fmt.Errorf("%s %s: %w", method, url, err)
	}
	return resp.StatusCode, string(text), err
}

// Page gets a page of the stack as text. Any status but 200 is an error.
func (s *Stack) Page(ctx context.Context, url string) (string, error) {
	return s.send(ctx, http.MethodGet, url, nil)
}

// Get asks a page of the stack and decodes its JSON into v unless that is nil. Any status but 200 is an error.
func (s *Stack) Get(ctx context.Context, url string, v any) error {
	return s.Do(ctx, http.MethodGet, url, nil, v)
}

// Do is Get with another method and a body.
func (s *Stack) Do(ctx context.Context, method, url string, body []byte, v any) error {
	text, err := s.send(ctx, method, url, body)
	if err != nil || v == nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return fmt.Errorf("%s %s: %w in %s", method, url, err, shortened(text))
	}
	return nil
}

func (s *Stack) send(ctx context.Context, method, url string, body []byte) (string, error) {
	status, text, err := s.Ask(ctx, method, url, nil, body)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s %s: %d %s: %s", method, url, status, http.StatusText(status), shortened(text))
	}
	return text, err
}

func shortened(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 600 {
		return s[:600] + "…"
	}
	return s
}
