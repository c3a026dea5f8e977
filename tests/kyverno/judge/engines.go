package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	"github.com/kyverno/kyverno/pkg/cel/libs"
	"github.com/kyverno/kyverno/pkg/cel/matching"
	"github.com/kyverno/kyverno/pkg/cel/policies/gpol"
	generating "github.com/kyverno/kyverno/pkg/cel/policies/gpol/compiler"
	"github.com/kyverno/kyverno/pkg/cel/policies/mpol"
	"github.com/kyverno/kyverno/pkg/cel/policies/mpol/autogen"
	mutating "github.com/kyverno/kyverno/pkg/cel/policies/mpol/compiler"
	admissionv1 "k8s.io/api/admission/v1"
	registration "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
)

// mutator and generator are policies as Kyverno has compiled them, with what they match.
type mutator struct {
	name     string
	matches  registration.MatchResources
	compiled *mutating.Policy
}

type generator struct {
	name     string
	matches  registration.MatchResources
	compiled *generating.Policy
}

// engines are what the admission controller and the background controller do with these policies.
type engines struct {
	mutators   []mutator
	generators []generator
	cluster    *libs.FakeContextProvider
	matcher    matching.Matcher
}

// load reads the policies as Kyverno does when somebody applies them: it refuses what it cannot compile.
func load(policies []json.RawMessage, existing []unstructured.Unstructured) (*engines, error) {
	cluster := libs.NewFakeContextProvider()
	for index := range existing {
		if err := cluster.AddResource(resourceOf(existing[index].GroupVersionKind()), &existing[index]); err != nil {
			return nil, err
		}
	}
	libs.LibraryContext = cluster
	made := &engines{cluster: cluster, matcher: matching.NewMatcher()}
	for _, text := range policies {
		var head metav1.PartialObjectMetadata
		if err := json.Unmarshal(text, &head); err != nil {
			return nil, err
		}
		var err error
		switch head.Kind {
		case "MutatingPolicy":
			err = made.loadMutating(text)
		case "GeneratingPolicy":
			err = made.loadGenerating(text)
		default:
			err = fmt.Errorf("%s is no kind that this program knows", head.Kind)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", head.Name, err)
		}
	}
	return made, nil
}

func (e *engines) loadMutating(text []byte) error {
	policy := new(v1beta1.MutatingPolicy)
	if err := read(text, policy); err != nil {
		return err
	}
	if warnings, err := mpol.Validate(policy); err != nil || len(warnings) > 0 {
		return fmt.Errorf("%w %v", err, warnings)
	}
	all := []*v1beta1.MutatingPolicy{policy}
	// From a policy for pods Kyverno derives others for Deployments, Jobs and so on.
	derived, err := autogen.Autogen(policy)
	if err != nil {
		return err
	}
	for _, one := range derived {
		other := policy.DeepCopy()
		other.Spec = *one.Spec
		all = append(all, other)
	}
	for _, one := range all {
		compiled, errs := mutating.NewCompiler().Compile(one, nil)
		if err := errs.ToAggregate(); err != nil {
			return err
		}
		e.mutators = append(e.mutators, mutator{one.Name, one.GetMatchConstraints(), compiled})
	}
	return nil
}

func (e *engines) loadGenerating(text []byte) error {
	policy := new(v1beta1.GeneratingPolicy)
	if err := read(text, policy); err != nil {
		return err
	}
	if warnings, err := gpol.Validate(policy); err != nil || len(warnings) > 0 {
		return fmt.Errorf("%w %v", err, warnings)
	}
	compiled, errs := generating.NewCompiler().Compile(policy, nil)
	e.generators = append(e.generators, generator{policy.Name, policy.GetMatchConstraints(), compiled})
	return errs.ToAggregate()
}

// read refuses fields that the type does not have.
func read(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// admit asks every policy about an object, as Kyverno's webhooks do: one after the other.
func (e *engines) admit(object, old *unstructured.Unstructured, operation admissionv1.Operation, namespace *corev1.Namespace) (answer, error) {
	given := answer{Object: object}
	for _, one := range e.mutators {
		asked, err := e.ask(&one.matches, given.Object, old, operation, namespace)
		if err != nil {
			return answer{}, err
		}
		if asked == nil {
			continue
		}
		result := one.compiled.Evaluate(context.Background(), asked.attributes, namespace, asked.request, noTypes{}, e.cluster)
		switch {
		case result == nil:
		case result.Error != nil:
			given.Errors = append(given.Errors, one.name+": "+result.Error.Error())
		default:
			given.Object = result.PatchedResource
		}
	}
	for _, one := range e.generators {
		asked, err := e.ask(&one.matches, given.Object, old, operation, namespace)
		if err != nil {
			return answer{}, err
		}
		if asked == nil {
			continue
		}
		result, err := one.compiled.Evaluate(context.Background(), asked.attributes, &asked.request, namespace, e.cluster)
		if err != nil {
			given.Errors = append(given.Errors, one.name+": "+err.Error())
		} else if result != nil {
			given.Generated = append(given.Generated, result.GeneratedResources...)
		}
	}
	return given, nil
}

// question is what a webhook is asked about an object, and what the matcher wants to know of it.
type question struct {
	attributes admission.Attributes
	request    admissionv1.AdmissionRequest
}

// ask makes the question for a policy with these constraints, or nil if the policy does not match.
func (e *engines) ask(constraints *registration.MatchResources, object, old *unstructured.Unstructured, operation admissionv1.Operation,
	namespace *corev1.Namespace) (*question, error) {
	kind := object.GroupVersionKind()
	resource := resourceOf(kind)
	request := admissionv1.AdmissionRequest{
		UID:       "1",
		Kind:      metav1.GroupVersionKind(kind),
		Resource:  metav1.GroupVersionResource(resource),
		Name:      object.GetName(),
		Namespace: object.GetNamespace(),
		Operation: operation,
	}
	var err error
	if request.Object.Raw, err = object.MarshalJSON(); err != nil {
		return nil, err
	}
	if old.Object != nil {
		if request.OldObject.Raw, err = old.MarshalJSON(); err != nil {
			return nil, err
		}
	}
	attributes := admission.NewAttributesRecord(object, old, kind, request.Namespace, request.Name, resource, "",
		admission.Operation(operation), nil, false, &user.DefaultInfo{Name: "somebody"})
	matches, err := e.matcher.Match(&matching.MatchCriteria{Constraints: constraints}, attributes, namespace)
	if err != nil || !matches {
		return nil, err
	}
	return &question{attributes, request}, nil
}

// resourceOf is the resource of a kind, for kinds whose plural is regular.
func resourceOf(kind schema.GroupVersionKind) schema.GroupVersionResource {
	return kind.GroupVersion().WithResource(plural(kind.Kind))
}
