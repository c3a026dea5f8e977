{{/* Refuses values of the controller that would mean nothing together. */}}
{{- define "exeunt.controller.guard" -}}
{{- with .Values.controller }}
{{- if and (eq .mode "cronJob") (not .reap.enabled) }}
{{- fail "\n\ncontroller.mode: cronJob is not allowed with controller.reap.enabled=false: it would do nothing. Must be deployment, which counts pods without it\n" }}
{{- end }}
{{- if eq .mode "cronJob" }}
{{- range $name := list "podMonitor" "rules" "dashboard" }}
{{- if (get $.Values.controller $name).enabled }}
{{- fail (printf "\n\ncontroller.%s.enabled is not allowed with controller.mode=cronJob: only the deployment has metrics\n" $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* The name of everything of it: that of deploy/controller, or of deploy/reap. */}}
{{- define "exeunt.controller.name" -}}
{{ eq .Values.controller.mode "cronJob" | ternary "exeunt-reap" "exeunt-controller" }}
{{- end }}

{{/* Where it looks, and what it does there, as arguments. An option that has its default is left out. */}}
{{- define "exeunt.controller.options" -}}
{{- with .Values.controller }}
{{- if .namespaces }}
- {{ printf "--namespaces=%s" (join "," .namespaces) | quote }}
{{- else }}
- --all-namespaces
{{- end }}
{{- with .selector }}
- {{ printf "--selector=%s" . | quote }}
{{- end }}
{{- $acts := and .reap.enabled (not .reap.dryRun) }}
{{- if or $acts (eq .mode "deployment") }}
- --dry-run={{ not $acts }}
{{- end }}
{{- if ne (int64 .reap.stuckFor) 60 }}
- --stuck-for={{ int64 .reap.stuckFor }}
{{- end }}
{{- if ne .reap.rate "10/m" }}
- --rate={{ .reap.rate }}
{{- end }}
{{- if ne (int64 .reap.atOnce) 5 }}
- --at-once={{ int64 .reap.atOnce }}
{{- end }}
{{- $agent := include "exeunt.image" $.Values.agent.image }}
{{- if ne $agent (printf "ghcr.io/exeunt-dev/exeunt-agent:%s" (include "exeunt.version" $)) }}
- {{ printf "--image=%s" $agent | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* Its rules: exactly what it does with these values. deploy/controller/rights.yaml has the reason for each. */}}
{{- define "exeunt.controller.rules" -}}
{{- $watches := eq .Values.controller.mode "deployment" }}
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list{{ if $watches }}, watch{{ end }}]
{{- if .Values.controller.reap.enabled }}
- apiGroups: [""]
  resources: [pods/ephemeralcontainers]
  verbs: [patch]
{{- end }}
{{- if not (or .Values.controller.namespaces .Values.controller.selector) }}
- apiGroups: [""]
  resources: [namespaces]
  verbs: [list{{ if $watches }}, watch{{ end }}]
{{- end }}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}

{{/* What the pods of both modes have. */}}
{{- define "exeunt.controller.pod" -}}
serviceAccountName: {{ include "exeunt.controller.name" . }}
automountServiceAccountToken: true
securityContext:
  {{- if ne (toString .Values.agent.uid) "none" }}
  runAsUser: {{ int64 .Values.agent.uid }}
  runAsGroup: {{ int64 .Values.agent.uid }}
  {{- end }}
  runAsNonRoot: true
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* What the containers of both modes have. */}}
{{- define "exeunt.controller.container" -}}
image: {{ include "exeunt.image" .Values.controller.image | quote }}
{{- with .Values.controller.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
securityContext:
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  capabilities: {drop: [ALL]}
{{- with .Values.controller.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
