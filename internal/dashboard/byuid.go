package dashboard

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ByUID reads the dashboards below a directory, by uid; one without a uid counts by its file's name. A directory that does not exist has none. Two dashboards
// with one uid are an error, and so is one that can't be read.
func ByUID(dir string) (map[string]*Dashboard, error) {
	out := map[string]*Dashboard{}
	if _, err := os.Stat(dir); err != nil {
		return out, nil
	}
	found, err := Find([]string{dir})
	if err != nil {
		return nil, err
	}
	for _, f := range found.Files {
		l := LoadFile(f)
		if errors.Is(l.Err, ErrNotDashboard) {
			continue
		}
		if l.Err != nil {
			return nil, l.Err
		}
		uid := cmp.Or(l.Dashboard.UID, strings.TrimSuffix(filepath.Base(f), filepath.Ext(f)))
		if was := out[uid]; was != nil {
			return nil, fmt.Errorf("%s and %s have the same uid %q; give one of them another", was.File(), f, uid)
		}
		out[uid] = l.Dashboard
	}
	return out, nil
}
