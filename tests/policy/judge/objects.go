package main

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/warning"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	"k8s.io/kubernetes/pkg/registry/batch/cronjob"
	"k8s.io/kubernetes/pkg/registry/batch/job"
	"k8s.io/kubernetes/pkg/registry/core/pod"
)

// The plugin reads the schemas of the resources in the background.
const schemasWithin = 20 * time.Second

// kind is what the judge knows of the objects of a kind.
type kind struct {
	resource schema.GroupVersionResource
	strategy rest.RESTCreateStrategy
}

var kinds = map[string]kind{
	"Pod":     {corev1.SchemeGroupVersion.WithResource("pods"), pod.Strategy},
	"Job":     {batchv1.SchemeGroupVersion.WithResource("jobs"), job.Strategy},
	"CronJob": {batchv1.SchemeGroupVersion.WithResource("cronjobs"), cronjob.Strategy},
}

// decode reads an object as with fieldValidation=Strict, and sets the defaults of its version.
func decode(text []byte) (runtime.Object, error) {
	scheme := legacyscheme.Scheme
	serializer := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Strict: true})
	object, _, err := serializer.Decode(text, nil, nil)
	if err == nil {
		scheme.Default(object)
	}
	return object, err
}

// recorder has the warnings of a request.
type recorder struct {
	warnings []string
}

func (r *recorder) AddWarning(_, text string) {
	r.warnings = append(r.warnings, text)
}

func create(ctx context.Context, chain *chain, text []byte) (found answer) {
	warned := &recorder{}
	defer func() {
		if cause := recover(); cause != nil {
			found = answer{Panic: fmt.Sprint(cause)}
		}
		found.Warnings = warned.warnings
	}()
	stored, err := store(warning.WithWarningRecorder(ctx, warned), chain, text)
	if err != nil {
		return answer{Refused: err.Error()}
	}
	return answer{Stored: stored}
}

// store does what the API server does with a POST: the object as it is stored, or why it is refused.
func store(ctx context.Context, chain *chain, text []byte) (runtime.Object, error) {
	versioned, err := decode(text)
	if err != nil {
		return nil, err
	}
	setAccount(versioned)
	gvk := versioned.GetObjectKind().GroupVersionKind()
	known, isKnown := kinds[gvk.Kind]
	if !isKnown {
		return nil, fmt.Errorf("the judge knows no %s", gvk.Kind)
	}
	internalVersion := schema.GroupVersion{Group: gvk.Group, Version: runtime.APIVersionInternal}
	internal, err := legacyscheme.Scheme.ConvertToVersion(versioned, internalVersion)
	if err != nil {
		return nil, err
	}
	metadata, err := meta.Accessor(internal)
	if err != nil {
		return nil, err
	}
	ctx = request.WithNamespace(ctx, metadata.GetNamespace())
	ctx = request.WithRequestInfo(ctx, &request.RequestInfo{IsResourceRequest: true, APIVersion: gvk.Version, APIGroup: gvk.Group})
	attributes := admission.NewAttributesRecord(internal, nil, gvk, metadata.GetNamespace(), metadata.GetName(), known.resource, "",
		admission.Create, &metav1.CreateOptions{}, false, &user.DefaultInfo{Name: "user"})
	interfaces := admission.NewObjectInterfacesFromScheme(legacyscheme.Scheme)
	if err := mutate(ctx, chain, attributes, interfaces); err != nil {
		return nil, err
	}
	stored, err := legacyscheme.Scheme.ConvertToVersion(internal, gvk.GroupVersion())
	if err != nil {
		return nil, err
	}
	if metadata.GetName() == "" {
		metadata.SetName(metadata.GetGenerateName() + "00000")
	}
	rest.FillObjectMetaSystemFields(metadata)
	if err := rest.BeforeCreate(known.strategy, ctx, internal); err != nil {
		return nil, err
	}
	return stored, chain.validating.Validate(ctx, attributes, interfaces)
}

// mutate runs the plugin, again while it does not know the schema of pods yet.
func mutate(ctx context.Context, chain *chain, attributes admission.Attributes, interfaces admission.ObjectInterfaces) error {
	for until := time.Now().Add(schemasWithin); ; time.Sleep(10 * time.Millisecond) {
		err := chain.mutating.Admit(ctx, attributes, interfaces)
		if !apierrors.IsServiceUnavailable(err) || time.Now().After(until) {
			return err
		}
	}
}
