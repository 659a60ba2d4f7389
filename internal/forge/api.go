package forge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
)

// api sends requests to one API.
type api struct {
	base *url.URL
	http *http.Client
	// header is sent with each request.
	header http.Header
	// secret is taken out of messages.
	secret string
}

func newAPI(address, token string, client *http.Client) (*api, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("the address of the API is %q; it must begin with http:// or https://", address)
	}
	return &api{base: u, http: client, header: http.Header{}, secret: token}, nil
}

// maxAnswer bounds what is read of an answer: a page of 100 comments of the greatest length.
const maxAnswer = 128 << 20

// statusError is an answer that says no.
type statusError struct {
	what   string
	status int
	text   string
}

func (e *statusError) Error() string {
	s := fmt.Sprintf("%s: %d %s", e.what, e.status, http.StatusText(e.status))
	if e.text != "" {
		s += ": " + e.text
	}
	switch e.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		s += "; the token lacks the right to do that"
	case http.StatusNotFound:
		s += "; check --api, --repository and --number: a token without the right to see them gets this answer, too"
	}
	return s
}

// isStatus reports whether an error is an answer with that status.
func isStatus(err error, status int) bool {
	var e *statusError
	return errors.As(err, &e) && e.status == status
}

// do sends a request, with a JSON body unless in is nil, and decodes the answer into out unless that is nil. path is escaped already. It returns the answer's header.
func (a *api) do(ctx context.Context, method, path string, query url.Values, in, out any) (http.Header, error) {
	var body io.Reader
	contentType := ""
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body, contentType = bytes.NewReader(data), "application/json"
	}
	return a.send(ctx, method, path, query, contentType, body, out)
}

// file sends a file as a form does.
func (a *api) file(ctx context.Context, path string, query url.Values, field string, p Picture, out any) error {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile(field, p.Name)
	if err == nil {
		_, err = part.Write(p.Data)
	}
	if err = errors.Join(err, form.Close()); err != nil {
		return err
	}
	_, err = a.send(ctx, http.MethodPost, path, query, form.FormDataContentType(), &body, out)
	return err
}

func (a *api) send(ctx context.Context, method, path string, query url.Values, contentType string, body io.Reader, out any) (http.Header, error) {
	address := strings.TrimSuffix(a.base.String(), "/") + path
	what := method + " " + address
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	for key, values := range a.header {
		req.Header[key] = values
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	req.Header.Set("User-Agent", "lookout")
	res, err := a.http.Do(req)
	if err != nil {
		// The error of net/http holds the whole address, and with it the token where that is a parameter.
		return nil, errors.New(strings.ReplaceAll(fmt.Sprintf("%s: %v", what, err), url.QueryEscape(a.secret), "[token]"))
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return nil, &statusError{what, res.StatusCode, message(data)}
	}
	if out == nil {
		return res.Header, nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		// The error names types of this program.
		return nil, fmt.Errorf("%s: the answer is not what the API says; is --api its address, with /api/v4, /api/v1 or /api/v5 at the end where the forge has that?", what)
	}
	return res.Header, nil
}

// message is what an answer says of an error, at most a line.
func message(body []byte) string {
	var m struct {
		Message json.RawMessage `json:"message"`
		Error   json.RawMessage `json:"error"`
	}
	text := ""
	if json.Unmarshal(body, &m) == nil {
		for _, raw := range []json.RawMessage{m.Message, m.Error} {
			var s string
			if json.Unmarshal(raw, &s) == nil && s != "" {
				text = s
			} else if len(raw) > 0 && text == "" {
				text = string(raw)
			}
			if text != "" {
				break
			}
		}
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 300 {
		text = text[:300] + "…"
	}
	return text
}
