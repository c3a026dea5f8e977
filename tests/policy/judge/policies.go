package main

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/admissionregistration"
	_ "k8s.io/kubernetes/pkg/apis/admissionregistration/install"
	"k8s.io/kubernetes/pkg/apis/admissionregistration/validation"
)

// readPolicy reads a policy or a binding, and validates it as the API server does when somebody creates it.
func readPolicy(text []byte) (runtime.Object, error) {
	versioned, err := decode(text)
	if err != nil {
		return nil, err
	}
	var internal runtime.Object = &admissionregistration.MutatingAdmissionPolicy{}
	if versioned.GetObjectKind().GroupVersionKind().Kind == "MutatingAdmissionPolicyBinding" {
		internal = &admissionregistration.MutatingAdmissionPolicyBinding{}
	}
	if err := legacyscheme.Scheme.Convert(versioned, internal, nil); err != nil {
		return nil, err
	}
	var mistakes field.ErrorList
	switch policy := internal.(type) {
	case *admissionregistration.MutatingAdmissionPolicy:
		mistakes = validation.ValidateMutatingAdmissionPolicy(policy)
	case *admissionregistration.MutatingAdmissionPolicyBinding:
		mistakes = validation.ValidateMutatingAdmissionPolicyBinding(policy)
	}
	if len(mistakes) > 0 {
		return nil, fmt.Errorf("the API server refuses the policy: %w", mistakes.ToAggregate())
	}
	return versioned, nil
}
