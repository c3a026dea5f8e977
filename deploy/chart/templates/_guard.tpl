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

{{/* Refuses a source of the module that cannot work here. */}}
{{- define "exeunt.guardSource" -}}
{{- $version := .Capabilities.KubeVersion.Version }}
{{- $used := or .Values.plugin.enabled (ne .Values.inject "none") }}
{{- if and $used (eq .Values.plugin.source "imageVolume") }}
{{- if semverCompare "<1.35.0-0" $version }}
{{- fail (printf "\n\nplugin.source: imageVolume is not allowed with Kubernetes %s: must be oci or configMap. Kubernetes has image volumes from 1.35\n" $version) }}
{{- end }}
{{- if .Values.guard.enabled }}{{ include "exeunt.guardNodes" . }}{{ end }}
{{- end }}
{{- if and .Values.plugin.enabled (eq .Values.plugin.source "configMap") .Values.plugin.configMap.create }}
{{- if not (.Files.Get "plugin.wasm") }}
{{- fail "\n\nplugin.source: configMap needs the module in the chart, as the published chart has it, and deploy/chart/plugin.wasm is not there. In a checkout run: ./build.sh wasm && cp target/exeunt.wasm deploy/chart/plugin.wasm\n" }}
{{- end }}
{{- /* Helm keeps a release in one Secret, which Kubernetes limits to 1 MiB. The chart's own copy of the module takes room, too. */}}
{{- $namespaces := fromJsonArray (include "exeunt.moduleNamespaces" .) }}
{{- if gt (len $namespaces) 6 }}
{{- fail (printf "\n\nnamespaces: %d are not allowed with plugin.source configMap: must be at most 6, because Helm keeps all copies of the module in one Secret. Set plugin.configMap.create=false and put exeunt-module into the namespaces yourself: the chart's README has the command. Or use plugin.source imageVolume, or inject kyverno, whose policy copies it\n" (len $namespaces)) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Refuses image volumes where a node cannot mount them: no container that mounts one starts there. This needs a live cluster, too. */}}
{{- define "exeunt.guardNodes" -}}
{{- range $node := (lookup "v1" "Node" "" "").items }}
{{- $runtime := $node.status.nodeInfo.containerRuntimeVersion }}
{{- /* Distributions add signs of their own, such as 1.6.20~ds1. */}}
{{- $version := regexFind "^containerd://v?[0-9]+[.][0-9]+" $runtime | regexFind "[0-9]+[.][0-9]+$" }}
{{- if and $version (semverCompare "<2.1" $version) }}
{{- fail (printf "\n\nplugin.source: imageVolume is not allowed here: the node %s has containerd %s, and image volumes need 2.1 or newer. No pod of yours would start there: must be oci or configMap. If those nodes run no Job, set guard.enabled=false\n" $node.metadata.name $version) }}
{{- end }}
{{- end }}
{{- end }}

{{/*
Refuses a request above its limit: the API server takes no pod with such a container, so no Job would run. And a limit of memory
with which CRI-O starts no container.
*/}}
{{- define "exeunt.guardResources" -}}
{{- $resources := .Values.agent.resources | default dict }}
{{- range $name, $limit := $resources.limits }}
{{- $request := get ($resources.requests | default dict) $name }}
{{- if and $request (gt (include "exeunt.amount" $request | float64) (include "exeunt.amount" $limit | float64)) }}
{{- fail (printf "\n\nagent.resources.requests.%s: %v is not allowed: must be at most the limit, %v\n" $name $request $limit) }}
{{- end }}
{{- end }}
{{- with get ($resources.limits | default dict) "memory" }}
{{- if lt (include "exeunt.amount" . | float64) 12582912.0 }}
{{- fail (printf "\n\nagent.resources.limits.memory: %v is not allowed: must be at least 12Mi, or CRI-O starts no container\n" .) }}
{{- end }}
{{- end }}
{{- end }}

{{/* A quantity as a number, such as 0.01 of 10m. */}}
{{- define "exeunt.amount" -}}
{{- $number := toString . | regexFind "^[0-9.]+([eE][-+]?[0-9]+)?" }}
{{- $factors := dict "" 1 "n" 1e-9 "u" 1e-6 "m" 1e-3 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 "Ki" 1024 "Mi" 1048576
      "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 "Ei" 1152921504606846976 }}
{{- mulf (float64 $number) (get $factors (toString . | trimPrefix $number)) }}
{{- end }}
