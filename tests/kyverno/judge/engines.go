package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	celengine "github.com/kyverno/kyverno/pkg/cel/engine"
	"github.com/kyverno/kyverno/pkg/cel/libs"
	"github.com/kyverno/kyverno/pkg/cel/matching"
	"github.com/kyverno/kyverno/pkg/cel/policies/gpol"
	gpolcompiler "github.com/kyverno/kyverno/pkg/cel/policies/gpol/compiler"
	gpolengine "github.com/kyverno/kyverno/pkg/cel/policies/gpol/engine"
	"github.com/kyverno/kyverno/pkg/cel/policies/mpol"
	mpolcompiler "github.com/kyverno/kyverno/pkg/cel/policies/mpol/compiler"
	mpolengine "github.com/kyverno/kyverno/pkg/cel/policies/mpol/engine"
	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// engines are those of the admission controller and of the background controller, with these policies.
type engines struct {
	mutating   mpolengine.Engine
	generating gpolengine.Engine
	generators []gpolengine.Policy
	context    libs.Context
}

// load reads the policies as Kyverno does when somebody applies them: it refuses what it cannot compile.
func load(policies []json.RawMessage, existing []unstructured.Unstructured, namespaces celengine.NamespaceResolver) (*engines, error) {
	cluster := libs.NewFakeContextProvider()
	for index := range existing {
		if err := cluster.AddResource(resourceOf(existing[index].GroupVersionKind()), &existing[index]); err != nil {
			return nil, err
		}
	}
	libs.LibraryContext = cluster
	made := &engines{generating: gpolengine.NewEngine(namespaces, matching.NewMatcher()), context: cluster}
	var mutating []v1beta1.MutatingPolicyLike
	for _, text := range policies {
		var head metav1.PartialObjectMetadata
		if err := json.Unmarshal(text, &head); err != nil {
			return nil, err
		}
		if group := head.GroupVersionKind().Group; group != "policies.kyverno.io" {
			return nil, fmt.Errorf("%s %s: the group is %q", head.Kind, head.Name, group)
		}
		switch head.Kind {
		case "MutatingPolicy":
			policy := new(v1beta1.MutatingPolicy)
			if err := read(text, policy); err != nil {
				return nil, err
			}
			if warnings, err := mpol.Validate(policy); err != nil || len(warnings) > 0 {
				return nil, fmt.Errorf("%s: %w %v", head.Name, err, warnings)
			}
			mutating = append(mutating, policy)
		case "GeneratingPolicy":
			policy := new(v1beta1.GeneratingPolicy)
			if err := read(text, policy); err != nil {
				return nil, err
			}
			if warnings, err := gpol.Validate(policy); err != nil || len(warnings) > 0 {
				return nil, fmt.Errorf("%s: %w %v", head.Name, err, warnings)
			}
			compiled, errs := gpolcompiler.NewCompiler().Compile(policy, nil)
			if err := errs.ToAggregate(); err != nil {
				return nil, err
			}
			made.generators = append(made.generators, gpolengine.Policy{Policy: policy, CompiledPolicy: compiled})
		default:
			return nil, fmt.Errorf("%s %s is no policy that this program knows", head.Kind, head.Name)
		}
	}
	// The provider has the policies that Kyverno derives for Deployments, Jobs and so on, too.
	provider, err := mpolengine.NewProvider(mpolcompiler.NewCompiler(), mutating, nil, cluster)
	if err != nil {
		return nil, err
	}
	made.mutating = mpolengine.NewEngine(provider, namespaces, matching.NewMatcher(), nil, cluster)
	return made, nil
}

// read refuses fields that the type does not have.
func read(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// admit asks both engines about an object, as Kyverno's webhooks do.
func (e *engines) admit(asked request) (answer, error) {
	admission, err := asked.review()
	if err != nil {
		return answer{}, err
	}
	review := celengine.RequestFromAdmission(e.context, admission)
	mutated, err := e.mutating.Handle(context.Background(), review, nil)
	if err != nil {
		return answer{}, err
	}
	given := answer{Object: mutated.Resource}
	if mutated.PatchedResource != nil {
		given.Object = mutated.PatchedResource
	}
	for _, one := range mutated.Policies {
		for _, rule := range one.Rules {
			if rule.Status() == engineapi.RuleStatusError {
				given.Errors = append(given.Errors, one.Policy.GetName()+": "+rule.Message())
			}
		}
	}
	for _, policy := range e.generators {
		response, err := e.generating.Handle(review, policy, false)
		if err != nil {
			return answer{}, err
		}
		for _, one := range response.Policies {
			if one.Result == nil {
				continue
			}
			if one.Result.Status() == engineapi.RuleStatusError {
				given.Errors = append(given.Errors, policy.Policy.GetName()+": "+one.Result.Message())
			}
			given.Generated = append(given.Generated, one.Result.GeneratedResources()...)
		}
	}
	return given, nil
}

// resourceOf is the resource of a kind, for kinds whose plural is regular.
func resourceOf(kind schema.GroupVersionKind) schema.GroupVersionResource {
	return kind.GroupVersion().WithResource(plural(kind.Kind))
}
