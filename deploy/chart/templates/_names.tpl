{{/* The version of chart and images. A constant, because a chart that depends on this one has its own .Chart. */}}
{{- define "exeunt.version" -}}
0.1.0
{{- end }}

{{/* The label of the pods that take part; the plugin selects it. */}}
{{- define "exeunt.selector" -}}
exeunt.dev/drain: "on"
{{- end }}

{{/* The labels of every resource of this chart. */}}
{{- define "exeunt.labels" -}}
app.kubernetes.io/name: exeunt
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ include "exeunt.version" . | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end }}

{{/* The namespaces as a JSON list: those in the values, or the release's own. */}}
{{- define "exeunt.namespaces" -}}
{{ .Values.namespaces | default (list .Release.Namespace) | uniq | toJson }}
{{- end }}

{{/* An image by its digest, or by its tag if there is no digest; takes values such as .Values.agent.image. */}}
{{- define "exeunt.image" -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default (include "exeunt.version" .) }}{{ end }}
{{- end }}

{{/* The option `module`, as all ways that add the agent call it, for where the module comes from. */}}
{{- define "exeunt.moduleOption" -}}
{{ get (dict "oci" "none" "configMap" "configMap" "imageVolume" "image") .Values.plugin.source }}
{{- end }}

{{/* Where the chart puts the module's ConfigMap, as a JSON list. A policy of Kyverno's copies it from the release's namespace. */}}
{{- define "exeunt.moduleNamespaces" -}}
{{ eq .Values.inject "kyverno" | ternary (list .Release.Namespace | toJson) (include "exeunt.namespaces" .) }}
{{- end }}
