package console

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"github.com/klauspost/compress/gzip"
	"mime"
	"net"
	"net/http"
	"os"
	"path"
	"strings"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v3"

	"lookout/internal/drill/series"
)

// checkWebConfig reads Prometheus' web configuration file and insists on TLS and on users or client certificates: without them anyone who reaches the port could
// silence alerts.
func checkWebConfig(file string) error {
	if err := web.Validate(file); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var cfg struct {
		TLS struct {
			Cert     string `yaml:"cert_file"`
			Inline   string `yaml:"cert"`
			AuthType string `yaml:"client_auth_type"`
		} `yaml:"tls_server_config"`
		Users map[string]string `yaml:"basic_auth_users"`
	}
	if err := yaml.Unmarshal(data, &cfg); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if cfg.TLS.Cert == "" && cfg.TLS.Inline == "" {
		return fmt.Errorf("%s has no tls_server_config, so passwords would cross the network in clear", file)
	}
	if len(cfg.Users) == 0 && cfg.TLS.AuthType != "RequireAndVerifyClientCert" {
		return fmt.Errorf("%s has neither basic_auth_users nor client_auth_type: RequireAndVerifyClientCert, so anyone could silence alerts", file)
	}
	return nil
}

func basicAuth(userPassword string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(userPassword))
}

// open are the paths that say nothing about what is monitored, for health checks and scrapes under whatever name they use.
func open(p string) bool {
	return p == "/metrics" || p == series.MetricsPath || p == "/-/healthy" || p == "/-/ready"
}

// guard keeps out what a browser may be talked into: a name that resolves to loopback (DNS rebinding), requests from other sites, and it sets the headers that bind pages.
func (s *Server) guard(next http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	if s.external != nil {
		// An origin is what the reader's address bar shows; behind a proxy that is not the Host that arrives here.
		if err := cross.AddTrustedOrigin(s.external.Scheme + "://" + s.external.Host); err != nil {
			s.log.Warn("external URL is not an origin", "err", err)
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.base != "" {
			rest, ok := strings.CutPrefix(r.URL.Path, s.base)
			if ok && (rest == "" || rest[0] == '/') {
				r2 := r.Clone(r.Context())
				r2.URL.Path, r2.URL.RawPath = rest, ""
				if rest == "" {
					r2.URL.Path = "/"
				}
				r = r2
			} else if !open(r.URL.Path) {
				http.Redirect(w, r, s.base+"/", http.StatusFound)
				return
			}
		}
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		if !open(r.URL.Path) {
			if !s.knownHost(r.Host) {
				http.Error(w, fmt.Sprintf("This console does not go by the name %q. Use its address, or start it with --external-url naming that host.", r.Host), http.StatusMisdirectedRequest)
				return
			}
			if err := cross.Check(r); err != nil {
				http.Error(w, "A request that changes something has to come from a page of this console.", http.StatusForbidden)
				return
			}
		}
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		next.ServeHTTP(w, r)
	})
}

// knownHost tells whether a request's Host is one that the console goes by: loopback, the external URL's, that which it listens on.
func (s *Server) knownHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.Trim(name, "[]"))
	if s.hosts[name] {
		return true
	}
	ip := net.ParseIP(name)
	if ip == nil {
		return false
	}
	// With a login an address of this machine is fine; a name could be anyone's.
	return ip.IsLoopback() || s.cfg.WebConfigFile != ""
}

// csrfCookie holds a random word; forms carry its signature, which another site cannot know.
const csrfCookie = "lookout_form"

// token is what a form has to send back. It sets the cookie if there is none.
func (r *request) token() string {
	word := ""
	if c, err := r.Cookie(csrfCookie); err == nil && len(c.Value) == 32 {
		word = c.Value
	} else {
		b := make([]byte, 16)
		if _, err := rand.Read(b); err != nil {
			return ""
		}
		word = hex.EncodeToString(b)
		//lint:ignore G124 secure where the console itself serves TLS
		http.SetCookie(r.w, &http.Cookie{
			Name: csrfCookie, Value: word, Path: r.s.base + "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
		})
		//lint:ignore G124 a request, as the browser will send it
		r.AddCookie(&http.Cookie{Name: csrfCookie, Value: word})
	}
	return r.s.sign(word)
}

func (s *Server) sign(word string) string {
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte(word))
	return hex.EncodeToString(mac.Sum(nil))
}

// checkToken tells whether a form comes from a page of this console.
func (r *request) checkToken() error {
	if t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); t != "application/x-www-form-urlencoded" {
		return problem(http.StatusUnsupportedMediaType, r.t("Only a form of this console can change something."))
	}
	c, err := r.Cookie(csrfCookie)
	if err != nil || !hmac.Equal([]byte(r.PostFormValue("token")), []byte(r.s.sign(c.Value))) {
		return problem(http.StatusForbidden, r.t("The form is too old or comes from elsewhere. Open it again and send it once more."))
	}
	return nil
}

// policy is the page's content security policy: only what comes from here, no inline script; nonce lets the one style element with the panels' places in.
func policy(nonce string) string {
	style := "'self'"
	if nonce != "" {
		style += " 'nonce-" + nonce + "'"
	}
	return "default-src 'none'; script-src 'self'; style-src " + style + "; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
}

type staticFile struct {
	data, gzipped []byte
	kind, tag     string
}

func newStaticFile(name string, data []byte) staticFile {
	sum := sha256.Sum256(data)
	f := staticFile{data: data, kind: mime.TypeByExtension(path.Ext(name)), tag: hex.EncodeToString(sum[:6])}
	switch path.Ext(name) {
	case ".js":
		f.kind = "text/javascript; charset=utf-8"
	case ".css":
		f.kind = "text/css; charset=utf-8"
	case ".svg":
		f.kind = "image/svg+xml"
	}
	f.gzipped = compress(data)
	return f
}

func compress(data []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	_, _ = z.Write(data)
	_ = z.Close()
	return b.Bytes()
}

func (s *Server) serveStatic(w http.ResponseWriter, r *http.Request) {
	f, ok := s.static[strings.TrimPrefix(r.URL.Path, "/static/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("ETag", `"`+f.tag+`"`)
	h.Set("Vary", "Accept-Encoding")
	if r.URL.Query().Get("v") == f.tag {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.gzipped))
		return
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.data))
}
