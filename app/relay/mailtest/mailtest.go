// Package mailtest is a mail server for tests: SMTP with STARTTLS and AUTH PLAIN, as far as a client needs
// it, with a certificate of its own.
package mailtest

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// Server takes mail from whoever encrypts and logs in; what is mailed stays in memory.
type Server struct {
	listener net.Listener
	conf     *tls.Config
	ca       []byte
	answer   func(verb, password string) string
	// command answers by the whole line, before answer is asked.
	command func(verb, line string) string

	mu        sync.Mutex
	mails     []string
	passwords []string
}

// Listen starts a server at an address of this machine ("127.0.0.1:0"), known by the address's IP. answer
// may give another reply than the usual one to a command, "AUTH" or "DATA" for example, and is told the
// password that was sent last; "" leaves the usual one. It may be nil.
func Listen(address string, answer func(verb, password string) string) (*Server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	cert, ca, err := certificate(l.Addr().(*net.TCPAddr).IP)
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	if answer == nil {
		answer = func(string, string) string { return "" }
	}
	s := &Server{listener: l, conf: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, ca: ca, answer: answer, command: func(string, string) string { return "" }}
	go s.serve()
	return s, nil
}

// ListenLines is Listen for answers that depend on the whole command, as those to RCPT do on whom it names.
func ListenLines(address string, command func(verb, line string) string) (*Server, error) {
	s, err := Listen(address, nil)
	if err == nil {
		s.mu.Lock()
		s.command = command
		s.mu.Unlock()
	}
	return s, err
}

// Address is host:port.
func (s *Server) Address() string { return s.listener.Addr().String() }

// CA is the certificate by which clients know the server, as PEM.
func (s *Server) CA() []byte { return bytes.Clone(s.ca) }

// KeyPair is the server's certificate and its key, as PEM, for another server of a test.
func (s *Server) KeyPair() (cert, key []byte) {
	der, err := x509.MarshalPKCS8PrivateKey(s.conf.Certificates[0].PrivateKey)
	if err != nil {
		// The key is of a kind that can always be written.
		panic(err)
	}
	return s.CA(), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// Mails are the mails that were taken, headers and all.
func (s *Server) Mails() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Passwords are those that came over encrypted connections, one for each login that was tried.
func (s *Server) Passwords() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.passwords)
}

// Close stops taking connections.
func (s *Server) Close() error { return s.listener.Close() }

func (s *Server) serve() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		go s.talk(conn)
	}
}

func (s *Server) talk(conn net.Conn) {
	defer func() { conn.Close() }()
	r := bufio.NewReader(conn)
	secure, password := false, ""
	say := func(format string, args ...any) { fmt.Fprintf(conn, format+"\r\n", args...) }
	say("220 mailtest ESMTP")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		words := strings.Fields(line + " -")
		verb := strings.ToUpper(words[0])
		if verb == "AUTH" && secure && len(words) > 2 {
			// RFC 4616: who one wants to be, who one is, and the password, with a zero byte between.
			plain, _ := base64.StdEncoding.DecodeString(words[2])
			parts := strings.Split(string(plain), "\x00")
			password = parts[len(parts)-1]
			s.mu.Lock()
			s.passwords = append(s.passwords, password)
			s.mu.Unlock()
		}
		s.mu.Lock()
		command := s.command
		s.mu.Unlock()
		if other := command(verb, strings.TrimSpace(line)); other != "" {
			say("%s", other)
			continue
		}
		if other := s.answer(verb, password); other != "" {
			say("%s", other)
			continue
		}
		switch verb {
		case "EHLO", "HELO":
			if secure {
				say("250-mailtest\r\n250 AUTH PLAIN")
			} else {
				say("250-mailtest\r\n250 STARTTLS")
			}
		case "STARTTLS":
			say("220 go on")
			encrypted := tls.Server(conn, s.conf)
			if encrypted.Handshake() != nil {
				return
			}
			conn, r, secure = encrypted, bufio.NewReader(encrypted), true
		case "AUTH":
			say("235 welcome")
		case "MAIL":
			if password == "" {
				say("530 log in first")
				continue
			}
			say("250 ok")
		case "DATA":
			say("354 go on")
			mail, err := data(r)
			if err != nil {
				return
			}
			s.mu.Lock()
			s.mails = append(s.mails, mail)
			s.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// data reads a mail up to the line with nothing but a dot.
func data(r *bufio.Reader) (string, error) {
	var mail strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", io.ErrUnexpectedEOF
		}
		if line == ".\r\n" {
			return mail.String(), nil
		}
		mail.WriteString(line)
	}
}

// certificate is a self-signed one, good for an hour.
func certificate(ip net.IP) (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mailtest"}, IPAddresses: []net.IP{ip},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
