package licences

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

func checksum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Notices is the text that copies of a program must carry: every module that it is linked from, with the texts of its
// licences and notices. A text that several modules share word for word stands there once.
func Notices(program string, found []Found, goroot string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Third-party notices for %s\n\nIt is linked from the modules below. Their source is to be had from the Go module proxy under these\nnames and versions.\n\n", program)
	type text struct {
		modules []string
		body    string
	}
	var texts []*text
	byBody := map[string]*text{}
	add := func(module, body string) {
		body = strings.TrimSpace(strings.ReplaceAll(body, "\r\n", "\n"))
		t, ok := byBody[body]
		if !ok {
			t = &text{body: body}
			byBody[body] = t
			texts = append(texts, t)
		}
		t.modules = append(t.modules, module)
	}
	fmt.Fprintf(&b, "  Go's standard library %s: BSD-3-Clause\n", strings.TrimPrefix(runtime.Version(), "go"))
	if data, err := os.ReadFile(filepath.Join(goroot, "LICENSE")); err == nil {
		add("Go's standard library", string(data))
	}
	for _, f := range found {
		fmt.Fprintf(&b, "  %s: %s\n", f.Module, strings.Join(f.Licences(), ", "))
		for _, file := range f.Files {
			add(f.Module.String()+", "+file.Name, file.Text)
		}
	}
	for _, t := range texts {
		fmt.Fprintf(&b, "\n%s\n%s\n%s\n\n%s\n", strings.Repeat("=", 100), strings.Join(t.modules, "\n"), strings.Repeat("-", 100), t.body)
	}
	return b.String()
}
