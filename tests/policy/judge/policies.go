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
	internal, err := legacyscheme.Scheme.UnsafeConvertToVersion(versioned.DeepCopyObject(), admissionregistration.SchemeGroupVersion)
	if err != nil {
		return nil, err
	}
	var mistakes field.ErrorList
	switch policy := internal.(type) {
	case *admissionregistration.MutatingAdmissionPolicy:
		mistakes = validation.ValidateMutatingAdmissionPolicy(policy)
	case *admissionregistration.MutatingAdmissionPolicyBinding:
		mistakes = validation.ValidateMutatingAdmissionPolicyBinding(policy)
	case *admissionregistration.ValidatingAdmissionPolicy:
		mistakes = validation.ValidateValidatingAdmissionPolicy(policy)
	case *admissionregistration.ValidatingAdmissionPolicyBinding:
		mistakes = validation.ValidateValidatingAdmissionPolicyBinding(policy)
	default:
		return nil, fmt.Errorf("%T is no policy", internal)
	}
	if len(mistakes) > 0 {
		return nil, fmt.Errorf("the API server refuses the policy: %w", mistakes.ToAggregate())
	}
	return versioned, nil
}
