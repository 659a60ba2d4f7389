package toolchain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// How long Terraform may take to find a provider, and to install it once it has found it.
const (
	providerAnswer = 20 * time.Second
	providerWhole  = 10 * time.Minute
)

// ChooseProvider decides where a provider comes from, unless that is decided: published, if Terraform itself, with the
// user's own configuration, can install it, else built. Without a Terraform (nil) only the registry can be asked for.
func (o *Origins) ChooseProvider(ctx context.Context, p Provider, tf *Terraform, userConfig, scratch string,
	client *http.Client) (Choice, error) {
	if kept, ok := o.Provider(p.Type); ok {
		return kept, nil
	}
	c, err := o.findProvider(ctx, p, tf, userConfig, scratch, client)
	if err != nil {
		return c, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.Providers[p.Type] = c
	return c, nil
}

// Provider returns the choice for a type of provider, if there is one.
func (o *Origins) Provider(kind string) (Choice, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c, ok := o.Providers[kind]
	return c, ok
}

func (o *Origins) findProvider(ctx context.Context, p Provider, tf *Terraform, userConfig, scratch string,
	client *http.Client) (Choice, error) {
	switch o.Mode {
	case Modules:
		return Choice{From: Built, Why: "ORIGIN=modules"}, nil
	case Registry:
		return Choice{From: Published, Why: "ORIGIN=registry"}, nil
	}
	var err error
	if tf == nil {
		err = askRegistry(ctx, client, "https://registry.opentofu.org/.well-known/terraform.json")
	} else {
		err = tryInstall(ctx, p, *tf, userConfig, scratch, providerAnswer)
	}
	if ctx.Err() != nil {
		return Choice{}, ctx.Err()
	}
	if err != nil {
		return Choice{From: Built, Why: shortReason(err)}, nil
	}
	return Choice{From: Published}, nil
}

func askRegistry(ctx context.Context, client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(ctx, providerAnswer)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, resp.Status)
	}
	return nil
}

// tryInstall lets Terraform install one provider into a folder of its own: nothing else knows what mirrors, credentials
// and proxies a user has set up for it.
func tryInstall(ctx context.Context, p Provider, tf Terraform, userConfig, scratch string, answer time.Duration) error {
	dir := filepath.Join(scratch, p.Type)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	root := fmt.Sprintf("terraform {\n  required_providers {\n    %[2]s = {\n      source  = \"%[1]s/%[2]s\"\n      version = %[3]q\n    }\n  }\n}\n",
		p.Namespace, p.Type, p.Version)
	if err := WriteFile(filepath.Join(dir, "main.tf"), []byte(root), 0o644); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	limited, cancel := context.WithTimeoutCause(ctx, providerWhole, fmt.Errorf("not installed after %s", providerWhole))
	defer cancel()
	limited, giveUp := context.WithCancelCause(limited)
	defer giveUp(nil)
	silence := time.AfterFunc(answer, func() { giveUp(fmt.Errorf("no answer within %s", answer)) })
	defer silence.Stop()
	cmd := exec.CommandContext(limited, tf.Path, "init", "-no-color", "-input=false", "-backend=false")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1", "TF_DATA_DIR=", "TF_CLI_CONFIG_FILE="+userConfig)
	if userConfig == "" {
		cmd.Env = unset(cmd.Env, "TF_CLI_CONFIG_FILE")
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout = watch{&stdout, func(text string) {
		if strings.Contains(text, "- Installing ") || strings.Contains(text, "- Using ") {
			silence.Stop()
		}
	}}
	cmd.Stderr = &stderr
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case limited.Err() != nil:
		return context.Cause(limited)
	}
	if reason := terraformReason(stderr.String()); reason != "" {
		return errors.New(reason)
	}
	return fmt.Errorf("terraform init: %w", err)
}

// terraformReason is the sentence of Terraform's error that names the cause: "could not connect to …".
func terraformReason(stderr string) string {
	_, after, ok := strings.Cut(stderr, "Error: ")
	if !ok {
		return ""
	}
	var paragraphs []string
	for _, paragraph := range strings.Split(strings.ReplaceAll(after, "│", ""), "\n\n") {
		paragraphs = append(paragraphs, strings.Join(strings.Fields(paragraph), " "))
	}
	if len(paragraphs) < 2 {
		return paragraphs[0]
	}
	if _, cause, ok := strings.Cut(paragraphs[1], ": "); ok {
		return cause
	}
	return paragraphs[1]
}

// watch hands what was written so far to a function at each write. It does not embed its buffer, whose ReadFrom would
// take the place of Write.
type watch struct {
	text *bytes.Buffer
	see  func(text string)
}

func (w watch) Write(p []byte) (int, error) {
	n, err := w.text.Write(p)
	w.see(w.text.String())
	return n, err
}

func unset(env []string, name string) []string {
	var kept []string
	for _, kv := range env {
		if key, _, _ := strings.Cut(kv, "="); key != name {
			kept = append(kept, kv)
		}
	}
	return kept
}
