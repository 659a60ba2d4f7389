package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// channels are the ways an order can come in. The list is closed: a channel is a label value.
var channels = []string{"app", "api", "web"}

type product struct {
	SKU   string `json:"sku"`
	Name  string `json:"name"`
	Cents int64  `json:"price_cents"`
}

var catalogue = []product{
	{"tea-100", "Longjing tea, 100 g", 6800},
	{"tea-250", "Pu'er tea, 250 g", 12800},
	{"pot-01", "Clay teapot", 29900},
	{"cup-06", "Six porcelain cups", 15900},
	{"tray-02", "Bamboo tray", 8900},
}

func productBySKU(sku string) (product, bool) {
	i := slices.IndexFunc(catalogue, func(p product) bool { return p.SKU == sku })
	if i < 0 {
		return product{}, false
	}
	return catalogue[i], true
}

type item struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

type order struct {
	ID      uint64    `json:"id"`
	Channel string    `json:"channel"`
	Items   []item    `json:"items"`
	Cents   int64     `json:"total_cents"`
	State   string    `json:"state"`
	Created time.Time `json:"created"`
}

const (
	stateOpen      = "open"
	stateCancelled = "cancelled"
)

// keptOrders bounds the memory of a service that is meant to run for months under a demo load.
const keptOrders = 1000

// orderBook holds the newest keptOrders orders; older ones are forgotten.
type orderBook struct {
	mu   sync.RWMutex
	now  func() time.Time
	last uint64
	ring [keptOrders]order
}

var (
	errNoOrder   = errors.New("no such order")
	errCancelled = errors.New("order is already cancelled")
)

func (b *orderBook) add(channel string, items []item, cents int64) order {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	o := order{ID: b.last, Channel: channel, Items: items, Cents: cents, State: stateOpen, Created: b.now().UTC()}
	b.ring[o.ID%keptOrders] = o
	return o
}

func (b *orderBook) get(id uint64) (order, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	o := b.ring[id%keptOrders]
	if id == 0 || o.ID != id {
		return order{}, errNoOrder
	}
	return o, nil
}

func (b *orderBook) cancel(id uint64) (order, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := &b.ring[id%keptOrders]
	if id == 0 || o.ID != id {
		return order{}, errNoOrder
	}
	if o.State == stateCancelled {
		return order{}, errCancelled
	}
	o.State = stateCancelled
	return *o, nil
}

// newest returns up to limit orders, newest first.
func (b *orderBook) newest(limit int) []order {
	b.mu.RLock()
	defer b.mu.RUnlock()
	orders := make([]order, 0, limit)
	for id := b.last; id > 0 && len(orders) < limit && b.last-id < keptOrders; id-- {
		orders = append(orders, b.ring[id%keptOrders])
	}
	return orders
}

func (s *service) listProducts(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"products": catalogue})
}

func (s *service) getProduct(w http.ResponseWriter, r *http.Request) {
	p, ok := productBySKU(r.PathValue("sku"))
	if !ok {
		writeError(w, http.StatusNotFound, "no such product; GET /api/products lists them")
		return
	}
	writeJSON(w, http.StatusOK, p)
}

func (s *service) listOrders(w http.ResponseWriter, r *http.Request) {
	limit := 20
	if given := r.URL.Query().Get("limit"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil || n < 1 || n > 100 {
			writeError(w, http.StatusBadRequest, fmt.Sprintf("limit=%q: give a whole number from 1 to 100", given))
			return
		}
		limit = n
	}
	writeJSON(w, http.StatusOK, map[string]any{"orders": s.orders.newest(limit)})
}

func (s *service) getOrder(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.ParseUint(r.PathValue("id"), 10, 64) // what is no number is no order: 0
	o, err := s.orders.get(id)
	if err != nil {
		writeError(w, http.StatusNotFound, err.Error())
		return
	}
	writeJSON(w, http.StatusOK, o)
}

func (s *service) cancelOrder(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.ParseUint(r.PathValue("id"), 10, 64)
	o, err := s.orders.cancel(id)
	switch {
	case errors.Is(err, errCancelled):
		writeError(w, http.StatusConflict, err.Error())
	case err != nil:
		writeError(w, http.StatusNotFound, err.Error())
	default:
		writeJSON(w, http.StatusOK, o)
	}
}

func (s *service) createOrder(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Channel string `json:"channel"`
		Items   []item `json:"items"`
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		writeError(w, http.StatusBadRequest, "body: "+err.Error())
		return
	}
	if !slices.Contains(channels, in.Channel) {
		writeError(w, http.StatusBadRequest, fmt.Sprintf("channel %q: choose one of %s", in.Channel, strings.Join(channels, ", ")))
		return
	}
	if len(in.Items) == 0 || len(in.Items) > 50 {
		writeError(w, http.StatusBadRequest, "items: an order has 1 to 50 of them")
		return
	}
	var cents int64
	for _, it := range in.Items {
		p, ok := productBySKU(it.SKU)
		if !ok {
			writeError(w, http.StatusBadRequest, fmt.Sprintf("sku %q: no such product; GET /api/products lists them", it.SKU))
			return
		}
		if it.Quantity < 1 || it.Quantity > 999 {
			writeError(w, http.StatusBadRequest, fmt.Sprintf("quantity %d of %s: give 1 to 999", it.Quantity, it.SKU))
			return
		}
		cents += p.Cents * int64(it.Quantity)
	}
	o := s.orders.add(in.Channel, in.Items, cents)
	s.metrics.ordersCreated.WithLabelValues(o.Channel).Inc()
	w.Header().Set("Location", fmt.Sprintf("/api/orders/%d", o.ID))
	writeJSON(w, http.StatusCreated, o)
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, `{"error":"could not encode the answer"}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(code)
	w.Write(append(body, '\n'))
}

func writeError(w http.ResponseWriter, code int, message string) {
	writeJSON(w, code, map[string]string{"error": message})
}
