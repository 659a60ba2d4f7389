package state

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// stateServer is what Terraform's backend "http" asks for: one state, and a lock that a second holder is refused with who
// holds it. https://developer.hashicorp.com/terraform/language/backend/http
type stateServer struct {
	t *testing.T

	mu    sync.Mutex
	state []byte
	lock  []byte
}

func (s *stateServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if user, password, _ := r.BasicAuth(); user != "lookout" || password != "secret" {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	id := func(lock []byte) string {
		var info struct{ ID string }
		_ = json.Unmarshal(lock, &info)
		return info.ID
	}
	switch {
	case r.Method == http.MethodGet && s.state == nil:
		http.NotFound(w, r)
	case r.Method == http.MethodGet:
		w.Write(s.state)
	case r.Method == "LOCK" && s.lock != nil:
		w.WriteHeader(http.StatusLocked)
		w.Write(s.lock)
	case r.Method == "LOCK":
		s.lock = body
	case r.Method == "UNLOCK":
		s.lock = nil
	case r.Method == http.MethodPost && r.URL.Query().Get("ID") != id(s.lock):
		http.Error(w, "the lock is another's", http.StatusConflict)
	case r.Method == http.MethodPost:
		s.state = body
	default:
		http.Error(w, "unknown", http.StatusMethodNotAllowed)
	}
}

// bucket is as much of an object store as a state needs, with the bucket in the path: S3's, and Aliyun's OSS, which looks alike. Whoever
// asks has to sign.
type bucket struct {
	t *testing.T
	// name of the bucket, and how an Authorization begins.
	name, sign string

	mu      sync.Mutex
	objects map[string][]byte
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.objects == nil {
		b.objects = map[string][]byte{}
	}
	if !strings.HasPrefix(r.Header.Get("Authorization"), b.sign) {
		b.refuse(w, http.StatusForbidden, "AccessDenied")
		return
	}
	name, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if name != b.name {
		b.refuse(w, http.StatusNotFound, "NoSuchBucket")
		return
	}
	content, there := b.objects[key]
	etag := func(data []byte) string {
		sum := md5.Sum(data)
		return `"` + hex.EncodeToString(sum[:]) + `"`
	}
	switch {
	case key == "" && r.Method == http.MethodGet:
		b.list(w, r.URL.Query().Get("prefix"))
	case r.Method == http.MethodPut && r.Header.Get("If-None-Match") == "*" && there:
		b.refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
	case r.Method == http.MethodPut:
		data, err := io.ReadAll(r.Body)
		if err != nil {
			b.t.Error(err)
		}
		if strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked") {
			b.refuse(w, http.StatusNotImplemented, "NotImplemented")
			return
		}
		b.objects[key] = data
		w.Header().Set("ETag", etag(data))
	case r.Method == http.MethodDelete:
		delete(b.objects, key)
		w.WriteHeader(http.StatusNoContent)
	case !there:
		b.refuse(w, http.StatusNotFound, "NoSuchKey")
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		w.Header().Set("ETag", etag(content))
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		w.Header().Set("Last-Modified", "Thu, 26 Nov 2026 10:30:00 GMT")
		if r.Method == http.MethodGet {
			w.Write(content)
		}
	default:
		b.refuse(w, http.StatusMethodNotAllowed, "MethodNotAllowed")
	}
}

func (b *bucket) refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>%[1]s</Message></Error>", code)
}

func (b *bucket) list(w http.ResponseWriter, prefix string) {
	type object struct {
		Key  string
		Size int
	}
	result := struct {
		XMLName     xml.Name `xml:"ListBucketResult"`
		Name        string
		IsTruncated bool
		Contents    []object
	}{Name: b.name}
	for key, data := range b.objects {
		if strings.HasPrefix(key, prefix) {
			result.Contents = append(result.Contents, object{key, len(data)})
		}
	}
	slices.SortFunc(result.Contents, func(x, y object) int { return strings.Compare(x.Key, y.Key) })
	w.Header().Set("Content-Type", "application/xml")
	if err := xml.NewEncoder(w).Encode(result); err != nil {
		b.t.Error(err)
	}
}
