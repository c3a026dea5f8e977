package main

import (
	"context"
	"fmt"
	"os"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

// readDefinitions reads custom resource definitions, and returns the checks for each kind and served version.
func readDefinitions(path string) (map[string]judges, error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	all := map[string]judges{}
	for _, text := range documents(file) {
		var definition apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(text, &definition); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for _, version := range definition.Spec.Versions {
			if !version.Served || version.Schema == nil {
				continue
			}
			kind := schema.GroupVersionKind{Group: definition.Spec.Group, Version: version.Name, Kind: definition.Spec.Names.Kind}
			judge, err := judgeOf(version.Schema.OpenAPIV3Schema)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", path, kind, err)
			}
			all[kind.String()] = judge
		}
	}
	return all, nil
}

// judgeOf returns the four checks that an API server makes for a custom resource.
func judgeOf(properties *apiextensionsv1.JSONSchemaProps) (judges, error) {
	var internal apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(properties, &internal, nil); err != nil {
		return nil, err
	}
	shape, err := structural.NewStructural(&internal)
	if err != nil {
		return nil, err
	}
	validator, _, err := validation.NewSchemaValidator(&internal)
	if err != nil {
		return nil, err
	}
	rules := cel.NewValidator(shape, true, celconfig.PerCallLimit)
	return func(text []byte) []error {
		object, err := fieldsOf(text)
		if err != nil {
			return []error{err}
		}
		var mistakes []error
		unknown := structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
		for _, path := range pruning.PruneWithOptions(object, shape, true, unknown) {
			mistakes = append(mistakes, fmt.Errorf("%s: unknown field", path))
		}
		found := validation.ValidateCustomResource(nil, object, validator)
		found = append(found, listtype.ValidateListSetsAndMaps(nil, shape, object)...)
		if rules != nil && len(found) == 0 {
			broken, _ := rules.Validate(context.Background(), field.NewPath("root"), shape, object, nil, celconfig.RuntimeCELCostBudget)
			found = append(found, broken...)
		}
		for _, mistake := range found {
			mistakes = append(mistakes, mistake)
		}
		return mistakes
	}, nil
}
