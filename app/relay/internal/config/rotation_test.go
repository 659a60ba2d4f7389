package config

import (
	"os"
	"path/filepath"
	"testing"
)

// A secret is rotated by replacing its file: whatever kind it is of, the configuration that is read again is another one then, which
// is what a reload goes by, and the new secret is in it. See docs/secrets.md.
func TestEverySecretIsRotatedByItsFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("relay.yaml", `
bearer_token_file: bearer
admin_token_file: admin
answers: {url: "https://relay.example.com", key_file: key}
robots: {ops: {token_file: token, secret_file: sign}}
emails: {duty: {smarthost: "mail.example.com:587", from: "a@example.com", to: ["b@example.com"], username: a, password_file: smtp}}
webhooks: {sms: {url_file: sms}}
`)
	secrets := map[string]string{"bearer": "bearer-one", "admin": "admin-one", "key": "0123456789abcdef", "token": "token-one", "sign": "SEC-one", "smtp": "smtp-one", "sms": "https://sms.example.com/one"}
	for name, text := range secrets {
		write(name, text+"\n")
	}
	load := func() *Config {
		t.Helper()
		c, err := Load(filepath.Join(dir, "relay.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	before := load()
	if again := load(); again.Digest != before.Digest {
		t.Fatal("nothing has changed, and the fingerprint has")
	}
	for name, text := range secrets {
		write(name, text+"2\n")
		after := load()
		if after.Digest == before.Digest {
			t.Errorf("%s was replaced, and nothing is read again", name)
		}
		before = after
	}
	if before.BearerToken != "bearer-one2" || before.AdminToken != "admin-one2" {
		t.Errorf("the tokens are %q and %q", before.BearerToken, before.AdminToken)
	}
}
