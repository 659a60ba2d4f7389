package robot

import (
	"fmt"
	"net/http"
)

type page struct{}

func newPage(Config) (*page, error) { return &page{}, nil }

func (s *Server) routePage(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "robot")
	})
}
