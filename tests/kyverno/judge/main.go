// Command judge runs Kyverno's own engines: what its admission controller does with an object, and what its background controller makes
// because of it.
//
//	judge < ASKED > ANSWERS
//
// ASKED is one JSON document, as the type asked below says. ANSWERS is a JSON list with an answer for each request.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	admission "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

type asked struct {
	// The policies, as they are in a manifest.
	Policies []json.RawMessage `json:"policies"`
	// The namespaces of the cluster.
	Namespaces []corev1.Namespace `json:"namespaces"`
	// What else is in the cluster, for policies that look things up.
	Existing []unstructured.Unstructured `json:"existing"`
	Requests []request                   `json:"requests"`
}

// request is what somebody asks the API server for.
type request struct {
	Operation admission.Operation `json:"operation"`
	Object    json.RawMessage     `json:"object"`
	OldObject json.RawMessage     `json:"oldObject"`
}

// answer is what becomes of a request.
type answer struct {
	// The object after all mutations.
	Object *unstructured.Unstructured `json:"object"`
	// What Kyverno makes because of it.
	Generated []*unstructured.Unstructured `json:"generated"`
	// What went wrong, for each policy that failed. With failurePolicy Ignore the object is admitted all the same.
	Errors []string `json:"errors"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	var all asked
	if err := json.NewDecoder(in).Decode(&all); err != nil {
		return err
	}
	engines, err := load(all.Policies, all.Existing, func(name string) *corev1.Namespace {
		for index := range all.Namespaces {
			if all.Namespaces[index].Name == name {
				return &all.Namespaces[index]
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	answers := make([]answer, 0, len(all.Requests))
	for _, one := range all.Requests {
		given, err := engines.admit(one)
		if err != nil {
			return err
		}
		answers = append(answers, given)
	}
	return json.NewEncoder(out).Encode(answers)
}

// review is the request as the API server sends it to a webhook.
func (r request) review() (admission.AdmissionRequest, error) {
	var head metav1.PartialObjectMetadata
	if err := json.Unmarshal(r.Object, &head); err != nil {
		return admission.AdmissionRequest{}, err
	}
	kind := head.GroupVersionKind()
	resource := resourceOf(kind)
	return admission.AdmissionRequest{
		UID:       "1",
		Kind:      metav1.GroupVersionKind(kind),
		Resource:  metav1.GroupVersionResource(resource),
		Name:      head.Name,
		Namespace: head.Namespace,
		Operation: r.Operation,
		Object:    runtime.RawExtension{Raw: r.Object},
		OldObject: runtime.RawExtension{Raw: r.OldObject},
	}, nil
}

// plural is the name of a kind in paths. The kinds that policies here match have a regular one.
func plural(kind string) string {
	return strings.ToLower(kind) + "s"
}
