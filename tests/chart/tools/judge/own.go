package main

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
	"k8s.io/kubernetes/pkg/registry/apps/deployment"
	"k8s.io/kubernetes/pkg/registry/batch/cronjob"
	"k8s.io/kubernetes/pkg/registry/batch/job"
	"k8s.io/kubernetes/pkg/registry/core/configmap"
	"k8s.io/kubernetes/pkg/registry/core/pod"
	"k8s.io/kubernetes/pkg/registry/core/service"
	"k8s.io/kubernetes/pkg/registry/core/serviceaccount"
	"k8s.io/kubernetes/pkg/registry/rbac/clusterrole"
	"k8s.io/kubernetes/pkg/registry/rbac/clusterrolebinding"
	"k8s.io/kubernetes/pkg/registry/rbac/role"
	"k8s.io/kubernetes/pkg/registry/rbac/rolebinding"
)

// strategyOf returns the API server's way to create one of Kubernetes' own kinds; nil for the kinds that no manifest here has.
func strategyOf(kind schema.GroupVersionKind) rest.RESTCreateStrategy {
	switch kind.String() {
	case "/v1, Kind=ConfigMap":
		return configmap.Strategy
	case "/v1, Kind=Pod":
		return pod.Strategy
	case "batch/v1, Kind=Job":
		return job.Strategy
	case "batch/v1, Kind=CronJob":
		return cronjob.Strategy
	case "/v1, Kind=Service":
		return service.Strategy
	case "/v1, Kind=ServiceAccount":
		return serviceaccount.Strategy
	case "apps/v1, Kind=Deployment":
		return deployment.Strategy
	case "rbac.authorization.k8s.io/v1, Kind=ClusterRole":
		return clusterrole.Strategy
	case "rbac.authorization.k8s.io/v1, Kind=ClusterRoleBinding":
		return clusterrolebinding.Strategy
	case "rbac.authorization.k8s.io/v1, Kind=Role":
		return role.Strategy
	case "rbac.authorization.k8s.io/v1, Kind=RoleBinding":
		return rolebinding.Strategy
	}
	return nil
}

// judgeOwn decodes as with fieldValidation=Strict, sets defaults, validates for creation, and asks the rules of the namespace.
func judgeOwn(text []byte, kind schema.GroupVersionKind, namespace *rules) []error {
	scheme := legacyscheme.Scheme
	decoder := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	versioned, _, err := decoder.Decode(text, nil, nil)
	if err != nil {
		return []error{err}
	}
	scheme.Default(versioned)
	internal, err := scheme.ConvertToVersion(versioned, schema.GroupVersion{Group: kind.Group, Version: runtime.APIVersionInternal})
	if err != nil {
		return []error{err}
	}
	object, err := meta.Accessor(internal)
	if err != nil {
		return []error{err}
	}
	strategy := strategyOf(kind)
	if object.GetNamespace() == "" && strategy.NamespaceScoped() {
		object.SetNamespace("default")
	}
	if object.GetName() == "" && object.GetGenerateName() == "" {
		object.SetName("template") // a file with a pod template may have no name
	}
	rest.FillObjectMetaSystemFields(object)
	ctx := request.WithNamespace(context.Background(), object.GetNamespace())
	ctx = request.WithRequestInfo(ctx, &request.RequestInfo{IsResourceRequest: true, APIGroup: kind.Group, APIVersion: kind.Version})
	if err := rest.BeforeCreate(strategy, ctx, internal); err != nil {
		return []error{err}
	}
	return namespace.judge(internal)
}
