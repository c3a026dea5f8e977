{{/* The version of everything; a constant, because a chart that depends on this one has a .Chart of its own. */}}
{{- define "exeunt.version" -}}
0.1.0
{{- end }}

{{/* The label by which a pod takes part, and the plugin selects it. */}}
{{- define "exeunt.selector" -}}
exeunt.dev/drain: "on"
{{- end }}

{{/* What every resource of this chart carries. */}}
{{- define "exeunt.labels" -}}
app.kubernetes.io/name: exeunt
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ include "exeunt.version" . | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end }}

{{/* The namespaces as a JSON list: those that were named, or the release's own. */}}
{{- define "exeunt.namespaces" -}}
{{ .Values.namespaces | default (list .Release.Namespace) | uniq | toJson }}
{{- end }}

{{/* An image by its digest, or else by its tag: of values such as .Values.agent.image. */}}
{{- define "exeunt.image" -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default (include "exeunt.version" .) }}{{ end }}
{{- end }}
