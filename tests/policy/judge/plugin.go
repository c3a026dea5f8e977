package main

import (
	"context"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/client-go/discovery"
	dynamic "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/openapi"
	"k8s.io/client-go/openapi/openapitest"
)

// start runs the admission plugin of the API server, in a cluster that has only these policies and namespaces.
func start(ctx context.Context, policies []runtime.Object, namespaces map[string]map[string]string) (*mutating.Plugin, error) {
	objects := policies
	for name, labels := range namespaces {
		objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}})
	}
	client := cluster{fake.NewSimpleClientset(objects...)}
	factory := informers.NewSharedInformerFactory(client, 0)
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{corev1.SchemeGroupVersion})
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Pod"), meta.RESTScopeNamespace)

	plugin, err := mutating.NewPlugin(nil)
	if err != nil {
		return nil, err
	}
	plugin.SetEnabled(true)
	plugin.SetExternalKubeClientSet(client)
	plugin.SetExternalKubeInformerFactory(factory)
	plugin.SetRESTMapper(mapper)
	plugin.SetDynamicClient(dynamic.NewSimpleDynamicClient(scheme.Scheme))
	plugin.SetDrainedNotification(ctx.Done())
	setAuthorizer(plugin)
	if err := plugin.ValidateInitialization(); err != nil {
		return nil, err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	return plugin, nil
}

// setAuthorizer: no expression of ours asks for an authorization. The method has another name since Kubernetes 1.37.
func setAuthorizer(plugin *mutating.Plugin) {
	for _, name := range []string{"SetAuthorizer", "SetUnconditionalAuthorizer"} {
		if method := reflect.ValueOf(plugin).MethodByName(name); method.IsValid() {
			method.Call([]reflect.Value{reflect.ValueOf(authorizerfactory.NewAlwaysAllowAuthorizer())})
		}
	}
}

// cluster is client-go's fake cluster, with the schema of Kubernetes' own kinds.
type cluster struct {
	kubernetes.Interface
}

func (c cluster) Discovery() discovery.DiscoveryInterface {
	return schemas{c.Interface.Discovery()}
}

type schemas struct {
	discovery.DiscoveryInterface
}

func (schemas) OpenAPIV3() openapi.Client {
	return openapitest.NewEmbeddedFileClient()
}
