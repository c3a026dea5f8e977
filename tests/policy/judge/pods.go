package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	"k8s.io/kubernetes/pkg/registry/core/pod"
)

// The plugin reads the schemas of the resources in the background.
const schemasWithin = 20 * time.Second

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

func create(ctx context.Context, plugin *mutating.Plugin, text []byte) (found answer) {
	defer func() {
		if cause := recover(); cause != nil {
			found = answer{Panic: fmt.Sprint(cause)}
		}
	}()
	versioned, err := decode(text)
	if err != nil {
		return answer{Refused: err.Error()}
	}
	setAccount(versioned.(*corev1.Pod))
	internal := &core.Pod{}
	if err := legacyscheme.Scheme.Convert(versioned, internal, nil); err != nil {
		return answer{Refused: err.Error()}
	}
	ctx = request.WithNamespace(ctx, internal.Namespace)
	ctx = request.WithRequestInfo(ctx, &request.RequestInfo{IsResourceRequest: true, APIVersion: "v1"})
	if err := admit(ctx, plugin, internal); err != nil {
		return answer{Refused: err.Error()}
	}
	stored := &corev1.Pod{}
	if err := legacyscheme.Scheme.Convert(internal, stored, nil); err != nil {
		return answer{Refused: err.Error()}
	}
	stored.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
	if internal.Name == "" {
		internal.Name = internal.GenerateName + "00000"
	}
	rest.FillObjectMetaSystemFields(internal)
	if err := rest.BeforeCreate(pod.Strategy, ctx, internal); err != nil {
		return answer{Refused: err.Error()}
	}
	return answer{Pod: stored}
}

// setAccount does what the admission plugin ServiceAccount does, without which no pod is valid.
func setAccount(pod *corev1.Pod) {
	if pod.Spec.ServiceAccountName == "" {
		pod.Spec.ServiceAccountName = "default"
	}
	pod.Spec.DeprecatedServiceAccount = pod.Spec.ServiceAccountName
}

// admit runs the plugin, again while it does not know the schema of pods yet.
func admit(ctx context.Context, plugin *mutating.Plugin, internal *core.Pod) error {
	kind, resource := corev1.SchemeGroupVersion.WithKind("Pod"), corev1.SchemeGroupVersion.WithResource("pods")
	scheme := admission.NewObjectInterfacesFromScheme(legacyscheme.Scheme)
	for until := time.Now().Add(schemasWithin); ; time.Sleep(10 * time.Millisecond) {
		attributes := admission.NewAttributesRecord(internal, nil, kind, internal.Namespace, internal.Name, resource, "",
			admission.Create, &metav1.CreateOptions{}, false, &user.DefaultInfo{Name: "user"})
		err := plugin.Admit(ctx, attributes, scheme)
		if !apierrors.IsServiceUnavailable(err) || time.Now().After(until) {
			return err
		}
	}
}
