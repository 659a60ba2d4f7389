package environment

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"lookout/internal/toolchain"
)

// robotsFile gives the mock robot the relay's secrets.
const robotsFile = "robots.yaml"

// answersKey is what links are signed with by which people answer messages.
const answersKey = "answers.key"

// RelaySecrets fills a local environment's folder of secrets, once: the token and signing secret of
// each robot that envs/local/platform/relay.yaml names, the key that links for answers are signed with, and robots.yaml, by which the mock of
// DingTalk expects the same ones. They give access to nothing but that mock. The programs run as nobody and
// may not be given files by whoever runs `make init`, so everybody on this machine can read them.
func RelaySecrets(dir string) error {
	// It came later than the others, so it may be missing where those are there.
	if _, err := os.Stat(filepath.Join(dir, answersKey)); errors.Is(err, fs.ErrNotExist) {
		if err := toolchain.WriteFile(filepath.Join(dir, answersKey), []byte(hexSecret()+"\n"), 0o644); err != nil {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(dir, robotsFile)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	ops, backup := hexSecret(), hexSecret()
	sign := "SEC" + hexSecret()
	files := []struct{ name, text string }{
		{"ops.token", ops + "\n"},
		{"ops.sign", sign + "\n"},
		{"backup.token", backup + "\n"},
		// Last, since it says that all of them are there. The robot "lookout" is for trying things out
		// by hand, and for native delivery: it has the token that stands in the documentation.
		{robotsFile, strings.Join([]string{
			"robots:",
			fmt.Sprintf("  - {access_token: %s, name: ops, keywords: [报警], secret: %s}", ops, sign),
			fmt.Sprintf("  - {access_token: %s, name: backup, keywords: [报警]}", backup),
			"  - {access_token: lookout, name: lookout, keywords: [报警]}",
			"",
		}, "\n")},
	}
	for _, file := range files {
		if err := toolchain.WriteFile(filepath.Join(dir, file.name), []byte(file.text), 0o644); err != nil {
			return err
		}
	}
	// Whatever the umask is, since an engine's user has to get in.
	return os.Chmod(dir, 0o755)
}

// hexSecret looks like what DingTalk gives.
func hexSecret() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b)
}
