package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// sendTraffic sends rps requests per second to the service at addr until ctx ends, in about the
// mix a shop sees: mostly reading, some buying, now and then a mistake. It returns once the last
// answer is in.
func sendTraffic(ctx context.Context, log *slog.Logger, addr string, rps float64) {
	// Above this many at once requests are left out rather than piled up: a service made slow by
	// its latency knob must not also drown in its own traffic.
	slots := make(chan struct{}, 32)
	client := &http.Client{Timeout: maxLatency + 5*time.Second}
	defer client.CloseIdleConnections()
	var running sync.WaitGroup
	defer running.Wait()

	tick := time.NewTicker(time.Duration(float64(time.Second) / rps))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		select {
		case slots <- struct{}{}:
		default:
			continue
		}
		running.Go(func() {
			defer func() { <-slots }()
			if err := sendOne(ctx, client, "http://"+addr); err != nil && ctx.Err() == nil {
				log.Debug("self traffic", "error", err)
			}
		})
	}
}

func sendOne(ctx context.Context, client *http.Client, base string) error {
	method, path, body := "GET", "/api/products", ""
	switch n := rand.IntN(100); {
	case n < 35:
	case n < 60:
		path = "/api/products/" + catalogue[rand.IntN(len(catalogue))].SKU
	case n < 75:
		path = "/api/orders?limit=10"
	case n < 97:
		method, path = "POST", "/api/orders"
		body = fmt.Sprintf(`{"channel":%q,"items":[{"sku":%q,"quantity":%d}]}`,
			channels[rand.IntN(len(channels))], catalogue[rand.IntN(len(catalogue))].SKU, 1+rand.IntN(3))
	case n < 99:
		path = "/api/products/out-of-print"
	default:
		path = "/favicon.ico"
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
