package backup_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lookout/internal/backup"
)

var taken = time.Date(2026, 11, 26, 10, 30, 0, 0, time.UTC)

// engine is a volume as the engine hands it over: below a folder of its own name.
func engine(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []tar.Header{
		{Name: "prometheus/", Typeflag: tar.TypeDir, Mode: 0o750, Uid: 65534, Gid: 65534},
		{Name: "prometheus/lock", Typeflag: tar.TypeReg, Mode: 0o600, Uid: 65534, Gid: 65534},
		{Name: "prometheus/block/", Typeflag: tar.TypeDir, Mode: 0o700, Uid: 65534, Gid: 65533},
		{Name: "prometheus/block/chunks", Typeflag: tar.TypeReg, Mode: 0o640, Uid: 65534, Gid: 65534, Size: 5, ModTime: taken},
		{Name: "prometheus/block/again", Typeflag: tar.TypeLink, Linkname: "prometheus/block/chunks", Mode: 0o640},
		{Name: "prometheus/current", Typeflag: tar.TypeSymlink, Linkname: "block", Mode: 0o777},
		{Name: "prometheus/socket", Typeflag: tar.TypeFifo},
	} {
		require.NoError(t, w.WriteHeader(&h))
		_, err := w.Write([]byte("hello")[:h.Size])
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func write(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := backup.NewWriter(&b, backup.Manifest{Lookout: "0.1.0", Environment: "local", Stack: "lookout-local", ID: "7", Taken: taken})
	v := backup.Volume{Service: "prometheus", Name: "lookout-local-prometheus-data", Labels: map[string]string{"lookout.stack": "7"}, How: "snapshot"}
	require.NoError(t, w.Volume(v, bytes.NewReader(engine(t)), func(name string) bool { return name != "lock" }))
	require.NoError(t, w.File("files/platform/terraform.tfstate", 0o600, []byte("{}")))
	require.NoError(t, w.File("files/platform/secrets/ops.token", 0o644, []byte("secret\n")))
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestWhatWasWrittenIsReadAgain(t *testing.T) {
	data := write(t)
	m, err := backup.Verify(bytes.NewReader(data))
	require.NoError(t, err)
	require.Equal(t, "lookout-local", m.Stack)
	require.Equal(t, taken, m.Taken)
	require.Equal(t, "snapshot", m.Volumes[0].How)
	require.Len(t, m.Entries, 7, "five of the volume, without the lock and the socket, and two files")

	var out bytes.Buffer
	require.NoError(t, backup.WriteVolume(bytes.NewReader(data), "prometheus", "volume", &out))
	in := tar.NewReader(&out)
	var got []string
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		content, err := io.ReadAll(in)
		require.NoError(t, err)
		got = append(got, strings.Join([]string{h.Name, string(h.Typeflag), h.Linkname, string(content)}, " "))
		switch h.Name {
		case "volume/":
			require.EqualValues(t, 0o750, h.Mode)
			require.Equal(t, 65534, h.Uid)
		case "volume/block/chunks":
			require.True(t, h.ModTime.Equal(taken))
		}
	}
	require.Equal(t, []string{"volume/ 5  ", "volume/block/ 5  ", "volume/block/chunks 0  hello",
		"volume/block/again 1 volume/block/chunks ", "volume/current 2 block "}, got)

	files := map[string]string{}
	require.NoError(t, backup.Files(bytes.NewReader(data), "files", func(name string, mode int64, data []byte) error {
		files[name] = string(data)
		return nil
	}))
	require.Equal(t, map[string]string{"platform/terraform.tfstate": "{}", "platform/secrets/ops.token": "secret\n"}, files)
}

func TestADamagedBackupIsRefused(t *testing.T) {
	data := write(t)
	for range 200 {
		n := rand.N(len(data))
		_, err := backup.Verify(bytes.NewReader(data[:n]))
		require.Error(t, err, "cut off at %d", n)
	}
	for at := range data {
		// Bytes 4 to 9 of gzip are its time, level and system, which mean nothing here.
		if at >= 4 && at < 10 {
			continue
		}
		bent := bytes.Clone(data)
		bent[at] ^= 1 << rand.N(8)
		m, err := backup.Verify(bytes.NewReader(bent))
		if err == nil {
			// What no checksum needs to cover: padding that reads the same.
			whole, _ := backup.Verify(bytes.NewReader(data))
			require.Equal(t, whole, m, "byte %d", at)
		}
	}
}

// repack writes the entries of a backup again after change had them.
func repack(t *testing.T, change func(h *tar.Header, data []byte) (*tar.Header, []byte)) []byte {
	t.Helper()
	gz, err := gzip.NewReader(bytes.NewReader(write(t)))
	require.NoError(t, err)
	in := tar.NewReader(gz)
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	out := tar.NewWriter(zip)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		data, err := io.ReadAll(in)
		require.NoError(t, err)
		if h, data = change(h, data); h == nil {
			continue
		}
		h.Size = int64(len(data))
		require.NoError(t, out.WriteHeader(h))
		_, err = out.Write(data)
		require.NoError(t, err)
	}
	require.NoError(t, out.Close())
	require.NoError(t, zip.Close())
	return b.Bytes()
}

func TestABackupThatSomebodyChangedIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(h *tar.Header, data []byte) (*tar.Header, []byte)
		words  string
	}{
		"another content": {func(h *tar.Header, data []byte) (*tar.Header, []byte) {
			return h, bytes.ReplaceAll(data, []byte("hello"), []byte("hullo"))
		}, "volumes/prometheus/block/chunks is damaged"},
		"another owner": {func(h *tar.Header, data []byte) (*tar.Header, []byte) {
			if strings.HasSuffix(h.Name, "chunks") {
				h.Uid = 0
			}
			return h, data
		}, "volumes/prometheus/block/chunks is damaged"},
		"one less": {func(h *tar.Header, data []byte) (*tar.Header, []byte) {
			if strings.HasSuffix(h.Name, ".token") {
				return nil, nil
			}
			return h, data
		}, "files/platform/secrets/ops.token is missing"},
		"another name": {func(h *tar.Header, data []byte) (*tar.Header, []byte) {
			h.Name = strings.Replace(h.Name, "ops.token", "../../../../etc/passwd", 1)
			return h, data
		}, "leads out of the backup"},
		"a later format": {func(h *tar.Header, data []byte) (*tar.Header, []byte) {
			return h, bytes.Replace(data, []byte(`"format": 1`), []byte(`"format": 2`), 1)
		}, "its format is 2"},
		"no list": {func(h *tar.Header, data []byte) (*tar.Header, []byte) {
			if h.Name == "manifest.json" {
				return nil, nil
			}
			return h, data
		}, "not a complete backup"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := backup.Verify(bytes.NewReader(repack(t, c.change)))
			require.ErrorContains(t, err, c.words)
		})
	}
	_, err := backup.Verify(strings.NewReader("something else"))
	require.ErrorIs(t, err, backup.ErrIncomplete)
}
