package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	dynamic "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/openapi/openapitest"
	"k8s.io/client-go/rest"
)

// start runs the admission plugin of the API server, in a cluster that has only these policies and namespaces.
func start(ctx context.Context, policies []runtime.Object, namespaces map[string]map[string]string) (*mutating.Plugin, error) {
	objects := policies
	for name, labels := range namespaces {
		objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}})
	}
	factory := informers.NewSharedInformerFactory(fake.NewSimpleClientset(objects...), 0)
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{corev1.SchemeGroupVersion})
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Pod"), meta.RESTScopeNamespace)
	client, err := schemas(ctx)
	if err != nil {
		return nil, err
	}
	plugins := admission.NewPlugins()
	mutating.Register(plugins)
	initialized, err := plugins.InitPlugin(mutating.PluginName, nil, initializer(func(plugin *mutating.Plugin) {
		plugin.SetEnabled(true)
		plugin.SetExternalKubeClientSet(client)
		plugin.SetExternalKubeInformerFactory(factory)
		plugin.SetRESTMapper(mapper)
		plugin.SetDynamicClient(dynamic.NewSimpleDynamicClient(scheme.Scheme))
		plugin.SetDrainedNotification(ctx.Done())
		setAuthorizer(plugin)
	}))
	if err != nil {
		return nil, err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	return initialized.(*mutating.Plugin), nil
}

// initializer gives the plugin what an API server gives it.
type initializer func(*mutating.Plugin)

func (i initializer) Initialize(plugin admission.Interface) {
	i(plugin.(*mutating.Plugin))
}

// setAuthorizer: no expression of ours asks for an authorization. The method has another name since Kubernetes 1.37.
func setAuthorizer(plugin *mutating.Plugin) {
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
