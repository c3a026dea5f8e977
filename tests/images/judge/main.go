// Command judge asks Istio's own code whether it takes an image with a Wasm plugin: the cache of pilot-agent, with its fetcher.
//
// Each argument is the url of a WasmPlugin; for each it prints one line of JSON: the url, the error if there is one, and the file that it
// was stored in. Credentials come from DOCKER_CONFIG, as in a proxy without an imagePullSecret.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"istio.io/istio/pkg/log"
	"istio.io/istio/pkg/wasm"
)

// As istiod sets it for every fetch.
const requestTimeout = 30 * time.Second

type opinion struct {
	URL   string `json:"url"`
	Error string `json:"error,omitempty"`
	File  string `json:"file,omitempty"`
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: judge FOLDER URL...")
		os.Exit(64)
	}
	options := log.DefaultOptions()
	options.OutputPaths = []string{"stderr"}
	if err := log.Configure(options); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	out := json.NewEncoder(os.Stdout)
	for number, url := range os.Args[2:] {
		// A cache of its own for each, so that none profits from another's fetch.
		folder := filepath.Join(os.Args[1], fmt.Sprint(number))
		if err := os.MkdirAll(folder, 0o755); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := out.Encode(ask(folder, url)); err != nil {
			os.Exit(1)
		}
	}
}

func ask(folder, url string) opinion {
	cache := wasm.NewLocalFileCache(folder, wasm.Options{ModuleExpiry: time.Hour, PurgeInterval: time.Hour})
	defer cache.Cleanup()
	file, err := cache.Get(url, wasm.GetOptions{ResourceName: "exeunt", RequestTimeout: requestTimeout})
	if err != nil {
		return opinion{URL: url, Error: err.Error()}
	}
	return opinion{URL: url, File: file}
}
