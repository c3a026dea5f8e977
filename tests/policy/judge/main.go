// Command judge creates pods as an API server does: decoding, defaults, the admission plugin MutatingAdmissionPolicy, validation.
//
//	judge < REQUESTS > ANSWERS
//
// REQUESTS is one JSON document, as the type requests below says. ANSWERS is a JSON list with an answer for each pod. A policy that the API
// server would refuse is an error of the program.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
)

type requests struct {
	// MutatingAdmissionPolicies and their bindings.
	Policies []json.RawMessage `json:"policies"`
	// The labels of each namespace.
	Namespaces map[string]map[string]string `json:"namespaces"`
	Pods       []json.RawMessage            `json:"pods"`
}

// answer is the pod as it would be stored, or why there is none.
type answer struct {
	Pod     runtime.Object `json:"pod,omitempty"`
	Refused string         `json:"refused,omitempty"`
	// What the API server has panicked with. It then answers nothing, and creates no pod.
	Panic string `json:"panic,omitempty"`
}

func main() {
	if err := run(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var asked requests
	if err := json.NewDecoder(in).Decode(&asked); err != nil {
		return err
	}
	policies := make([]runtime.Object, 0, len(asked.Policies))
	for _, text := range asked.Policies {
		policy, err := readPolicy(text)
		if err != nil {
			return err
		}
		policies = append(policies, policy)
	}
	plugin, err := start(ctx, policies, asked.Namespaces)
	if err != nil {
		return err
	}
	answers := make([]answer, 0, len(asked.Pods))
	for _, text := range asked.Pods {
		answers = append(answers, create(ctx, plugin, text))
	}
	return json.NewEncoder(out).Encode(answers)
}
