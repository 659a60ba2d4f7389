package console_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"lookout/internal/console"
)

func certificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "console"}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	require.NoError(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	require.NoError(t, err)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600))
	return cert, key
}

func TestBeyondLoopbackThereIsALogin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := certificate(t, dir)
	hash, err := bcrypt.GenerateFromPassword([]byte("s3cret"), bcrypt.MinCost)
	require.NoError(t, err)
	tlsPart := "tls_server_config: {cert_file: " + cert + ", key_file: " + key + "}\n"
	users := "basic_auth_users: {zhang: \"" + string(hash) + "\"}\n"
	write := func(text string) string {
		file := filepath.Join(t.TempDir(), "web.yml")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	boards := []string{"../../dashboards"}
	for name, c := range map[string]struct {
		cfg  console.Config
		says string
	}{
		"no login":      {console.Config{Listen: "0.0.0.0:0"}, "reachable from other machines"},
		"every address": {console.Config{Listen: ":8090"}, "reachable from other machines"},
		"no users":      {console.Config{Listen: "0.0.0.0:0", WebConfigFile: write(tlsPart)}, "anyone could silence alerts"},
		"no TLS":        {console.Config{Listen: "0.0.0.0:0", WebConfigFile: write(users)}, "cross the network in clear"},
		"no file":       {console.Config{Listen: "0.0.0.0:0", WebConfigFile: filepath.Join(dir, "missing.yml")}, "missing.yml"},
		"no address":    {console.Config{Listen: "8090"}, "not a valid address"},
		"external URL":  {console.Config{Listen: "127.0.0.1:0", ExternalURL: "watch.example.com"}, "not a valid address"},
		"Prometheus":    {console.Config{Listen: "127.0.0.1:0", Prometheus: "localhost:9090"}, "not a valid address of a Prometheus"},
		"two engines":   {console.Config{Listen: "127.0.0.1:0", Alertmanager: "http://a", Grafana: "http://b"}, "two alert engines"},
	} {
		c.cfg.Paths = boards
		_, err := console.New(c.cfg)
		assert.ErrorContains(t, err, c.says, name)
	}
	_, err = console.New(console.Config{Paths: boards, Listen: "0.0.0.0:0", PublishedOnLoopback: true})
	assert.NoError(t, err, "a container's port")
	_, err = console.New(console.Config{Paths: []string{filepath.Join(dir, "nothing")}, Listen: "127.0.0.1:0"})
	assert.ErrorContains(t, err, "no such file or directory")

	addr := freePort(t)
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "0.0.0.0:"+port)
	require.NoError(t, err)
	file := write(tlsPart + users)
	s, err := console.New(console.Config{Paths: boards, Listen: "0.0.0.0:" + port, WebConfigFile: file})
	require.NoError(t, err)
	stop := serve(t, s, listener)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	try := func(user, password string) (code int, body string) {
		req, err := http.NewRequest(http.MethodGet, "https://127.0.0.1:"+port+"/silences/new", nil)
		require.NoError(t, err)
		if user != "" {
			req.SetBasicAuth(user, password)
		}
		eventually(t, 10*time.Second, func() error {
			resp, err := client.Do(req)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			data, err := io.ReadAll(resp.Body)
			code, body = resp.StatusCode, string(data)
			return err
		})
		return code, body
	}
	code, _ := try("", "")
	assert.Equal(t, http.StatusUnauthorized, code)
	code, _ = try("zhang", "wrong")
	assert.Equal(t, http.StatusUnauthorized, code)
	code, body := try("zhang", "s3cret")
	assert.Equal(t, http.StatusOK, code)
	assert.Contains(t, body, `name="who" value="zhang"`)
	assert.Contains(t, body, "readonly")

	// The users are read again with each request: a new password needs no restart.
	rotated, err := bcrypt.GenerateFromPassword([]byte("another"), bcrypt.MinCost)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(tlsPart+"basic_auth_users: {zhang: \""+string(rotated)+"\"}\n"), 0o600))
	code, _ = try("zhang", "s3cret")
	assert.Equal(t, http.StatusUnauthorized, code)
	code, _ = try("zhang", "another")
	assert.Equal(t, http.StatusOK, code)
	stop()
}
