{{/*
Refuses to install a second plugin in a namespace. This needs a live cluster: `helm template` and a client-side dry run find nothing and
refuse nothing.
*/}}
{{- define "exeunt.guard" -}}
{{- $root := . }}
{{- $ours := fromJsonArray (include "exeunt.namespaces" .) }}
{{- range $namespace := concat $ours .Values.guard.namespaces | uniq }}
{{- range $kind := list "WasmPlugin" "TrafficExtension" }}
{{- /* Istio before 1.30 has no TrafficExtension, and looking up an unknown kind is an error. */}}
{{- if $root.Capabilities.APIVersions.Has (printf "extensions.istio.io/v1alpha1/%s" $kind) }}
{{- range $found := (lookup "extensions.istio.io/v1alpha1" $kind $namespace "").items }}
{{- include "exeunt.guardOne" (dict "root" $root "found" $found "kind" $kind "namespace" $namespace) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Fails if an existing plugin is exeunt's and belongs to another release. */}}
{{- define "exeunt.guardOne" -}}
{{- $metadata := .found.metadata }}
{{- $selected := dig "spec" "selector" "matchLabels" dict .found }}
{{- if or (eq $metadata.name "exeunt") (hasKey $selected "exeunt.dev/drain") }}
{{- $annotations := $metadata.annotations | default dict }}
{{- $release := get $annotations "meta.helm.sh/release-name" }}
{{- $home := get $annotations "meta.helm.sh/release-namespace" }}
{{- if not (and (eq $release .root.Release.Name) (eq $home .root.Release.Namespace)) }}
{{- $owner := ternary (printf "the release %s of the namespace %s" $release $home) "no release of Helm's" (ne $release "") }}
{{- fail (printf "\n\n%s %s in the namespace %s is a plugin of exeunt's already, and belongs to %s. Two plugins would be two filters on one listener: remove it first, or leave that namespace out of `namespaces`, or set guard.enabled=false.\n" .kind $metadata.name .namespace $owner) }}
{{- end }}
{{- end }}
{{- end }}
