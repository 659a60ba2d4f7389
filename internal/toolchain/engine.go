package toolchain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"lookout/internal/docker"
)

// EngineLog is where the output of an engine goes that InstallEngine starts itself.
const EngineLog = "/var/log/lookout-dockerd.log"

// FindEngine returns the version of a Docker Engine that answers. It is empty, without an error, where none
// does and InstallEngine may do something about it: as root, and, unless the engine only has to be started, on
// Debian or Ubuntu. If DOCKER_HOST names an engine that does not answer, that is an error.
func FindEngine(ctx context.Context) (version string, err error) {
	if version, err = docker.Version(ctx); err == nil {
		return version, nil
	}
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		return "", fmt.Errorf("no Docker Engine answers at DOCKER_HOST=%s: start it, or unset DOCKER_HOST to use the local one (%w)", host, err)
	}
	if os.Geteuid() != 0 {
		return "", fmt.Errorf("no Docker Engine answers, and installing one needs root: start Docker, add yourself to the group docker, or run this once as root (%w)", err)
	}
	if _, lookErr := exec.LookPath("dockerd"); lookErr != nil && !debianLike() {
		return "", errors.New("no Docker Engine answers, and this is neither Debian nor Ubuntu: install Docker Engine 20.10 or newer (your distribution's package or docs.docker.com), start it, and run this again")
	}
	return "", nil
}

// enginePackages bring an engine that works.
var enginePackages = []string{"docker.io", "iptables", "ca-certificates"}

// InstallEngine installs Debian's Docker Engine if there is none, starts it and returns its version.
func InstallEngine(ctx context.Context, p *Progress) (version string, err error) {
	if _, err := exec.LookPath("dockerd"); err != nil {
		p.Note("no Docker Engine here: installing the package docker.io, as root")
		if err := aptInstall(ctx, p, enginePackages); err != nil {
			return "", err
		}
	}
	if err := startEngine(ctx, p); err != nil {
		return "", err
	}
	return docker.Version(ctx)
}

// startEngine starts the engine through the init system if there is one, else as a process of its
// own session, which outlives this command.
func startEngine(ctx context.Context, p *Progress) error {
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		p.Note("starting the Docker Engine: systemctl start docker")
		if out, err := exec.CommandContext(ctx, "systemctl", "start", "docker").CombinedOutput(); err != nil {
			return fmt.Errorf("systemctl start docker: %w: %s", err, strings.TrimSpace(string(out)))
		}
	} else if err := spawnEngine(p); err != nil {
		return err
	}
	deadline := time.Now().Add(60 * time.Second)
	for {
		_, err := docker.Version(ctx)
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the Docker Engine was started but does not answer after 60 s (%w):\n%s", err, tail(EngineLog, 8))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func spawnEngine(p *Progress) error {
	p.Note("starting the Docker Engine: dockerd, in the background (log: " + EngineLog + ")")
	log, err := os.OpenFile(EngineLog, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("dockerd")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting dockerd: %w", err)
	}
	return cmd.Process.Release()
}
