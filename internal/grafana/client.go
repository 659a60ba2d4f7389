// Package grafana reads what a Grafana holds through its HTTP API: dashboards, alert rules, contact points and data sources. It writes nothing.
package grafana

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"lookout/internal/dashboard"
)

// Client asks one Grafana.
type Client struct {
	base   *url.URL
	auth   string
	client *http.Client
}

// New makes a client. address is Grafana's root URL, a path below a host included; auth is "user:password" or the token of a service account, "" for
// anonymous access. These are the two forms of the Terraform provider's GRAFANA_AUTH.
func New(address, auth string, client *http.Client) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("the address of Grafana: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("the address of Grafana is %q; it must begin with http:// or https://", address)
	}
	if u.User != nil && auth == "" {
		auth = u.User.String()
	}
	u.User = nil
	return &Client{u, auth, client}, nil
}

// maxAnswer is the size from which an answer is refused; Grafana limits dashboards well below it.
const maxAnswer = 64 << 20

// ErrNotFound is wrapped in the error about something that Grafana does not have.
var ErrNotFound = errors.New("not found")

// errNotClassic is Grafana's answer to a question for a dashboard in a form that it is not saved in.
var errNotClassic = errors.New("it is saved as schema V2")

func (c *Client) get(ctx context.Context, query url.Values, path ...string) ([]byte, error) {
	//lint:ignore G125 callers escape what is not constant
	u := c.base.JoinPath(path...)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	if user, password, ok := strings.Cut(c.auth, ":"); ok {
		req.SetBasicAuth(user, password)
	} else if c.auth != "" {
		req.Header.Set("Authorization", "Bearer "+c.auth)
	}
	res, err := c.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask Grafana: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("ask Grafana for %s: %w", u.Path, err)
	case res.StatusCode == http.StatusNotFound:
		return nil, fmt.Errorf("ask Grafana for %s: %w", u.Path, ErrNotFound)
	case res.StatusCode == http.StatusNotAcceptable:
		return nil, fmt.Errorf("ask Grafana for %s: %w", u.Path, errNotClassic)
	case res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden:
		return nil, fmt.Errorf("Grafana answers %s to %s; set --auth or GRAFANA_AUTH to user:password or a service account's token", res.Status, u.Path)
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("Grafana answers %s to %s: %s", res.Status, u.Path, message(body))
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("Grafana's answer to %s is larger than %d MiB", u.Path, maxAnswer>>20)
	}
	return body, nil
}

func message(body []byte) string {
	var m struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &m) == nil && m.Message != "" {
		return m.Message
	}
	s := strings.TrimSpace(string(body))
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return s
}

// Found is an entry of Grafana's search.
type Found struct {
	UID         string `json:"uid"`
	Title       string `json:"title"`
	FolderUID   string `json:"folderUid"`
	FolderTitle string `json:"folderTitle"`
}

// Search lists all dashboards, in Grafana's order.
func (c *Client) Search(ctx context.Context) ([]Found, error) {
	const page = 1000
	var all []Found
	for n := 1; ; n++ {
		body, err := c.get(ctx, url.Values{"type": {"dash-db"}, "limit": {strconv.Itoa(page)}, "page": {strconv.Itoa(n)}}, "api", "search")
		if err != nil {
			return nil, err
		}
		var found []Found
		if err := json.Unmarshal(body, &found); err != nil {
			return nil, fmt.Errorf("Grafana's answer to /api/search: %w", err)
		}
		all = append(all, found...)
		if len(found) < page {
			return all, nil
		}
	}
}

// Meta is what Grafana knows about a dashboard beside its content.
type Meta struct {
	FolderUID   string    `json:"folderUid"`
	FolderTitle string    `json:"folderTitle"`
	Version     int       `json:"version"`
	Created     time.Time `json:"created"`
	CreatedBy   string    `json:"createdBy"`
	Updated     time.Time `json:"updated"`
	UpdatedBy   string    `json:"updatedBy"`
}

// Dashboard reads one dashboard. file is the name its positions carry. version is that of the API in which it is wanted, "v2beta1" for one, and "" the classic form, unless
// the dashboard is saved as schema V2: Grafana then says so, and it is read as that, whole.
func (c *Client) Dashboard(ctx context.Context, uid, file, version string) (*dashboard.Dashboard, Meta, error) {
	fail := func(err error) (*dashboard.Dashboard, Meta, error) {
		return nil, Meta{}, fmt.Errorf("dashboard %s: %w", uid, err)
	}
	var body []byte
	err := errNotClassic
	if version == "" {
		body, err = c.get(ctx, nil, "api", "dashboards", "uid", url.PathEscape(uid))
	}
	if !errors.Is(err, errNotClassic) {
		if err != nil {
			return fail(err)
		}
		var answer struct {
			Meta Meta `json:"meta"`
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			return fail(err)
		}
		d, err := dashboard.Load(file, body)
		if err != nil {
			return fail(err)
		}
		return d, answer.Meta, nil
	}
	body, err = c.get(ctx, nil, "apis", "dashboard.grafana.app", cmp.Or(version, "v2"), "namespaces", "default", "dashboards", url.PathEscape(uid))
	if err != nil {
		return fail(err)
	}
	var resource struct {
		Metadata struct {
			Annotations struct {
				Folder    string    `json:"grafana.app/folder"`
				UpdatedBy string    `json:"grafana.app/updatedBy"`
				Updated   time.Time `json:"grafana.app/updatedTimestamp"`
			} `json:"annotations"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(body, &resource); err != nil {
		return fail(err)
	}
	d, err := dashboard.Load(file, body)
	if err != nil {
		return fail(err)
	}
	a := resource.Metadata.Annotations
	return d, Meta{FolderUID: a.Folder, UpdatedBy: a.UpdatedBy, Updated: a.Updated}, nil
}

// Rules, ContactPoints and DataSources read lists as Grafana gives them.

// Rules are all alert rules that Grafana manages.
func (c *Client) Rules(ctx context.Context) ([]*dashboard.Node, error) {
	return c.list(ctx, "api", "v1", "provisioning", "alert-rules")
}

// ContactPoints are the integrations of all contact points, one entry for each. Secret settings read "[REDACTED]".
func (c *Client) ContactPoints(ctx context.Context) ([]*dashboard.Node, error) {
	return c.list(ctx, "api", "v1", "provisioning", "contact-points")
}

// DataSources are all data sources, without their secrets.
func (c *Client) DataSources(ctx context.Context) ([]*dashboard.Node, error) {
	return c.list(ctx, "api", "datasources")
}

func (c *Client) list(ctx context.Context, path ...string) ([]*dashboard.Node, error) {
	body, err := c.get(ctx, nil, path...)
	if err != nil {
		return nil, err
	}
	doc, err := dashboard.Parse("Grafana's answer to /"+strings.Join(path, "/"), body)
	if err != nil {
		return nil, err
	}
	var out []*dashboard.Node
	for _, n := range doc.Root.Items() {
		out = append(out, n)
	}
	return out, nil
}
