{{/*
The parts of a pod with exeunt, for a chart that has this one as a dependency. Each takes a dict:

  proxy          native (the default: istio-proxy is a native sidecar, Istio 1.24 and newer) or classic (a regular container)
  placement      of the agent: native (the default: first of initContainers, Kubernetes 1.29 and newer) or regular (first of containers)
  gracePeriod    the pod's terminationGracePeriodSeconds as a duration, such as 60s, if it is not 30
  image          values such as those of agent.image, if the image is not the published one
  port           the signal listener's port, if it is not 15190
  uid            the agent's user, if it is not 15190: one that no other container has; or none: that of the image, or the one that the
                 cluster assigns
  resources      the agent's requests and limits, if they are not the usual ones; an empty dict: none
  arguments      more arguments for the agent, such as (list "--drain-timeout" "10m")
  probes         its startupProbe, livenessProbe and readinessProbe, as in a container
  route          as in the values. With another one than annotation the pod gets no signal listener by an annotation
  module         of the plugin, as a file of istio-proxy: configMap, image (the agent's image as a volume), or none (the default)

If both are native, kubelet tells the agent when the task has ended. Otherwise the agent watches the processes of the main containers: the pod
needs exeunt.podSharing in its spec and the volume, and the dict has more fields:

  restartPolicy     the pod's restartPolicy: Never or OnFailure. An agent that is not told finds it out, but waits ten seconds after a failure
  container         the main containers, whose end is the end of the task: a name or a list. Without it these are all regular containers but
                    istio-proxy and known helpers that never end
  restartPolicies   for main containers with a restartPolicy of their own: a map from their names to it
  restartRules      the same for their restartPolicyRules
  shareProcesses    always (the default), unless-root (kubelet then starts no container of the pod as root), or never: a pod that would have to
                    share its processes is not rendered
  defaultContainer  regular placement: the container that kubectl uses without -c. Without it the first of `container`
*/}}
{{- define "exeunt.agentContainer" -}}
{{- $image := include "exeunt.agentImage" . | fromYaml }}
{{- $placement := .placement | default "native" }}
{{- if not (has $placement (list "native" "regular")) }}
{{- fail (printf "exeunt.agentContainer: placement: %q is not allowed: must be native or regular" $placement) }}
{{- end }}
{{- $watches := include "exeunt.watches" . }}
{{- $uid := .uid | default 15190 }}
{{- $uid = kindIs "string" $uid | ternary $uid (int64 $uid | toString) }}
{{- if or (not (regexMatch "^(none|[1-9][0-9]{0,9})$" $uid)) (eq $uid "1337") (gt (int64 $uid) 2147483647) }}
{{- fail (printf "exeunt.agentContainer: uid: %q is not allowed: must be none or a user id, 1 to 2147483647, but not 1337, which is Istio's" $uid) }}
{{- end }}
{{- $policy := .restartPolicy | default "" }}
{{- if not (has $policy (list "" "Never" "OnFailure")) }}
{{- fail (printf "exeunt.agentContainer: restartPolicy: %q is not allowed: must be Never or OnFailure" $policy) }}
{{- end }}
{{- range $name, $own := .restartPolicies }}
{{- if not (has $own (list "Never" "OnFailure" "Always")) }}
{{- fail (printf "exeunt.agentContainer: restartPolicies: %s: %q is not allowed: must be Never, OnFailure or Always" $name $own) }}
{{- end }}
{{- end -}}
- name: exeunt
  image: {{ include "exeunt.image" $image | quote }}
  {{- with $image.pullPolicy }}
  imagePullPolicy: {{ . }}
  {{- end }}
  {{- if eq $placement "native" }}
  restartPolicy: Always
  {{- end }}
  {{- if or $watches .gracePeriod .port .arguments }}
  args:
    - watch
    {{- if $watches }}
    {{- range fromJsonArray (include "exeunt.mainContainers" .) }}
    - --container
    - {{ . | quote }}
    {{- end }}
    - --placement
    - {{ $placement }}
    {{- with $policy }}
    - --restart-policy
    - {{ . }}
    {{- end }}
    {{- range $name, $own := .restartPolicies }}
    - --restart-policy
    - {{ printf "%s=%s" $name $own | quote }}
    {{- end }}
    {{- range $name, $rules := .restartRules }}
    - --restart-rules
    - {{ printf "%s=%s" $name (toJson $rules) | quote }}
    {{- end }}
    - --state-dir
    - /run/exeunt
    {{- end }}
    {{- with .gracePeriod }}
    - --grace-period
    - {{ . | quote }}
    {{- end }}
    {{- with .port }}
    - --signal-port
    - {{ . | quote }}
    {{- end }}
    {{- range .arguments }}
    - {{ . | quote }}
    {{- end }}
  {{- end }}
  {{- if $watches }}
  env:
    - name: EXEUNT_ISTIO_STATUS
      valueFrom:
        fieldRef:
          fieldPath: metadata.annotations['sidecar.istio.io/status']
  volumeMounts:
    - name: exeunt
      mountPath: /run/exeunt
  {{- end }}
  securityContext:
    {{- if ne $uid "none" }}
    runAsUser: {{ $uid }}
    runAsGroup: {{ $uid }}
    {{- end }}
    runAsNonRoot: true
    readOnlyRootFilesystem: true
    allowPrivilegeEscalation: false
    capabilities:
      drop: [ALL]
    seccompProfile:
      type: RuntimeDefault
  {{- if not (hasKey . "resources") }}
  resources:
    requests:
      cpu: 10m
      memory: 16Mi
    limits:
      memory: 16Mi
  {{- else if .resources }}
  resources:
    {{- toYaml .resources | nindent 4 }}
  {{- end }}
  {{- range $name, $probe := .probes }}
  {{- if not (has $name (list "startupProbe" "livenessProbe" "readinessProbe")) }}
  {{- fail (printf "exeunt.agentContainer: probes: %q is not allowed: must be startupProbe, livenessProbe or readinessProbe" $name) }}
  {{- end }}
  {{ $name }}:
    {{- toYaml $probe | nindent 4 }}
  {{- end }}
{{- end }}

{{/* An entry of the pod's volumes, for an agent that watches processes. */}}
{{- define "exeunt.agentVolume" -}}
- name: exeunt
  emptyDir:
    sizeLimit: 1Mi
{{- end }}

{{/*
Fields of the pod's spec: where the agent watches processes, the containers share them. With unless-root kubelet refuses to start a container
as root, because root could read the environment, the files and the memory of the others.
*/}}
{{- define "exeunt.podSharing" -}}
{{- if include "exeunt.watches" . -}}
shareProcessNamespace: true
{{- if eq (.shareProcesses | default "always") "unless-root" }}
securityContext:
  runAsNonRoot: true
{{- end }}
{{- end }}
{{- end }}

{{/* The pod template's annotations: the form of the proxy, the signal listener, and the plugin's module. */}}
{{- define "exeunt.podAnnotations" -}}
{{ include "exeunt.annotationLines" . | trim }}
{{- end }}

{{- define "exeunt.annotationLines" }}
{{- $watches := include "exeunt.watches" . -}}
{{- if not $watches }}
sidecar.istio.io/nativeSidecar: "true"
{{- end }}
{{- if eq (.route | default "annotation") "annotation" }}
proxy.istio.io/config: |
  proxyMetadata:
    ISTIO_META_HTTP_PROXY_PORT: {{ .port | default 15190 | toString | quote }}
{{- if $watches }}
    EXIT_ON_ZERO_ACTIVE_CONNECTIONS: "true"
{{- end }}
{{- end }}
{{- with include "exeunt.moduleVolume" . }}
sidecar.istio.io/userVolume: {{ squote . }}
sidecar.istio.io/userVolumeMount: '{"exeunt-module":{"mountPath":"/etc/exeunt","readOnly":true}}'
{{- end }}
{{- if eq (.placement | default "native") "regular" }}
{{- $default := .defaultContainer | default (fromJsonArray (include "exeunt.mainContainers" .) | first) }}
{{- if not $default }}
{{- fail "exeunt.podAnnotations: defaultContainer: must name a container of the pod: Istio would choose the first one, which is the agent" }}
{{- end }}
kubectl.kubernetes.io/default-container: {{ $default | quote }}
{{- end }}
{{- end }}

{{/* true if the agent watches processes, and nothing if kubelet tells it when the task has ended. */}}
{{- define "exeunt.watches" -}}
{{- $proxy := .proxy | default "native" }}
{{- if not (has $proxy (list "native" "classic")) }}
{{- fail (printf "exeunt: proxy: %q is not allowed: must be native or classic" $proxy) }}
{{- end }}
{{- $share := .shareProcesses | default "always" }}
{{- if not (has $share (list "always" "unless-root" "never")) }}
{{- fail (printf "exeunt: shareProcesses: %q is not allowed: must be always, unless-root or never" $share) }}
{{- end }}
{{- $watches := or (eq $proxy "classic") (eq (.placement | default "native") "regular") }}
{{- if and $watches (eq $share "never") }}
{{- fail "exeunt: shareProcesses is never: must be always or unless-root, or proxy and placement must be native: the agent must see the task" }}
{{- end }}
{{- if $watches }}true{{ end }}
{{- end }}

{{/* `container` as a JSON list: it is one name, a list of them, or absent. */}}
{{- define "exeunt.mainContainers" -}}
{{- kindIs "slice" .container | ternary .container (list .container) | compact | toJson }}
{{- end }}

{{/* The annotation sidecar.istio.io/userVolume, from which istio-proxy has the module; nothing if it has none. */}}
{{- define "exeunt.moduleVolume" -}}
{{- $module := .module | default "none" }}
{{- if not (has $module (list "none" "configMap" "image")) }}
{{- fail (printf "exeunt.podAnnotations: module: %q is not allowed: must be none, configMap or image" $module) }}
{{- end }}
{{- if eq $module "configMap" -}}
{"exeunt-module":{"configMap":{"name":"exeunt-module","optional":true}}}
{{- else if eq $module "image" -}}
{{- $image := include "exeunt.agentImage" . | fromYaml }}
{{- $volume := dict "reference" (include "exeunt.image" $image) }}
{{- with $image.pullPolicy }}{{ $_ := set $volume "pullPolicy" . }}{{ end }}
{{- dict "exeunt-module" (dict "image" $volume) | toJson }}
{{- end }}
{{- end }}

{{/* The agent's image: that of the dict, or the published one. */}}
{{- define "exeunt.agentImage" -}}
{{ .image | default (dict "repository" "ghcr.io/exeunt-dev/exeunt-agent") | toYaml }}
{{- end }}
