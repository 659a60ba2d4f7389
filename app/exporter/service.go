package main

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type config struct {
	Registry     *prometheus.Registry
	Logger       *slog.Logger
	Now          func() time.Time
	Rand         *rand.Rand // decides which requests fail; guarded by the service
	EnableFaults bool
	Build        build
}

// service is the order API together with its metrics and its faults.
type service struct {
	cfg      config
	metrics  *metrics
	orders   orderBook
	faults   *faults
	draining atomic.Bool

	randMu sync.Mutex
}

func newService(cfg config) (*service, error) {
	m, err := newMetrics(cfg.Registry, cfg.Build)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return &service{cfg: cfg, metrics: m, orders: orderBook{now: cfg.Now}, faults: newFaults()}, nil
}

// Drain makes /-/ready say no, so that whoever balances load stops sending before the port closes.
func (s *service) Drain() { s.draining.Store(true) }

// Close takes all faults back.
func (s *service) Close() { s.faults.reset() }

// Handler serves the API, which is instrumented, and beside it what operates the service, which is
// not: a scrape every 10 s is no traffic of the business.
func (s *service) Handler() http.Handler {
	api := http.NewServeMux()
	api.HandleFunc("GET /{$}", s.index)
	api.HandleFunc("GET /api/products", s.listProducts)
	api.HandleFunc("GET /api/products/{sku}", s.getProduct)
	api.HandleFunc("GET /api/orders", s.listOrders)
	api.HandleFunc("POST /api/orders", s.createOrder)
	api.HandleFunc("GET /api/orders/{id}", s.getOrder)
	api.HandleFunc("POST /api/orders/{id}/cancel", s.cancelOrder)

	root := http.NewServeMux()
	root.Handle("/", s.metrics.instrument(s.recovered(s.faulty(api))))
	root.Handle("GET /metrics", exposition(s.cfg.Registry))
	root.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "healthy")
	})
	root.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		if s.draining.Load() {
			http.Error(w, "stopping", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	if s.cfg.EnableFaults {
		root.HandleFunc("GET /faults", s.faults.show)
		root.HandleFunc("PUT /faults/{knob}", s.putFault)
		root.HandleFunc("DELETE /faults/{knob}", s.deleteFault)
		root.HandleFunc("DELETE /faults", s.deleteFaults)
	}
	return root
}

func (s *service) index(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"service": "orders",
		"version": s.cfg.Build.Version,
		"routes": []string{
			"GET /api/products", "GET /api/products/{sku}", "GET /api/orders?limit=20", "POST /api/orders",
			"GET /api/orders/{id}", "POST /api/orders/{id}/cancel", "GET /metrics",
		},
	})
}

// recovered turns a panic into an answer with code 500, so that it is counted like any other error.
func (s *service) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			what := recover()
			if what == nil {
				return
			}
			if err, ok := what.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(what)
			}
			s.cfg.Logger.Error("panic while answering", "method", r.Method, "path", r.URL.Path,
				"traceparent", r.Header.Get("Traceparent"), "panic", what, "stack", string(debug.Stack()))
			writeError(w, http.StatusInternalServerError, "internal error")
		}()
		next.ServeHTTP(w, r)
	})
}

// faulty delays and fails requests as the knobs say.
func (s *service) faulty(api *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		delay, percent := s.faults.latency(), s.faults.errorPercent()
		if delay > 0 || percent > 0 {
			// The request may never reach the mux, but is counted under the route it was for.
			_, r.Pattern = api.Handler(r)
		}
		if delay > 0 {
			t := time.NewTimer(delay)
			defer t.Stop()
			select {
			case <-t.C:
			case <-r.Context().Done():
				return
			}
		}
		if percent > 0 && s.dice() < percent {
			writeError(w, http.StatusInternalServerError, "made to fail by /faults/error_percent")
			return
		}
		api.ServeHTTP(w, r)
	})
}

// dice returns a number from 0 to 99.
func (s *service) dice() int64 {
	s.randMu.Lock()
	defer s.randMu.Unlock()
	return s.cfg.Rand.Int64N(100)
}
