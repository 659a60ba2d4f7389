package main

import (
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestARunIsPushedUnderItsJob(t *testing.T) {
	var path, method string
	var metrics []byte
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, method = r.URL.Path, r.Method
		metrics, _ = io.ReadAll(r.Body)
	}))
	defer gateway.Close()
	require.NoError(t, batch{gateway: gateway.URL, job: "orders-report", every: 15 * time.Second, log: slog.New(slog.DiscardHandler)}.run(t.Context()))
	require.Equal(t, "POST /metrics/job/orders-report", method+" "+path)
	for _, name := range []string{"batch_duration_seconds", "batch_interval_seconds", "batch_last_run_timestamp_seconds",
		"batch_last_success_timestamp_seconds", "batch_records_processed"} {
		require.Contains(t, string(metrics), name)
	}
}

func TestTheCertificateIsValidForAsLongAsItWasAskedFor(t *testing.T) {
	c, err := selfSigned(48 * time.Hour)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(c.Certificate[0])
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(48*time.Hour), cert.NotAfter, time.Minute)
	require.NoError(t, cert.VerifyHostname("tls-sample"))
}

func TestWrongIntervalsAreRefused(t *testing.T) {
	require.ErrorContains(t, run(t.Context(), []string{"batch", "--every=0s", "--listen-http=127.0.0.1:0"}, io.Discard, io.Discard), "--every=0s")
	require.ErrorContains(t, run(t.Context(), []string{"tls", "--validity=0s", "--listen-http=127.0.0.1:0"}, io.Discard, io.Discard), "--validity=0s")
}
