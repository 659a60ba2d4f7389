package toolchain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/hcl/ast"
)

// CLIConfig is the user's own configuration of the Terraform command line, which says where providers are installed
// from. The format is Terraform's, in the first version of HCL or in JSON:
// https://developer.hashicorp.com/terraform/cli/config/config-file.
type CLIConfig struct {
	// Files are the files that it was read from.
	Files []string
	// rest is everything but where providers are installed from, as it stands in the files.
	rest []string
	// explicit says that there is a provider_installation block, if perhaps an empty one.
	explicit bool
	methods  []installMethod
	// checkpoint says that the user has decided about disable_checkpoint.
	checkpoint bool
}

// installMethod is one block of provider_installation: direct, filesystem_mirror, network_mirror and so on.
type installMethod struct {
	kind string
	// overrides is the content of dev_overrides; the other kinds have attributes.
	attributes map[string]any
}

// UserCLIConfig reads the configuration that Terraform would read for this user: the file that TF_CLI_CONFIG_FILE names
// (named), else the one in the home folder with the *.tfrc files of its configuration folder.
func UserCLIConfig(named, home string, tf Terraform) (CLIConfig, error) {
	var files []string
	if named != "" {
		files = []string{named}
	} else {
		names := []string{".terraformrc"}
		if tf.Name == "OpenTofu" {
			names = []string{".tofurc", ".terraformrc"}
		}
		for _, name := range names {
			if exists(filepath.Join(home, name)) {
				files = append(files, filepath.Join(home, name))
				break
			}
		}
		for _, pattern := range []string{"*.tfrc", "*.tfrc.json"} {
			more, err := filepath.Glob(filepath.Join(home, ".terraform.d", pattern))
			if err != nil {
				return CLIConfig{}, err
			}
			files = append(files, more...)
		}
	}
	var c CLIConfig
	for _, file := range files {
		// Terraform reads this one by itself, whatever the configuration.
		if filepath.Base(file) == "credentials.tfrc.json" {
			continue
		}
		if err := c.read(file); err != nil {
			return CLIConfig{}, err
		}
	}
	return c, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (c *CLIConfig) read(file string) error {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		// TF_CLI_CONFIG_FILE may name a file that isn't there: Terraform warns and goes on.
		return nil
	}
	if err != nil {
		return err
	}
	tree, err := hcl.ParseBytes(data)
	if err != nil {
		return fmt.Errorf("%s is not a valid configuration of the Terraform command line: %w", file, err)
	}
	list, ok := tree.Node.(*ast.ObjectList)
	if !ok {
		return fmt.Errorf("%s is not a valid configuration of the Terraform command line: it holds no settings", file)
	}
	c.Files = append(c.Files, file)
	var settings map[string]any
	if err := hcl.DecodeObject(&settings, list); err != nil {
		return fmt.Errorf("%s is not a valid configuration of the Terraform command line: %w", file, err)
	}
	if _, ok := settings["disable_checkpoint"]; ok {
		c.checkpoint = true
	}
	isJSON := bytes.HasPrefix(bytes.TrimSpace(data), []byte("{"))
	text := string(data)
	here := false
	for _, item := range slices.Backward(list.Items) {
		if len(item.Keys) == 0 || item.Keys[0].Token.Value() != "provider_installation" {
			continue
		}
		object, ok := item.Val.(*ast.ObjectType)
		if !ok || c.explicit && !(isJSON && here) {
			return fmt.Errorf("%s: provider_installation is not a valid block, or there is more than one", file)
		}
		c.explicit, here = true, true
		blocks := object.List.Items
		if len(item.Keys) > 1 {
			// From JSON, HCL makes one item of an object that holds only one.
			blocks = []*ast.ObjectItem{{Keys: item.Keys[1:], Val: item.Val}}
		}
		var methods []installMethod
		for _, block := range blocks {
			m := installMethod{attributes: map[string]any{}}
			m.kind, _ = block.Keys[0].Token.Value().(string)
			if err := hcl.DecodeObject(&m.attributes, block.Val); err != nil {
				return fmt.Errorf("%s: %s of provider_installation: %w", file, m.kind, err)
			}
			methods = append(methods, m)
		}
		c.methods = append(methods, c.methods...)
		if !isJSON {
			text = text[:item.Pos().Offset] + text[object.Rbrace.Offset+1:]
		}
	}
	if isJSON {
		if text, err = fromJSON(data); err != nil {
			return fmt.Errorf("%s is not a valid configuration of the Terraform command line: %w", file, err)
		}
	}
	if text = strings.TrimSpace(text); text != "" {
		c.rest = append(c.rest, text)
	}
	return nil
}

// fromJSON writes a configuration's other settings as HCL, to stand with those of other files.
func fromJSON(data []byte) (string, error) {
	var settings map[string]any
	if err := json.Unmarshal(data, &settings); err != nil {
		return "", err
	}
	delete(settings, "provider_installation")
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&b, "%s = %s\n", strconv.Quote(name), literal(settings[name]))
	}
	return b.String(), nil
}

// literal writes a value in HCL.
func literal(v any) string {
	switch v := v.(type) {
	case string:
		// Not Go's own escapes, of which HCL has only some.
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(v) + `"`
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = literal(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case []string:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = item
		}
		return literal(items)
	case []map[string]any:
		if len(v) == 1 {
			return literal(v[0])
		}
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = item
		}
		return literal(items)
	case map[string]any:
		var b strings.Builder
		b.WriteString("{\n")
		for _, name := range slices.Sorted(maps.Keys(v)) {
			fmt.Fprintf(&b, "%s = %s\n", literal(name), literal(v[name]))
		}
		return b.String() + "}"
	}
	return fmt.Sprint(v)
}

// implied are the folders in which Terraform looks for providers unless provider_installation says otherwise. What is
// found there is not looked for elsewhere.
func implied(home string) []string {
	return []string{
		filepath.Join(home, ".terraform.d", "plugins"),
		filepath.Join(home, ".local", "share", "terraform", "plugins"),
		"/usr/local/share/terraform/plugins",
		"/usr/share/terraform/plugins",
	}
}

// Merged is the user's configuration with one place more: mirror, a folder in which the given providers ("host/
// namespace/type") and no others are looked for, and they nowhere else.
func (c CLIConfig) Merged(mirror, home string, providers []string) string {
	var b strings.Builder
	b.WriteString("# Written by \"make init\": providers that were built here come from this mirror, others as usual.\n")
	for _, file := range c.Files {
		fmt.Fprintf(&b, "# Holds what stands in %s.\n", file)
	}
	if !c.checkpoint {
		b.WriteString("disable_checkpoint = true\n")
	}
	for _, text := range c.rest {
		b.WriteString(text + "\n")
	}
	methods := c.methods
	if !c.explicit {
		methods = impliedMethods(implied(home))
	}
	b.WriteString("provider_installation {\n")
	// Terraform wants overrides before everything else.
	for _, m := range methods {
		if m.kind == "dev_overrides" {
			m.write(&b)
		}
	}
	installMethod{"filesystem_mirror", map[string]any{"path": mirror, "include": providers}}.write(&b)
	for _, m := range methods {
		if m.kind != "dev_overrides" {
			m.without(providers).write(&b)
		}
	}
	b.WriteString("}\n")
	return b.String()
}

func impliedMethods(dirs []string) []installMethod {
	var methods []installMethod
	var found []string
	for _, dir := range dirs {
		types, err := filepath.Glob(filepath.Join(dir, "*", "*", "*"))
		if err != nil || len(types) == 0 {
			continue
		}
		var here []string
		for _, path := range types {
			rel, err := filepath.Rel(dir, path)
			if err == nil {
				here = append(here, filepath.ToSlash(rel))
			}
		}
		methods = append(methods, installMethod{"filesystem_mirror", map[string]any{"path": dir, "include": here}})
		found = append(found, here...)
	}
	direct := installMethod{"direct", map[string]any{}}
	if len(found) > 0 {
		direct.attributes["exclude"] = found
	}
	return append(methods, direct)
}

// without is the method with some providers excluded.
func (m installMethod) without(providers []string) installMethod {
	attributes := maps.Clone(m.attributes)
	exclude := slices.Clone(providers)
	switch old := attributes["exclude"].(type) {
	case []string:
		exclude = append(slices.Clone(old), exclude...)
	case []any:
		for i, item := range old {
			exclude = slices.Insert(exclude, i, fmt.Sprint(item))
		}
	}
	attributes["exclude"] = exclude
	return installMethod{m.kind, attributes}
}

func (m installMethod) write(b *strings.Builder) {
	fmt.Fprintf(b, "  %s {\n", m.kind)
	for _, name := range slices.Sorted(maps.Keys(m.attributes)) {
		key := name
		if m.kind == "dev_overrides" {
			key = literal(name)
		}
		fmt.Fprintf(b, "    %s = %s\n", key, literal(m.attributes[name]))
	}
	b.WriteString("  }\n")
}
