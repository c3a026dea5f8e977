package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"reflect"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/client-go/dynamic"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/openapi/openapitest"
	"k8s.io/client-go/rest"
)

// chain is what an object passes, in this order.
type chain struct {
	mutating   *mutating.Plugin
	validating *validating.Plugin
}

// policyPlugin is what both have in common.
type policyPlugin interface {
	admission.Interface
	SetEnabled(bool)
	SetExternalKubeClientSet(kubernetes.Interface)
	SetExternalKubeInformerFactory(informers.SharedInformerFactory)
	SetRESTMapper(meta.RESTMapper)
	SetDynamicClient(dynamic.Interface)
	SetDrainedNotification(<-chan struct{})
}

// start runs the admission plugins of the API server, in a cluster that has only these policies and namespaces.
func start(ctx context.Context, policies []runtime.Object, namespaces map[string]map[string]string) (*chain, error) {
	objects := policies
	for name, labels := range namespaces {
		objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}})
	}
	factory := informers.NewSharedInformerFactory(fake.NewSimpleClientset(objects...), 0)
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{corev1.SchemeGroupVersion, batchv1.SchemeGroupVersion})
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Pod"), meta.RESTScopeNamespace)
	mapper.Add(batchv1.SchemeGroupVersion.WithKind("Job"), meta.RESTScopeNamespace)
	mapper.Add(batchv1.SchemeGroupVersion.WithKind("CronJob"), meta.RESTScopeNamespace)
	client, err := schemas(ctx)
	if err != nil {
		return nil, err
	}
	plugins := admission.NewPlugins()
	mutating.Register(plugins)
	validating.Register(plugins)
	made := initializer(func(plugin policyPlugin) {
		plugin.SetEnabled(true)
		plugin.SetExternalKubeClientSet(client)
		plugin.SetExternalKubeInformerFactory(factory)
		plugin.SetRESTMapper(mapper)
		plugin.SetDynamicClient(dynamicfake.NewSimpleDynamicClient(scheme.Scheme))
		plugin.SetDrainedNotification(ctx.Done())
		setAuthorizer(plugin)
	})
	mutates, err := plugins.InitPlugin(mutating.PluginName, nil, made)
	if err != nil {
		return nil, err
	}
	validates, err := plugins.InitPlugin(validating.PluginName, nil, made)
	if err != nil {
		return nil, err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	return &chain{mutates.(*mutating.Plugin), validates.(*validating.Plugin)}, nil
}

// initializer gives a plugin what an API server gives it.
type initializer func(policyPlugin)

func (i initializer) Initialize(plugin admission.Interface) {
	i(plugin.(policyPlugin))
}

// setAuthorizer: no expression of ours asks for an authorization. The method has another name since Kubernetes 1.37.
func setAuthorizer(plugin policyPlugin) {
	for _, name := range []string{"SetAuthorizer", "SetUnconditionalAuthorizer"} {
		if method := reflect.ValueOf(plugin).MethodByName(name); method.IsValid() {
			method.Call([]reflect.Value{reflect.ValueOf(authorizerfactory.NewAlwaysAllowAuthorizer())})
		}
	}
}

// schemas is a client of a server that knows the schema of pods, which the plugin asks for, and nothing else.
func schemas(ctx context.Context) (kubernetes.Interface, error) {
	paths, err := openapitest.NewEmbeddedFileClient().Paths()
	if err != nil {
		return nil, err
	}
	text, err := paths["api/v1"].Schema(runtime.ContentTypeJSON)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/openapi/v3", func(w http.ResponseWriter, _ *http.Request) {
		write(w, []byte(`{"paths":{"api/v1":{"serverRelativeURL":"/openapi/v3/api/v1"}}}`))
	})
	mux.HandleFunc("/openapi/v3/api/v1", func(w http.ResponseWriter, _ *http.Request) { write(w, text) })
	server := httptest.NewServer(mux)
	context.AfterFunc(ctx, server.Close)
	return kubernetes.NewForConfig(&rest.Config{Host: server.URL})
}

func write(w http.ResponseWriter, text []byte) {
	w.Header().Set("Content-Type", runtime.ContentTypeJSON)
	_, _ = w.Write(text) // the plugin asks again if it has not got it
}
