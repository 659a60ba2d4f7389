package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// Lock keeps book of imported dashboards, by uid. It is a file next to them.
type Lock struct {
	Dashboards map[string]Entry `json:"dashboards"`
}

// Entry is where one dashboard came from, enough to make the same file again.
type Entry struct {
	// File is the path from the lock file's directory, with slashes.
	File string `json:"file"`
	// Origin is the number in the catalogue, the address, or the path from the working directory.
	Origin    string `json:"origin"`
	Catalogue string `json:"catalogue,omitempty"`
	Revision  int    `json:"revision,omitempty"`
	// Licence is an SPDX identifier, or NOASSERTION if unknown.
	Licence string `json:"licence"`
	// SHA256 is of the published bytes.
	SHA256 string            `json:"sha256"`
	Inputs map[string]string `json:"inputs,omitempty"`
}

// LockName is what the lock file is called; it lies among the dashboards.
const LockName = "lock.json"

// IsLock reports whether the content is that of a lock file.
func IsLock(data []byte) bool {
	var l Lock
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode(&l) == nil && l.Dashboards != nil
}

// ReadLock reads a lock file; one that does not exist is empty.
func ReadLock(path string) (*Lock, error) {
	l := &Lock{Dashboards: map[string]Entry{}}
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(l); err != nil {
		return nil, fmt.Errorf("%s is not a lock file that lookout import wrote (%w); restore it from git", path, err)
	}
	if l.Dashboards == nil {
		l.Dashboards = map[string]Entry{}
	}
	return l, nil
}

// Bytes is the file: sorted by uid, so that two imports at a time merge.
func (l *Lock) Bytes() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(l); err != nil {
		panic(err) // maps of texts always encode
	}
	return b.Bytes()
}
