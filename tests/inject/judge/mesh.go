//go:build !istio1_24

package main

import (
	meshconfig "istio.io/api/mesh/v1alpha1"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pkg/config/mesh/meshwatcher"
)

// fixed is a mesh configuration that does not change.
func fixed(config *meshconfig.MeshConfig) model.Watcher {
	return meshwatcher.NewTestWatcher(config)
}
