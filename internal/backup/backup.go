// Package backup writes and reads the one file that holds what a stack cannot make again: the volumes of its servers, its
// state, and what was generated for it. The file is a tar, compressed with gzip, whose last entry lists every other one with its
// checksum: a file that was cut off has no list, and a damaged one does not fit it.
package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"path"
	"strings"
	"time"
)

// Format is the version of the layout. A file of a later one is refused.
const Format = 1

// manifestName is the last entry.
const manifestName = "manifest.json"

// A Volume is one server's data.
type Volume struct {
	// Service is whose it is, as internal/stack names it.
	Service string `json:"service"`
	// Name is the volume's in the engine.
	Name string `json:"name"`
	// Labels are the volume's.
	Labels map[string]string `json:"labels,omitempty"`
	// How says in what way it was copied: snapshot, or paused.
	How string `json:"how"`
}

// A Manifest says what a backup holds.
type Manifest struct {
	Format int `json:"format"`
	// Lookout is the version that wrote it.
	Lookout string `json:"lookout"`
	// Environment is the folder of envs/.
	Environment string `json:"environment"`
	// Stack and ID are the stack's name and identity.
	Stack string `json:"stack"`
	ID    string `json:"id"`
	// Taken is when it was begun.
	Taken time.Time `json:"taken"`
	// Images are what the services ran, by name.
	Images  map[string]string `json:"images"`
	Volumes []Volume          `json:"volumes"`
	// Entries are the SHA-256 of every file in it, by name.
	Entries map[string]string `json:"entries"`
}

// A Writer makes a backup. The order of calls is free; Close ends it.
type Writer struct {
	gz  *gzip.Writer
	tar *tar.Writer
	m   Manifest
}

// NewWriter begins a backup.
func NewWriter(w io.Writer, m Manifest) *Writer {
	// What is large in it, Prometheus' chunks, is compressed already.
	gz, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
	m.Format, m.Entries = Format, map[string]string{}
	return &Writer{gz: gz, tar: tar.NewWriter(gz), m: m}
}

// File adds a file with its mode.
func (w *Writer) File(name string, mode int64, data []byte) error {
	h := &tar.Header{Name: name, Mode: mode, Size: int64(len(data)), ModTime: w.m.Taken, Typeflag: tar.TypeReg, Format: tar.FormatPAX}
	return w.entry(h, bytes.NewReader(data))
}

// Volume adds what a tar holds below its first folder, which is how the engine hands over a folder of a container: owners,
// modes and times stay as they are. keep may be nil; what it refuses is left out, with what is below it.
func (w *Writer) Volume(v Volume, archive io.Reader, keep func(name string) bool) error {
	in := tar.NewReader(archive)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			w.m.Volumes = append(w.m.Volumes, v)
			return nil
		}
		if err != nil {
			return fmt.Errorf("what the engine gives of the volume %s: %w", v.Name, err)
		}
		_, rel, _ := strings.Cut(path.Clean(h.Name), "/")
		if keep != nil && rel != "" && !keep(rel) {
			continue
		}
		name := volumeEntry(v.Service, rel)
		switch h.Typeflag {
		case tar.TypeDir:
			name += "/"
		case tar.TypeReg:
		case tar.TypeSymlink:
		case tar.TypeLink:
			// A second name of a file that came before, within the same folder.
			_, target, _ := strings.Cut(path.Clean(h.Linkname), "/")
			h.Linkname = volumeEntry(v.Service, target)
		default:
			// Sockets and pipes are made again by whoever uses them.
			continue
		}
		h.Name, h.Format = name, tar.FormatPAX
		if err := w.entry(h, in); err != nil {
			return err
		}
	}
}

func volumeEntry(service, rel string) string { return path.Join("volumes", service, rel) }

func (w *Writer) entry(h *tar.Header, r io.Reader) error {
	if err := w.tar.WriteHeader(h); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w.tar, sum), r); err != nil {
		return err
	}
	w.m.Entries[h.Name] = describe(h, sum)
	return nil
}

// describe is what the manifest keeps of an entry: the checksum of what it holds and of how it is stored.
func describe(h *tar.Header, content hash.Hash) string {
	fmt.Fprintf(content, "\x00%c %o %d %d %q", h.Typeflag, h.Mode, h.Uid, h.Gid, h.Linkname)
	return hex.EncodeToString(content.Sum(nil))
}

// Close writes the list of what is in it.
func (w *Writer) Close() error {
	data, err := json.MarshalIndent(w.m, "", "  ")
	if err != nil {
		return err
	}
	h := &tar.Header{Name: manifestName, Mode: 0o600, Size: int64(len(data)), ModTime: w.m.Taken, Typeflag: tar.TypeReg, Format: tar.FormatPAX}
	if err := w.tar.WriteHeader(h); err != nil {
		return err
	}
	if _, err := w.tar.Write(data); err != nil {
		return err
	}
	return errors.Join(w.tar.Close(), w.gz.Close())
}

// ErrIncomplete is a backup that was cut off, or something else.
var ErrIncomplete = errors.New("not a complete backup: it ends before its list of contents")

// maxManifest bounds what is read into memory: an entry takes some 150 bytes of it.
const maxManifest = 256 << 20

// Verify reads a whole backup and compares it with its own list. Nothing may be done with one that was not verified.
func Verify(r io.Reader) (m Manifest, err error) {
	got := map[string]string{}
	gz, err := gzip.NewReader(r)
	if err != nil {
		return m, fmt.Errorf("%w (%w)", ErrIncomplete, err)
	}
	in := tar.NewReader(gz)
	for {
		h, err := in.Next()
		if err != nil {
			return m, fmt.Errorf("%w (%w)", ErrIncomplete, err)
		}
		if h.Name == manifestName {
			break
		}
		if !within(h) {
			return m, fmt.Errorf("the entry %q leads out of the backup: it was not written by `make backup`", h.Name)
		}
		sum := sha256.New()
		//lint:ignore G110 only hashed, nothing is kept
		if _, err := io.Copy(sum, in); err != nil {
			return m, fmt.Errorf("%w (%s: %w)", ErrIncomplete, h.Name, err)
		}
		got[h.Name] = describe(h, sum)
	}
	data, err := io.ReadAll(io.LimitReader(in, maxManifest))
	if err != nil {
		return m, fmt.Errorf("%w (%w)", ErrIncomplete, err)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("its list of contents is not readable: %w", err)
	}
	if m.Format > Format || m.Format < 1 {
		return m, fmt.Errorf("its format is %d, and this version of Lookout reads %d: restore it with Lookout %s", m.Format, Format, m.Lookout)
	}
	// What comes after the list would be what nobody has checked.
	if _, err := in.Next(); err == nil {
		return m, errors.New("something follows its list of contents: it was not written by `make backup`")
	} else if !errors.Is(err, io.EOF) {
		return m, fmt.Errorf("%w (%w)", ErrIncomplete, err)
	}
	// The end of the stream holds the checksum of gzip.
	//lint:ignore G110 nothing is kept
	if _, err := io.Copy(io.Discard, gz); err != nil {
		return m, fmt.Errorf("%w (%w)", ErrIncomplete, err)
	}
	for name, sum := range m.Entries {
		switch got[name] {
		case sum:
		case "":
			return m, fmt.Errorf("%s is missing from it", name)
		default:
			return m, fmt.Errorf("%s is damaged in it: its checksum is another one", name)
		}
	}
	for name := range got {
		if m.Entries[name] == "" {
			return m, fmt.Errorf("%s is in it, but not in its list of contents", name)
		}
	}
	return m, nil
}

// within reports whether an entry stays inside the folder that it is unpacked into.
func within(h *tar.Header) bool {
	local := func(name string) bool {
		return name != "" && !path.IsAbs(name) && path.Clean(name) != ".." && !strings.HasPrefix(path.Clean(name), "../") && !strings.Contains(name, "\x00")
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir:
		return local(h.Name)
	case tar.TypeSymlink, tar.TypeLink:
		return local(h.Name) && h.Linkname != ""
	}
	return false
}

// Files calls visit with every file below a folder of the backup, by its name in there. The backup must be a verified one.
func Files(r io.Reader, folder string, visit func(name string, mode int64, data []byte) error) error {
	return each(r, folder, func(rel string, h *tar.Header, in io.Reader) error {
		if h.Typeflag != tar.TypeReg {
			return nil
		}
		data, err := io.ReadAll(in)
		if err != nil {
			return err
		}
		return visit(rel, h.Mode, data)
	})
}

// WriteVolume writes a service's volume as a tar of one folder of that name. The backup must be a verified one.
func WriteVolume(r io.Reader, service, folder string, w io.Writer) error {
	out := tar.NewWriter(w)
	prefix := volumeEntry(service, "")
	err := each(r, prefix, func(rel string, h *tar.Header, in io.Reader) error {
		h.Name = folder + "/" + rel
		if h.Typeflag == tar.TypeLink {
			h.Linkname = folder + "/" + strings.TrimPrefix(h.Linkname, prefix+"/")
		}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		_, err := io.Copy(out, in)
		return err
	})
	return errors.Join(err, out.Close())
}

func each(r io.Reader, folder string, visit func(rel string, h *tar.Header, in io.Reader) error) error {
	gz, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	in := tar.NewReader(gz)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, ok := strings.CutPrefix(h.Name, folder+"/")
		if !ok {
			continue
		}
		if err := visit(rel, h, in); err != nil {
			return err
		}
	}
}
