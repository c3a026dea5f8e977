package main

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// setAccount does what the admission plugin ServiceAccount does, without which no pod is valid.
func setAccount(object runtime.Object) {
	pod, isPod := object.(*corev1.Pod)
	if !isPod {
		return
	}
	if pod.Spec.ServiceAccountName == "" {
		pod.Spec.ServiceAccountName = "default"
	}
	pod.Spec.DeprecatedServiceAccount = pod.Spec.ServiceAccountName
}
