// Command registry serves images from a folder, as a mirror for the tests of where images come from.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: registry <address> <folder>")
		os.Exit(2)
	}
	config := &configuration.Configuration{Storage: configuration.Storage{"filesystem": {"rootdirectory": os.Args[2]}}}
	config.HTTP.Addr = os.Args[1]
	config.Log.Level = "warn"
	config.Log.AccessLog.Disabled = true
	config.Catalog.MaxEntries = 100
	r, err := registry.NewRegistry(context.Background(), config)
	if err == nil {
		err = r.ListenAndServe()
	}
	fmt.Fprintln(os.Stderr, "registry:", err)
	os.Exit(1)
}
