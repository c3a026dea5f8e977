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
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
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
	Operation admission.Operation       `json:"operation"`
	Object    unstructured.Unstructured `json:"object"`
	OldObject unstructured.Unstructured `json:"oldObject"`
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
	engines, err := load(all.Policies, all.Existing)
	if err != nil {
		return err
	}
	answers := make([]answer, 0, len(all.Requests))
	for _, one := range all.Requests {
		given, err := engines.admit(&one.Object, &one.OldObject, one.Operation, all.namespace(one.Object.GetNamespace()))
		if err != nil {
			return err
		}
		answers = append(answers, given)
	}
	return json.NewEncoder(out).Encode(answers)
}

// namespace is the one of that name, or nil.
func (a asked) namespace(name string) *corev1.Namespace {
	for index := range a.Namespaces {
		if a.Namespaces[index].Name == name {
			return &a.Namespaces[index]
		}
	}
	return nil
}

// noTypes knows no types: nothing here is an ApplyConfiguration, which merges by them.
type noTypes struct{}

func (noTypes) GetTypeConverter(schema.GroupVersionKind) managedfields.TypeConverter {
	return nil
}

// plural is the name of a kind in paths. The kinds that policies here match have a regular one.
func plural(kind string) string {
	return strings.ToLower(kind) + "s"
}
