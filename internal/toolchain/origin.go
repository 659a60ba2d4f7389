package toolchain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Origins of images and providers, as ORIGIN names them.
const (
	// Auto looks in every place, in order.
	Auto = "auto"
	// Registry takes only what is published.
	Registry = "registry"
	// Modules pulls nothing and builds what can be built.
	Modules = "modules"
)

// Source is the place that an image or a provider comes from.
type Source string

const (
	// Named: the user named the image (PROMETHEUS_IMAGE=…).
	Named Source = "named"
	// InEngine: the engine already had the image under its published name.
	InEngine Source = "engine"
	// Pulled: the engine pulled it under its published name, by way of its own mirrors, proxies and logins.
	Pulled Source = "pulled"
	// Mirrored: it was pulled below IMAGE_REGISTRY.
	Mirrored Source = "mirror"
	// Built: built from a pinned Go module.
	Built Source = "modules"
	// Published: a provider from Terraform's registry or the user's own mirror.
	Published Source = "published"
	// Absent: not to be had.
	Absent Source = "absent"
)

// A Choice says where an image or a provider comes from.
type Choice struct {
	// Image is the reference that the stack uses; empty for what is built, absent, or a provider.
	Image string `json:"image,omitempty"`
	From  Source `json:"from"`
	// Why is the reason that no better place was found.
	Why string `json:"why,omitempty"`
}

// String says for a person where the thing comes from.
func (c Choice) String() string {
	text := c.Brief()
	if c.Why != "" {
		text += " (" + c.Why + ")"
	}
	return text
}

// Brief is String without the reason.
func (c Choice) Brief() string {
	switch c.From {
	case Named:
		return c.Image + ", as you named it"
	case InEngine:
		return c.Image + ", already in the engine"
	case Pulled:
		return c.Image + ", pulled by the engine"
	case Mirrored:
		return c.Image + ", pulled below IMAGE_REGISTRY"
	case Built:
		return "built from Go modules"
	case Published:
		return "as published"
	}
	return "none"
}

// Origins is the choice for one checkout. It is made once and kept, because a stack whose images
// changed with the weather of the network would be replaced at every change.
type Origins struct {
	// Mode is Auto, Registry or Modules.
	Mode string `json:"mode"`
	// Registry is the IMAGE_REGISTRY that was looked in.
	Registry string `json:"registry,omitempty"`
	// Images are the choices by role, Providers those by type. What was not asked for yet is missing.
	Images    map[string]Choice `json:"images"`
	Providers map[string]Choice `json:"providers"`

	file string
	mu   sync.Mutex
}

// OpenOrigins returns the kept choice of a checkout, or one in which nothing is chosen yet: if there is none, or if
// mode (ORIGIN) is not empty, which chooses again.
func OpenOrigins(file, mode string) (*Origins, error) {
	if mode != "" && !slices.Contains([]string{Auto, Registry, Modules}, mode) {
		return nil, fmt.Errorf("ORIGIN=%q is not a valid origin: use auto, registry or modules", mode)
	}
	again := mode != ""
	if !again {
		mode = Auto
	}
	fresh := &Origins{Mode: mode, Images: map[string]Choice{}, Providers: map[string]Choice{}, file: file}
	if again {
		return fresh, nil
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	}
	if err != nil {
		return nil, err
	}
	kept := &Origins{file: file}
	if json.Unmarshal(data, kept) != nil || kept.Images == nil || kept.Providers == nil {
		// Of an earlier commit, or damaged: the choice is made again, and nothing else is lost.
		return fresh, nil
	}
	return kept, nil
}

// Save keeps the choice.
func (o *Origins) Save() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	data, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return err
	}
	return WriteFile(o.file, append(data, '\n'), 0o644)
}

// Image returns the choice for a role, Absent if there is none.
func (o *Origins) Image(role string) Choice {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c, ok := o.Images[role]; ok {
		return c
	}
	return Choice{From: Absent}
}

// An ImageStore is an engine that holds and pulls images.
type ImageStore interface {
	// HasImage reports whether it holds an image under a name.
	HasImage(ctx context.Context, image string) bool
	// Pull fetches an image, or says why it can't.
	Pull(ctx context.Context, image string) error
}

// Wanted is what a user asks for about images.
type Wanted struct {
	// Images are names by role, from PROMETHEUS_IMAGE and so on.
	Images map[string]string
	// Registry is IMAGE_REGISTRY: a registry's host, with a prefix below it.
	Registry string
	// Sources are the images of the sources of metrics that are to run.
	Sources []SourceImage
	// NoGrafana says that none is to be run: GRAFANA_URL names one that runs already.
	NoGrafana bool
}

// Variable is the environment variable that names a role's image.
func Variable(role string) string {
	return strings.ToUpper(strings.ReplaceAll(role, "-", "_")) + "_IMAGE"
}

// WantedImages reads what the environment names for each role.
func WantedImages(getenv func(string) string) Wanted {
	w := Wanted{Images: map[string]string{}, Registry: strings.TrimSuffix(getenv("IMAGE_REGISTRY"), "/"),
		NoGrafana: getenv("GRAFANA_URL") != ""}
	roles := Roles()
	for _, image := range SourceImages(SourceNames(), true) {
		roles = append(roles, image.Role)
	}
	for _, role := range roles {
		if image := getenv(Variable(role)); image != "" {
			w.Images[role] = image
		}
	}
	return w
}

// Roles are the fields of Images, sorted.
func Roles() []string {
	roles := make([]string, 0, len(PublishedImages)+len(Programs))
	for role := range PublishedImages {
		roles = append(roles, role)
	}
	for _, p := range Programs {
		roles = append(roles, p.Role)
	}
	slices.Sort(roles)
	return roles
}

// ChooseImages decides for every role that has no choice yet, and sees to it that what was chosen is in the engine.
func (o *Origins) ChooseImages(ctx context.Context, w Wanted, store ImageStore) error {
	group, ctx := errgroup.WithContext(ctx)
	elsewhere := w.Registry != "" && w.Registry != o.Registry
	if w.Registry == "" {
		w.Registry = o.Registry
	}
	roles := Roles()
	for _, image := range w.Sources {
		roles = append(roles, image.Role)
	}
	for _, role := range roles {
		if role == "grafana" && w.NoGrafana {
			// Which is not kept: the next call may come without GRAFANA_URL.
			delete(o.Images, role)
			continue
		}
		group.Go(func() error {
			kept := o.Image(role)
			c, err := o.chooseImage(ctx, role, kept, w, elsewhere, store)
			if err != nil {
				return err
			}
			o.choose(role, c)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	o.Registry = w.Registry
	return nil
}

func (o *Origins) choose(role string, c Choice) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.Images[role] = c
}

// chooseImage decides for one role. elsewhere says that the registry of one's own is another than before.
func (o *Origins) chooseImage(ctx context.Context, role string, kept Choice, w Wanted, elsewhere bool,
	store ImageStore) (Choice, error) {
	name, named := w.Images[role]
	if !named && kept.From == Named {
		name, named = kept.Image, true
	}
	if named {
		if !store.HasImage(ctx, name) {
			if err := store.Pull(ctx, name); err != nil {
				return Choice{}, fmt.Errorf("%s=%s can't be pulled: %w\nName another, or choose again without it: ORIGIN=auto make up",
					Variable(role), name, err)
			}
		}
		return Choice{Image: name, From: Named}, nil
	}
	published := published(role)
	if published == "" {
		return Choice{From: Built}, nil
	}
	switch kept.From {
	case InEngine, Pulled, Mirrored:
		current := kept.Image == published || kept.Image == w.Registry+"/"+published
		if current && (store.HasImage(ctx, kept.Image) || store.Pull(ctx, kept.Image) == nil) {
			return kept, nil
		}
	case Built:
		if !elsewhere {
			return kept, nil
		}
	case Absent:
		// Someone may have loaded one since.
		if !elsewhere && kept.Why != "" && !store.HasImage(ctx, published) {
			return kept, nil
		}
	}
	return o.findImage(ctx, role, published, w.Registry, store)
}

// findImage looks for a published image in every place that the mode allows.
func (o *Origins) findImage(ctx context.Context, role, published, registry string, store ImageStore) (Choice, error) {
	buildable := role != "grafana"
	if o.Mode == Modules && buildable {
		return Choice{From: Built, Why: "ORIGIN=modules"}, nil
	}
	if store.HasImage(ctx, published) {
		return Choice{Image: published, From: InEngine}, nil
	}
	if o.Mode == Modules {
		return Choice{From: Absent, Why: "ORIGIN=modules, and it is not in the engine"}, nil
	}
	err := store.Pull(ctx, published)
	if err == nil {
		return Choice{Image: published, From: Pulled}, nil
	}
	if ctx.Err() != nil {
		return Choice{}, ctx.Err()
	}
	why := err
	if registry != "" {
		below := registry + "/" + published
		if store.HasImage(ctx, below) {
			return Choice{Image: below, From: Mirrored}, nil
		}
		if err := store.Pull(ctx, below); err == nil {
			return Choice{Image: below, From: Mirrored}, nil
		} else if ctx.Err() != nil {
			return Choice{}, ctx.Err()
		} else {
			why = errors.Join(why, err)
		}
	}
	reason := shortReason(why)
	switch {
	case !buildable:
		return Choice{From: Absent, Why: reason}, nil
	case o.Mode == Registry:
		return Choice{}, fmt.Errorf("%s can't be pulled, and ORIGIN=registry builds no server: %s\nName it as %s=…, give a registry as IMAGE_REGISTRY=host/prefix, or use ORIGIN=auto",
			published, reason, Variable(role))
	}
	return Choice{From: Built, Why: reason}, nil
}

// getting is how Go's HTTP client begins to say what went wrong with a request.
var getting = regexp.MustCompile(`(?:failed to request discovery document: )?Get "[^"]*": (?:dial tcp: )?`)

// shortReason is what kept something from being fetched, without the words around it.
func shortReason(err error) string {
	var reasons []string
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSpace(getting.ReplaceAllString(line, ""))
		if !slices.Contains(reasons, line) {
			reasons = append(reasons, line)
		}
	}
	return strings.Join(reasons, "; ")
}

// WriteFile replaces a file in one step, so that an interruption leaves the old or the new one.
func WriteFile(path string, data []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if err := tmp.Chmod(mode); err != nil {
		_ = tmp.Close()
		return err
	}
	if _, err := tmp.Write(data); err != nil {
		_ = tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
