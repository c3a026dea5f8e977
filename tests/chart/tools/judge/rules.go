package main

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	quota "k8s.io/apiserver/pkg/quota/v1"
	"k8s.io/kubernetes/pkg/apis/batch"
	"k8s.io/kubernetes/pkg/apis/core"
	evaluator "k8s.io/kubernetes/pkg/quota/v1/evaluator/core"
	"k8s.io/kubernetes/plugin/pkg/admission/limitranger"
	"k8s.io/utils/clock"
	strictyaml "sigs.k8s.io/yaml"
)

// rules are the LimitRanges and ResourceQuotas among the manifests. Every pod is judged by all of them, as if they were in one namespace
// where nothing runs yet.
type rules struct {
	limits []*corev1.LimitRange
	quotas []*corev1.ResourceQuota
}

// take keeps a rule. It is false if the resource is none.
func (r *rules) take(kind string, text []byte) (bool, error) {
	switch kind {
	case "/v1, Kind=LimitRange":
		limit := &corev1.LimitRange{}
		r.limits = append(r.limits, limit)
		return true, strictyaml.UnmarshalStrict(text, limit)
	case "/v1, Kind=ResourceQuota":
		quota := &corev1.ResourceQuota{}
		r.quotas = append(r.quotas, quota)
		return true, strictyaml.UnmarshalStrict(text, quota)
	}
	return false, nil
}

// judge returns what the API server's admission plugins say to the pod of a resource.
func (r *rules) judge(resource runtime.Object) []error {
	pod := podOf(resource)
	if pod == nil {
		return nil
	}
	var mistakes []error
	for _, limit := range r.limits {
		if err := limitranger.PodMutateLimitFunc(limit, pod); err != nil {
			mistakes = append(mistakes, err)
		}
	}
	for _, limit := range r.limits {
		if err := limitranger.PodValidateLimitFunc(limit, pod); err != nil {
			mistakes = append(mistakes, err)
		}
	}
	for _, one := range r.quotas {
		if err := withinQuota(one, pod); err != nil {
			mistakes = append(mistakes, err)
		}
	}
	return mistakes
}

// withinQuota does for an empty namespace what the plugin ResourceQuota does: the pod must say what the quota counts, and must fit.
func withinQuota(one *corev1.ResourceQuota, pod *core.Pod) error {
	pods := evaluator.NewPodEvaluator(nil, clock.RealClock{})
	counted := pods.MatchingResources(quota.ResourceNames(one.Spec.Hard))
	if err := pods.Constraints(counted, pod); err != nil {
		return fmt.Errorf("failed quota: %s: %w", one.Name, err)
	}
	used, err := pods.Usage(pod)
	if err != nil {
		return err
	}
	if fits, exceeded := quota.LessThanOrEqual(quota.Mask(used, counted), one.Spec.Hard); !fits {
		return fmt.Errorf("exceeded quota: %s: %v", one.Name, exceeded)
	}
	return nil
}

// podOf returns the pod that a resource is, or that its controller makes of it; nil for other kinds.
func podOf(resource runtime.Object) *core.Pod {
	switch one := resource.(type) {
	case *core.Pod:
		return one
	case *batch.Job:
		return &core.Pod{ObjectMeta: one.Spec.Template.ObjectMeta, Spec: one.Spec.Template.Spec}
	case *batch.CronJob:
		template := one.Spec.JobTemplate.Spec.Template
		return &core.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	}
	return nil
}
