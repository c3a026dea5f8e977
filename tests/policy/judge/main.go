// Command judge creates pods, Jobs and CronJobs as an API server does: decoding, defaults, the admission plugins MutatingAdmissionPolicy and
// ValidatingAdmissionPolicy, validation.
//
//	judge < REQUESTS > ANSWERS
//
// REQUESTS is one JSON document, as the type requests below says. ANSWERS is a JSON list with an answer for each object. A policy that the
// API server would refuse is an error of the program.
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
	// MutatingAdmissionPolicies, ValidatingAdmissionPolicies and their bindings.
	Policies []json.RawMessage `json:"policies"`
	// The labels of each namespace.
	Namespaces map[string]map[string]string `json:"namespaces"`
	Objects    []json.RawMessage            `json:"objects"`
}

// answer is the object as it would be stored, or why there is none.
type answer struct {
	Stored  runtime.Object `json:"stored,omitempty"`
	Refused string         `json:"refused,omitempty"`
	// What the API server has panicked with. It then answers nothing, and creates no object.
	Panic string `json:"panic,omitempty"`
	// What kubectl prints behind `Warning: `.
	Warnings []string `json:"warnings,omitempty"`
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
	chain, err := start(ctx, policies, asked.Namespaces)
	if err != nil {
		return err
	}
	answers := make([]answer, 0, len(asked.Objects))
	for _, text := range asked.Objects {
		answers = append(answers, create(ctx, chain, text))
	}
	return json.NewEncoder(out).Encode(answers)
}
