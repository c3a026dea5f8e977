// Judge validates manifests with the API server's own code: strict decoding, checks of metadata, the validation of ConfigMaps, Pods,
// Jobs, CronJobs, Deployments, Services and RBAC, and for custom resources the structural schema and the CEL rules of their definitions.
//
//	judge [FILE OF CUSTOM RESOURCE DEFINITIONS] < MANIFESTS
//
// If there are LimitRanges and ResourceQuotas among the manifests, their admission plugins judge every pod and pod template, too.
//
// It prints a line for each mistake, and at the end the number of resources; it fails if there is a mistake. It cannot check what needs a
// cluster: webhooks (also Istio's own), Pod Security, and references to other objects.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	strictyaml "sigs.k8s.io/yaml"
)

// judges returns the mistakes in the text of one resource.
type judges func(text []byte) []error

func main() {
	definitions := map[string]judges{}
	if len(os.Args) > 1 {
		var err error
		if definitions, err = readDefinitions(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, "judge:", err)
			os.Exit(2)
		}
	}
	judged, mistakes := 0, 0
	manifests, err := io.ReadAll(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(2)
	}
	namespace := &rules{}
	var others [][]byte
	for _, text := range documents(manifests) {
		isRule, err := namespace.take(kindOf(text), text)
		if err != nil {
			fmt.Fprintln(os.Stderr, "judge:", err)
			os.Exit(2)
		}
		if !isRule {
			others = append(others, text)
		}
	}
	for _, text := range others {
		name, found := judge(text, definitions, namespace)
		if name == "" && len(found) == 0 {
			continue // only comments between two separators
		}
		judged++
		for _, mistake := range found {
			mistakes++
			fmt.Printf("%s: %v\n", name, mistake)
		}
	}
	fmt.Printf("%d resources, %d mistakes\n", judged, mistakes)
	if mistakes > 0 || judged == 0 {
		os.Exit(1)
	}
}

// documents splits a file of YAML at its separators.
func documents(file []byte) [][]byte {
	var all [][]byte
	reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(file)))
	for {
		text, err := reader.Read()
		if err != nil { // reading from memory, the only error is the end
			return all
		}
		all = append(all, text)
	}
}

// fieldsOf reads a document as the API server does: it refuses a key that is there twice, and integers stay integers.
func fieldsOf(text []byte) (map[string]any, error) {
	asJSON, err := strictyaml.YAMLToJSONStrict(text)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	return fields, json.Unmarshal(asJSON, &fields)
}

// kindOf returns the kind of a resource; that of a document that cannot be read is empty, and judge says why.
func kindOf(text []byte) string {
	fields, err := fieldsOf(text)
	if err != nil || fields == nil {
		return ""
	}
	resource := unstructured.Unstructured{Object: fields}
	return resource.GroupVersionKind().String()
}

// judge returns the name of a resource and its mistakes, or nothing for an empty document.
func judge(text []byte, definitions map[string]judges, namespace *rules) (string, []error) {
	fields, err := fieldsOf(text)
	if err != nil {
		return "the document", []error{err}
	}
	if fields == nil {
		return "", nil
	}
	resource := unstructured.Unstructured{Object: fields}
	kind := resource.GroupVersionKind()
	name := kind.Kind + "/" + resource.GetName() + resource.GetGenerateName()
	if own, known := definitions[kind.String()]; known {
		return name, own(text)
	}
	if strategyOf(kind) != nil {
		return name, judgeOwn(text, kind, namespace)
	}
	return name, []error{fmt.Errorf("apiVersion %s, kind %s: unknown here", resource.GetAPIVersion(), kind.Kind)}
}
