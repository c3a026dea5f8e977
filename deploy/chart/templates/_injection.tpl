{{/*
The injection template with the options of the values. injection-template.tpl is a copy of deploy/istio/template.tpl. Each option is one line of
it, which is written anew.
*/}}
{{- define "exeunt.injectionTemplate" -}}
{{- $agent := .Values.agent }}
{{- $pods := .Values.pods }}
{{- $port := int64 .Values.plugin.config.signal.port | toString }}
{{- /* A ProxyConfig selects the pods by the label, which a Job's pod gets only now. So the template gives it the listener. */}}
{{- $signalPort := has .Values.route (list "annotation" "proxyConfig") | ternary $port "" }}
{{- /* Of the address of a ServiceEntry the agent is told the port alone. */}}
{{- $ofAgent := eq .Values.route "serviceEntry" | ternary (list "--signal-port" $port) list }}
{{- $options := dict
  "image" (include "exeunt.image" $agent.image)
  "pullPolicy" ($agent.image.pullPolicy | default "")
  "select" $pods.select
  "signalPort" $signalPort
  "placement" $pods.placement
  "uid" (kindIs "string" $agent.uid | ternary $agent.uid (int64 $agent.uid | toString))
  "shareProcesses" $pods.shareProcesses
  "resources" ($agent.resources | default dict)
  "gracePeriod" (eq (int64 $pods.gracePeriod) 0 | ternary "" (int64 $pods.gracePeriod | toString))
  "labels" ($pods.labels | default dict)
  "probes" ($agent.probes | default dict)
  "module" (include "exeunt.moduleOption" .)
  "arguments" ($agent.arguments | default list | concat $ofAgent)
  "helpers" $pods.helpers }}
{{- $text := .Files.Get "injection-template.tpl" }}
{{- range $name, $value := $options }}
{{- $line := printf "(?m)^\\{\\{- \\$%s := .*\\}\\}$" $name }}
{{- if ne (len (regexFindAll $line $text -1)) 1 }}
{{- fail (printf "injection-template.tpl must have one line for the option %s" $name) }}
{{- end }}
{{- $text = regexReplaceAllLiteral $line $text (printf "{{- $%s := %s }}" $name (include "exeunt.literal" $value)) }}
{{- end }}
{{- $text | trimSuffix "\n" }}
{{- end }}

{{/* A value as an expression of Go's templates. */}}
{{- define "exeunt.literal" -}}
{{- if kindIs "map" . }}dict
{{- range $key, $value := . }} {{ toRawJson $key }} {{ include "exeunt.operand" $value }}{{ end }}
{{- else if kindIs "slice" . }}list
{{- range . }} {{ include "exeunt.operand" . }}{{ end }}
{{- else }}{{ toRawJson . }}
{{- end }}
{{- end }}

{{/* The same in the place of an argument: a list or a map is in parentheses. */}}
{{- define "exeunt.operand" -}}
{{- $text := include "exeunt.literal" . }}
{{- or (kindIs "map" .) (kindIs "slice" .) | ternary (printf "(%s)" $text) $text }}
{{- end }}
