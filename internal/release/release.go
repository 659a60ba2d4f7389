// Package release makes what a release publishes from a checkout, and checks it: programs and build contexts of images for each architecture, what
// they are made of (SBOM), checksums and their signature.
package release

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"debug/buildinfo"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"

	"lookout/internal/toolchain"
)

// Architectures are those that programs and images are made for, as Go names them.
var Architectures = []string{"amd64", "arm64"}

const (
	// Sums is the file with the checksums of all others, in the form of sha256sum.
	Sums = "SHA256SUMS"
	// Signature is that of Sums, by Ed25519: openssl pkeyutl -verify -pubin -inkey release.pub -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig.
	Signature = Sums + ".sig"
	// Notes is what the CHANGELOG says of the release.
	Notes = "NOTES.md"
)

var semver = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$`)

// Section is what a CHANGELOG says of a version, without its heading ("## 1.2.0" or "## 1.2.0 - 2026-12-01").
func Section(changelog, version string) (string, error) {
	_, rest, ok := strings.Cut("\n"+changelog, "\n## "+version+"\n")
	if !ok {
		if _, rest, ok = strings.Cut("\n"+changelog, "\n## "+version+" - "); ok {
			_, rest, ok = strings.Cut(rest, "\n")
		}
	}
	if !ok {
		return "", fmt.Errorf("CHANGELOG.md has no section %q: rename “Unreleased” to it, with the date", "## "+version)
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	if text = strings.TrimSpace(text); text == "" {
		return "", fmt.Errorf("the section %q of CHANGELOG.md is empty", "## "+version)
	}
	return text + "\n", nil
}

// Options are what Build needs.
type Options struct {
	// Repo is the checkout, Out the folder to write to, which must not exist.
	Repo, Out string
	// Version is a semantic version without a v.
	Version string
	// Section of the CHANGELOG; Version if empty.
	Section string
	// Key signs the checksums.
	Key ed25519.PrivateKey
	// Cache keeps notices.
	Cache *toolchain.Cache
	// Log gets a line for each file.
	Log io.Writer
}

// Build writes a release.
func Build(ctx context.Context, o Options) error {
	if !semver.MatchString(o.Version) {
		return fmt.Errorf("%q is not a semantic version; write for example 1.2.0, without a v", o.Version)
	}
	if o.Section == "" {
		o.Section = o.Version
	}
	changelog, err := os.ReadFile(filepath.Join(o.Repo, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	notes, err := Section(string(changelog), o.Section)
	if err != nil {
		return err
	}
	if err := os.Mkdir(o.Out, 0o755); err != nil {
		return fmt.Errorf("the folder of a release is made by it: %w", err)
	}
	write := func(name string, data []byte) error {
		fmt.Fprintf(o.Log, "%-44s %8d KiB\n", name, (len(data)+1023)/1024)
		return os.WriteFile(filepath.Join(o.Out, name), data, 0o644)
	}
	if err := write(Notes, []byte(notes)); err != nil {
		return err
	}
	images := &toolchain.ImageBuilder{Root: o.Repo, Cache: o.Cache}
	for _, arch := range Architectures {
		for _, p := range toolchain.Programs {
			var b bytes.Buffer
			if err := images.WriteContext(ctx, &b, p, o.Version, arch); err != nil {
				return err
			}
			if err := write(fmt.Sprintf("image_%s_%s_linux_%s.tar", p.Role, o.Version, arch), b.Bytes()); err != nil {
				return err
			}
			program, err := images.Program(ctx, p.Package, o.Version, arch)
			if err != nil {
				return err
			}
			bom, err := materials(program, p.Role, o.Version)
			if err != nil {
				return fmt.Errorf("SBOM of %s: %w", program, err)
			}
			if err := write(fmt.Sprintf("%s_%s_linux_%s.cdx.json", p.Role, o.Version, arch), bom); err != nil {
				return err
			}
		}
		archive, err := commandLine(ctx, o, images, arch)
		if err != nil {
			return err
		}
		if err := write(fmt.Sprintf("lookout_%s_linux_%s.tar.gz", o.Version, arch), archive); err != nil {
			return err
		}
	}
	sums, err := checksums(o.Out)
	if err != nil {
		return err
	}
	if err := write(Sums, sums); err != nil {
		return err
	}
	return write(Signature, ed25519.Sign(o.Key, sums))
}

// commandLine is the archive of the program that people install: lookout, its licence and those of what it is linked from.
func commandLine(ctx context.Context, o Options, images *toolchain.ImageBuilder, arch string) ([]byte, error) {
	program, err := images.Program(ctx, "cmd/lookout", o.Version, arch)
	if err != nil {
		return nil, err
	}
	notices, err := o.Cache.OwnNotices(ctx, o.Repo, "console", false, "./cmd/lookout")
	if err != nil {
		return nil, err
	}
	return archive([]archived{{"LICENSE", filepath.Join(o.Repo, "LICENSE"), 0o644}, {"THIRD_PARTY_NOTICES", notices, 0o644}, {"lookout", program, 0o755}})
}

// archived is a file of an archive: its name there, and where it is.
type archived struct {
	name, from string
	mode       int64
}

// archive packs files as .tar.gz, with neither times nor owners: the same files make the same bytes.
func archive(files []archived) ([]byte, error) {
	var b bytes.Buffer
	zip, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	out := tar.NewWriter(zip)
	for _, f := range files {
		data, err := os.ReadFile(f.from)
		if err != nil {
			return nil, err
		}
		if err := out.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
			return nil, err
		}
		if _, err := out.Write(data); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(out.Close(), zip.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// checksums are those of all files of a folder but for Sums and Signature.
func checksums(dir string) ([]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, e := range entries {
		if e.Name() == Sums || e.Name() == Signature {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(data), e.Name())
	}
	return b.Bytes(), nil
}

// Verify checks the folder of a release: its signature, that every file is as its checksum says and no other is there, that each program is a static one for
// its architecture, that an image holds all that its Dockerfile copies, and that each SBOM names every module that its program is linked from.
func Verify(dir, version string, public ed25519.PublicKey) error {
	sums, err := os.ReadFile(filepath.Join(dir, Sums))
	if err != nil {
		return err
	}
	signature, err := os.ReadFile(filepath.Join(dir, Signature))
	if err != nil {
		return err
	}
	if !ed25519.Verify(public, sums, signature) {
		return fmt.Errorf("%s is not the signature of %s by this key", Signature, Sums)
	}
	now, err := checksums(dir)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, sums) {
		return fmt.Errorf("the files are not those of %s: %s", Sums, difference(string(sums), string(now)))
	}
	for _, arch := range Architectures {
		for _, p := range toolchain.Programs {
			name := fmt.Sprintf("image_%s_%s_linux_%s.tar", p.Role, version, arch)
			program, err := image(filepath.Join(dir, name), path.Base(p.Package), arch)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			name = fmt.Sprintf("%s_%s_linux_%s.cdx.json", p.Role, version, arch)
			if err := sbom(filepath.Join(dir, name), program); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		name := fmt.Sprintf("lookout_%s_linux_%s.tar.gz", version, arch)
		files, err := unpack(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, f := range []string{"LICENSE", "THIRD_PARTY_NOTICES", "lookout"} {
			if len(files[f]) == 0 {
				return fmt.Errorf("%s: %s is not in it", name, f)
			}
		}
		if err := static(files["lookout"], arch); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func difference(was, is string) string {
	for line := range strings.Lines(was) {
		if !strings.Contains(is, line) {
			return "changed or missing is " + strings.TrimSpace(line[64:])
		}
	}
	for line := range strings.Lines(is) {
		if !strings.Contains(was, line) {
			return "nothing is said of " + strings.TrimSpace(line[64:])
		}
	}
	return "their order differs"
}

// unpack reads the files of an archive; those of a folder end with a slash.
func unpack(name string) (map[string][]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			return nil, err
		}
	}
	files := map[string][]byte{}
	for r := tar.NewReader(in); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			return nil, err
		}
	}
}

var copies = regexp.MustCompile(`(?m)^COPY(?: --chown=\S+)? (.+) \S+$`)

// image checks the build context of an image and returns its program.
func image(name, program, arch string) ([]byte, error) {
	files, err := unpack(name)
	if err != nil {
		return nil, err
	}
	dockerfile := string(files["Dockerfile"])
	found := copies.FindAllStringSubmatch(dockerfile, -1)
	if !strings.Contains(dockerfile, "\nFROM scratch\n") || len(found) == 0 {
		return nil, errors.New("its Dockerfile does not begin with an empty image, or copies nothing")
	}
	for _, m := range found {
		for _, from := range strings.Fields(m[1]) {
			_, file := files[from]
			_, folder := files[from+"/"]
			if !file && !folder && !slices.ContainsFunc(keys(files), func(n string) bool { return strings.HasPrefix(n, from+"/") }) {
				return nil, fmt.Errorf("its Dockerfile copies %s, which is not in it", from)
			}
		}
	}
	for _, p := range []string{program, "probe"} {
		if err := static(files[p], arch); err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
	}
	for _, n := range []string{"root/licenses/LICENSE", "root/licenses/THIRD_PARTY_NOTICES", "root/licenses/THIRD_PARTY_NOTICES.probe"} {
		if len(files[n]) == 0 {
			return nil, fmt.Errorf("%s is not in it", n)
		}
	}
	return files[program], nil
}

func keys(m map[string][]byte) (all []string) {
	for k := range m {
		all = append(all, k)
	}
	return all
}

var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// static checks that a program is one for Linux on an architecture, and needs nothing but a kernel.
func static(program []byte, arch string) error {
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return fmt.Errorf("not a program for Linux: %w", err)
	}
	defer f.Close()
	if f.Machine != machines[arch] {
		return fmt.Errorf("it is for %s, not for %s", f.Machine, arch)
	}
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return errors.New("it is not static")
	}
	return nil
}

// materials writes the SBOM of a program, from what the compiler has put into it: each module that is linked, and Go's own packages.
// It has neither a time nor a serial number: the same program makes the same bytes.
func materials(program, name, version string) ([]byte, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, err
	}
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{Component: &cyclonedx.Component{Type: cyclonedx.ComponentTypeApplication, Name: name, Version: version, BOMRef: name}}
	components := []cyclonedx.Component{module("std", strings.TrimPrefix(info.GoVersion, "go"), "")}
	uses := []string{components[0].BOMRef}
	for _, d := range info.Deps {
		if d.Replace != nil {
			d = d.Replace
		}
		c := module(d.Path, d.Version, d.Sum)
		components, uses = append(components, c), append(uses, c.BOMRef)
	}
	settings := []cyclonedx.Property{}
	for _, s := range info.Settings {
		settings = append(settings, cyclonedx.Property{Name: "go:build:" + s.Key, Value: s.Value})
	}
	bom.Metadata.Properties = &settings
	bom.Components, bom.Dependencies = &components, &[]cyclonedx.Dependency{{Ref: name, Dependencies: &uses}}
	var b bytes.Buffer
	if err := cyclonedx.NewBOMEncoder(&b, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(bom); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// module is one that a program is linked from; sum is its line in go.sum, "" for Go's own packages.
func module(path, version, sum string) cyclonedx.Component {
	purl := "pkg:golang/" + path + "@" + version
	c := cyclonedx.Component{Type: cyclonedx.ComponentTypeLibrary, Name: path, Version: version, PackageURL: purl, BOMRef: purl}
	if sum != "" {
		c.Properties = &[]cyclonedx.Property{{Name: "go:sum", Value: sum}}
	}
	return c
}

// sbom checks that a program's SBOM names each module that is linked into it, with its version, and Go itself.
func sbom(name string, program []byte) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var bom struct {
		BomFormat  string
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(data, &bom); err != nil {
		return err
	}
	if bom.BomFormat != "CycloneDX" {
		return fmt.Errorf("its bomFormat is %q", bom.BomFormat)
	}
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return err
	}
	if len(info.Deps) == 0 || len(bom.Components) == 0 {
		return errors.New("it names no modules")
	}
	has := map[string]string{}
	for _, c := range bom.Components {
		has[c.Name] = c.Version
	}
	if has["std"] == "" {
		return errors.New("it lacks Go's own packages")
	}
	for _, d := range info.Deps {
		if d.Replace != nil {
			d = d.Replace
		}
		if has[d.Path] != d.Version {
			return fmt.Errorf("it lacks %s %s, which the program is linked from", d.Path, d.Version)
		}
	}
	return nil
}

// NewKey makes a key and returns it in PEM: the private part in PKCS #8, the public one in PKIX.
func NewKey() (private, public []byte, err error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	pubDER, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pubDER}), nil
}

// PrivateKey reads what NewKey made, or openssl genpkey -algorithm ed25519.
func PrivateKey(text []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("the key is not in PEM: make one with openssl genpkey -algorithm ed25519")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	if k, ok := key.(ed25519.PrivateKey); ok {
		return k, nil
	}
	return nil, fmt.Errorf("the key is a %T, not one for Ed25519: make one with openssl genpkey -algorithm ed25519", key)
}

// PublicKey reads the public part, as of openssl pkey -pubout.
func PublicKey(text []byte) (ed25519.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("the public key is not in PEM: openssl pkey -in release.key -pubout")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	if k, ok := key.(ed25519.PublicKey); ok {
		return k, nil
	}
	return nil, fmt.Errorf("the public key is a %T, not one for Ed25519", key)
}

// Same reports whether two releases hold the same bytes, apart from their signatures; the error names what differs.
func Same(a, b string) error {
	x, err := os.ReadFile(filepath.Join(a, Sums))
	if err != nil {
		return err
	}
	y, err := os.ReadFile(filepath.Join(b, Sums))
	if err != nil {
		return err
	}
	if !bytes.Equal(x, y) {
		return fmt.Errorf("two builds of the same sources differ: %s", difference(string(x), string(y)))
	}
	return nil
}

// Fingerprint is how people compare a public key: the first 16 bytes of its SHA-256, in hexadecimal.
func Fingerprint(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:16])
}

// Check builds a release twice in scratch, from repo and from a copy of it elsewhere, and verifies all of it.
func Check(ctx context.Context, o Options, scratch string) error {
	private, public, err := NewKey()
	if err != nil {
		return err
	}
	if o.Key, err = PrivateKey(private); err != nil {
		return err
	}
	pub, err := PublicKey(public)
	if err != nil {
		return err
	}
	first, second := filepath.Join(scratch, "first"), filepath.Join(scratch, "second")
	o.Out = first
	if err := Build(ctx, o); err != nil {
		return err
	}
	if err := Verify(first, o.Version, pub); err != nil {
		return err
	}
	elsewhere := filepath.Join(scratch, "elsewhere")
	if out, err := exec.CommandContext(ctx, "git", "clone", "--quiet", o.Repo, elsewhere).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	// What is not committed is part of what is tried.
	if err := overlay(ctx, o.Repo, elsewhere); err != nil {
		return err
	}
	again := o
	again.Repo, again.Out, again.Log = elsewhere, second, io.Discard
	if err := Build(ctx, again); err != nil {
		return err
	}
	if err := Same(first, second); err != nil {
		return err
	}
	// A check that accepts anything is none.
	for _, wrong := range []func() error{
		func() error { return os.WriteFile(filepath.Join(second, "more"), []byte("x"), 0o644) },
		func() error { return os.WriteFile(filepath.Join(second, Notes), []byte("other"), 0o644) },
		func() error {
			return os.WriteFile(filepath.Join(second, Signature), make([]byte, ed25519.SignatureSize), 0o644)
		},
	} {
		if err := wrong(); err != nil {
			return err
		}
		if Verify(second, o.Version, pub) == nil {
			return errors.New("a release with a file that was changed passes")
		}
	}
	return nil
}

// overlay copies what a checkout has changed since its last commit.
func overlay(ctx context.Context, from, to string) error {
	cmd := exec.CommandContext(ctx, "git", "ls-files", "-z", "--modified", "--others", "--exclude-standard")
	cmd.Dir = from
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("git ls-files: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if name == "" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, fs.ErrNotExist) {
			if err := os.Remove(filepath.Join(to, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
