//go:build istio1_24

package main

import (
	meshconfig "istio.io/api/mesh/v1alpha1"
	"istio.io/istio/pkg/config/mesh"
)

// fixed is a mesh configuration that does not change.
func fixed(config *meshconfig.MeshConfig) mesh.Watcher {
	return mesh.NewFixedWatcher(config)
}
