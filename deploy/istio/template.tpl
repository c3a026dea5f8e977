{{- /*
The injection template of exeunt, for Istio 1.24 and newer. With it Istio's own injector gives the agent to every pod of a Job or
CronJob, and to every other pod with the label exeunt.dev/drain: "on". Nobody changes a workload. README.md beside this file says
how to install it.

values.yaml, istio-operator.yaml and sail.yaml contain this text. Change an option in your copy of one of them.
*/}}

{{- /* The agent's image. */}}
{{- $image := "ghcr.io/exeunt-dev/exeunt-agent:0.1.0" }}

{{- /* Its pull policy: Always, IfNotPresent or Never. Empty: kubelet's own default. */}}
{{- $pullPolicy := "" }}

{{- /* Which pods: "jobs" is every pod of a Job or CronJob that nobody has opted out. "labelled" is those that ask for it. */}}
{{- $select := "jobs" }}

{{- /* The port of the signal listener, which the proxy gets for the plugin. Empty: no listener, if you have no plugin. */}}
{{- $signalPort := "15190" }}

{{- /* Kubernetes before 1.29 has no native sidecars. There say "regular": the agent is then the first regular container. */}}
{{- $placement := "native" }}

{{- /* The agent's user and group. "none": those of the image, or those that the cluster assigns, as OpenShift does. */}}
{{- $uid := "15190" }}

{{- /* Which pods share their processes beside a classic proxy: "always", "unless-root" (nothing runs as root) or "never". */}}
{{- $shareProcesses := "always" }}

{{- /* Its requests and limits. Empty, dict: none. */}}
{{- $resources := dict "requests" (dict "cpu" "10m" "memory" "16Mi") "limits" (dict "memory" "16Mi") }}

{{- /* Pods beside native proxies get a grace period of at least so many seconds. Empty: they keep their own. */}}
{{- $gracePeriod := "" }}

{{- /* More labels for the pods that get the agent. A label that a pod has already stays as it is. */}}
{{- $labels := dict }}

{{- /* The agent's startupProbe, livenessProbe and readinessProbe, as Kubernetes writes them. Empty, dict: none. */}}
{{- $probes := dict }}

{{- /* The plugin's module as a file of istio-proxy: "configMap", "image" (the agent's image as a volume) or "none". */}}
{{- $module := "none" }}

{{- /* More arguments for every agent, such as "--drain-timeout" "10m". */}}
{{- $arguments := list }}

{{- /* Helpers beside a classic proxy that never end by themselves, and that never are the task. */}}
{{- $helpers := list "airflow-xcom-sidecar" "vault-agent" "cloud-sql-proxy" "daprd" "linkerd-proxy" "consul-dataplane" }}

{{- /* A number may also be written without quotes. */}}
{{- $signalPort = toString $signalPort }}
{{- $uid = toString $uid }}

{{- /* As the API server has it: a field that this Istio does not know is absent, instead of an error. */}}
{{- $spec := .Spec | toJson | fromJson }}
{{- $containers := $spec.containers | default list }}
{{- $initContainers := $spec.initContainers | default list }}
{{- $annotations := .ObjectMeta.Annotations }}
{{- $proxyMetadata := .ProxyConfig.ProxyMetadata }}

{{- /* 1. Is it a pod for the agent? Its label decides; for a Job then EXEUNT_DRAIN, which a ProxyConfig sets; then $select. */}}
{{- $drain := index .ObjectMeta.Labels "exeunt.dev/drain" }}
{{- $isSaid := isset .ObjectMeta.Labels "exeunt.dev/drain" }}
{{- if and (not $isSaid) (has .TypeMeta.Kind (list "Job" "CronJob")) (hasPrefix "batch/" .TypeMeta.APIVersion) }}
{{- $drain = index $proxyMetadata "EXEUNT_DRAIN" | default (ternary "off" "on" (eq $select "labelled")) }}
{{- end }}
{{- $isThere := false }}
{{- range concat $initContainers $containers }}
{{- $isThere = or $isThere (eq .name "exeunt") (regexMatch "(^|/)exeunt-agent([:@]|$)" (.image | default "")) }}
{{- end }}
{{- $nodes := $spec.nodeSelector | default dict }}
{{- $system := ($spec.os | default dict).name | default (index $nodes "kubernetes.io/os") | default "linux" }}
{{- if and (or $drain $isSaid) (ne $drain "off") (not $isThere) (eq $system "linux") }}

{{- /* 2. The form of the proxy, as Istio's own template `sidecar` decides it. It has another rule since Istio 1.27. */}}
{{- $native := false }}
{{- $known := . | toJson | fromJson | default dict }}
{{- if hasKey $known "NativeSidecars" }}
{{- $native = ne (index $annotations "sidecar.istio.io/nativeSidecar" | default (printf "%t" .NativeSidecars)) "false" }}
{{- else if isset $annotations "sidecar.istio.io/nativeSidecar" }}
{{- $native = eq (index $annotations "sidecar.istio.io/nativeSidecar") "true" }}
{{- else }}
{{- $native = eq (env "ENABLE_NATIVE_SIDECARS" "false") "true" }}
{{- end }}

{{- /* 3. What the pod says of its helpers, the containers beside the task. The agent reads these lists itself. */}}
{{- $told := dict }}
{{- range $variable, $annotation := dict
    "EXEUNT_ALSO_WAIT" "exeunt.dev/also-wait"
    "EXEUNT_QUIT_ENDPOINT" "exeunt.dev/quit-endpoints"
    "EXEUNT_QUIT_SIGNAL" "exeunt.dev/quit-signals" }}
{{- $text := index $annotations $annotation }}
{{- if $text }}{{ $told = set $told $variable $text }}{{ end }}
{{- end }}

{{- /* Beside a classic proxy the agent must see the main containers: their names, and when kubelet restarts them. So it must
wherever it ends a helper: kubelet would tell the end of the task only after that of the helper. */}}
{{- $ends := or (hasKey $told "EXEUNT_QUIT_ENDPOINT") (hasKey $told "EXEUNT_QUIT_SIGNAL") }}
{{- $watches := or (not $native) $ends }}
{{- $regular := and (not $native) (eq $placement "regular") }}
{{- $remedy := ternary "leave out exeunt.dev/quit-endpoints and exeunt.dev/quit-signals" "make the proxy native" $native }}
{{- $names := list }}
{{- range $containers }}{{ $names = append $names .name }}{{ end }}
{{- $main := list }}
{{- $unknown := "" }}
{{- range splitList "," (index $annotations "exeunt.dev/container") }}
{{- $name := trim . }}
{{- if $name }}{{ $main = append $main $name }}{{ end }}
{{- if not (has $name (append $names "")) }}{{ $unknown = $unknown | default $name }}{{ end }}
{{- end }}
{{- if not $main }}
{{- range $containers }}
{{- if not (has .name (append $helpers "istio-proxy")) }}{{ $main = append $main .name }}{{ end }}
{{- end }}
{{- end }}
{{- /* Containers with a restartPolicy of their own can have restartPolicyRules. Istio before 1.28 does not know that field. */}}
{{- $policies := list }}
{{- range $containers }}
{{- if and (has .name $main) .restartPolicy }}{{ $policies = append $policies .name }}{{ end }}
{{- end }}
{{- $knowsRules := contains "RestartPolicyRules:" (printf "%+v" .Spec.Containers) }}
{{- /* A volume of another kind with the agent's name. Its own is there if the pod is injected a second time. */}}
{{- $hasVolume := false }}
{{- $volume := dict "name" "exeunt" "emptyDir" (dict "sizeLimit" "1Mi") }}
{{- range $spec.volumes | default list }}
{{- $hasVolume = or $hasVolume (and (eq .name "exeunt") (ne (toJson .) (toJson $volume))) }}
{{- end }}

{{- /* The containers that run beside the task and that kubelet may start as root: nothing in the pod says that it may not. */}}
{{- $root := list }}
{{- $ofPod := $spec.securityContext | default dict }}
{{- range concat $containers $initContainers }}
{{- $own := .securityContext | default dict }}
{{- $nonRoot := ternary $own.runAsNonRoot $ofPod.runAsNonRoot (hasKey $own "runAsNonRoot") }}
{{- $runAs := ternary $own.runAsUser $ofPod.runAsUser (hasKey $own "runAsUser") }}
{{- $beside := or (has .name $names) (eq (.restartPolicy | default "") "Always") }}
{{- if and $beside (ne .name "istio-proxy") (not $nonRoot) (not $runAs) }}{{ $root = append $root .name }}{{ end }}
{{- end }}

{{- /* 4. The plugin's module. A pod that mounts another thing in its place keeps that. */}}
{{- $isImage := eq $module "image" }}
{{- $kind := ternary "image" "configMap" $isImage }}
{{- $source := ternary (dict "reference" $image) (dict "name" "exeunt-module" "optional" true) $isImage }}
{{- if and $isImage $pullPolicy }}{{ $source = set $source "pullPolicy" $pullPolicy }}{{ end }}
{{- $mounts := ne $module "none" }}
{{- range list "sidecar.istio.io/userVolume" "sidecar.istio.io/userVolumeMount" }}
{{- if regexMatch "exeunt-module|/etc/exeunt" (index $annotations .) }}{{ $mounts = false }}{{ end }}
{{- end }}
{{- range $spec.volumes | default list }}
{{- if eq .name "exeunt-module" }}
{{- $found := index . $kind | default dict }}
{{- /* The API server has added its defaults if the pod is injected a second time. */}}
{{- range $key, $value := $source }}
{{- $mounts = and $mounts (eq (toJson (index $found $key)) (toJson $value)) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* 5. A mistake in an option would keep every pod from being created. */}}
{{- $mistake := "" }}
{{- range $option, $one := dict
    "image" (list $image "([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9/._-]+(:[A-Za-z0-9_.-]+)?(@sha256:[0-9a-f]{64})?" "an image")
    "pullPolicy" (list $pullPolicy "|Always|IfNotPresent|Never" "Always, IfNotPresent, Never or empty")
    "select" (list $select "jobs|labelled" "jobs or labelled")
    "signalPort" (list $signalPort "|[1-9][0-9]{0,4}" "a port or empty")
    "placement" (list $placement "native|regular" "native or regular")
    "uid" (list $uid "none|[1-9][0-9]{0,9}" "a number or none")
    "shareProcesses" (list $shareProcesses "always|unless-root|never" "always, unless-root or never")
    "gracePeriod" (list $gracePeriod "|[0-9]{1,9}" "a number of seconds or empty")
    "module" (list $module "none|configMap|image" "none, configMap or image") }}
{{- $value := first $one | toString }}
{{- if not (regexMatch (printf "^(%s)$" (index $one 1)) $value) }}
{{- $mistake = printf "the option %s of the injection template is %q: must be %s" $option $value (last $one) }}
{{- end }}
{{- end }}
{{- $word := "[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?" }}
{{- $part := "[a-z0-9]([a-z0-9-]*[a-z0-9])?" }}
{{- range $name, $value := $labels }}
{{- $label := printf "%s=%s" $name (toString $value) }}
{{- if not (regexMatch (printf "^(%s([.]%s)*/)?%s=(%s)?$" $part $part $word $word) $label) }}
{{- $mistake = printf "the option labels of the injection template has %q: must be a label" $label }}
{{- end }}
{{- end }}
{{- range $set, $quantities := $resources }}
{{- range $name, $value := $quantities }}
{{- /* Kubernetes takes 16m of memory, which is less than a byte. No container would start. */}}
{{- $units := ternary "[num]|" "" (eq $name "cpu") | printf "%sk|Ki|[MGTPE]i?|[eE][-+]?[0-9]+" }}
{{- if not (regexMatch (printf "^([0-9]+([.][0-9]*)?|[.][0-9]+)(%s)?$" $units) (toString $value)) }}
{{- $mistake = printf "the option resources of the injection template has %s %s=%v: must be a quantity" $set $name $value }}
{{- end }}
{{- end }}
{{- end }}

{{- /* 6. Why this pod cannot have the agent. It stays as Istio makes it, and gets the reason as an annotation. */}}
{{- $restartPolicy := $spec.restartPolicy | default "Always" }}
{{- $port := index $proxyMetadata "ISTIO_META_HTTP_PROXY_PORT" }}
{{- $skipped := "" }}
{{- if $mistake }}
{{- $skipped = $mistake }}
{{- else if not $known }}
{{- $skipped = "this Istio does not tell the form of the proxy" }}
{{- else if ne $drain "on" }}
{{- $skipped = printf "exeunt.dev/drain is %q: must be on or off" $drain }}
{{- else if not (has $restartPolicy (list "Never" "OnFailure")) }}
{{- $skipped = printf "its restartPolicy is %s, so it never ends" $restartPolicy }}
{{- else if and $signalPort $port (ne $port $signalPort) }}
{{- $skipped = printf "ISTIO_META_HTTP_PROXY_PORT is %s: must be %s, or absent" $port $signalPort }}
{{- else if $watches }}
{{- if isset .ObjectMeta.Labels "workflows.argoproj.io/workflow" }}
{{- $skipped = printf "Argo needs a process namespace for each container: %s" $remedy }}
{{- else if $spec.hostPID }}
{{- $skipped = printf "it uses the process namespace of its node, so it cannot have one of its own: %s" $remedy }}
{{- else if and (hasKey $spec "shareProcessNamespace") (not $spec.shareProcessNamespace) }}
{{- $skipped = printf "shareProcessNamespace is false, so the agent could not see the main containers: %s" $remedy }}
{{- else if $hasVolume }}
{{- $skipped = "it has a volume named exeunt, but no container of that name" }}
{{- else if and $policies (not $knowsRules) }}
{{- $skipped = printf "this Istio does not show the restartPolicyRules of %s: %s" (join ", " $policies) $remedy }}
{{- else if eq $shareProcesses "never" }}
{{- $skipped = printf "shareProcesses is never, and the agent must see the task: %s" $remedy }}
{{- else if and (ne $shareProcesses "always") $root }}
{{- $skipped = printf "shareProcesses is %s, and %s may run as root: %s" $shareProcesses (join ", " $root) $remedy }}
{{- else if $unknown }}
{{- $skipped = printf "exeunt.dev/container names %q: the pod has no such container" $unknown }}
{{- else if not $main }}
{{- $skipped = "it has no main container, whose end is the end of the task" }}
{{- end }}
{{- end }}

{{- /* 7. The grace period: kubelet sends SIGTERM to the agent at its beginning, and SIGKILL at its end. */}}
{{- $seconds := ternary $spec.terminationGracePeriodSeconds 30 (hasKey $spec "terminationGracePeriodSeconds") | int }}
{{- $raised := and $native $gracePeriod (gt (int $gracePeriod) $seconds) }}
{{- if $raised }}{{ $seconds = int $gracePeriod }}{{ end }}

{{- if $skipped }}
metadata:
  annotations:
    exeunt.dev/skipped: {{ $skipped | quote }}
{{- else }}
metadata:
  labels:
    exeunt.dev/drain: "on"
    {{- range $name, $value := $labels }}
    {{- if not (or (eq $name "exeunt.dev/drain") (isset $.ObjectMeta.Labels $name)) }}
    {{ $name | quote }}: {{ $value | toString | quote }}
    {{- end }}
    {{- end }}
spec:
  {{- if $raised }}
  terminationGracePeriodSeconds: {{ $seconds }}
  {{- end }}
  {{- if $watches }}
  shareProcessNamespace: true
  {{- end }}
  {{- if or $watches $mounts }}
  volumes:
  {{- if $watches }}
  - {{ toJson $volume }}
  {{- end }}
  {{- if $mounts }}
  - {{ dict "name" "exeunt-module" $kind $source | toJson }}
  {{- end }}
  {{- end }}
  {{- /* The merge puts a new container in front of all others. The injector then moves a native proxy in front of the agent. */}}
  {{ ternary "containers" "initContainers" $regular }}:
  - name: exeunt
    image: {{ $image | quote }}
    {{- with $pullPolicy }}
    imagePullPolicy: {{ . }}
    {{- end }}
    {{- if not $regular }}
    restartPolicy: Always
    {{- end }}
    args:
    - watch
    {{- if $watches }}
    {{- range $main }}
    - --container
    - {{ . | quote }}
    {{- end }}
    {{- end }}
    - --placement
    - {{ ternary "regular" "native" $regular }}
    {{- if $watches }}
    - --restart-policy
    - {{ $restartPolicy }}
    {{- range $containers }}
    {{- if has .name $main }}
    {{- if .restartPolicy }}
    - --restart-policy
    - {{ printf "%s=%s" .name .restartPolicy | quote }}
    {{- end }}
    {{- if .restartPolicyRules }}
    - --restart-rules
    - {{ printf "%s=%s" .name (.restartPolicyRules | toJson) | quote }}
    {{- end }}
    {{- end }}
    {{- end }}
    - --state-dir
    - /run/exeunt
    {{- end }}
    {{- /* The agent counts on 30 seconds if it is told nothing, and takes a duration between a second and a day. */}}
    {{- if ne $seconds 30 }}
    - --grace-period
    - {{ $seconds | max 1 | min 86400 }}s
    {{- end }}
    {{- if and $signalPort (ne $signalPort "15190") }}
    - --signal-port
    - {{ $signalPort | quote }}
    {{- end }}
    {{- range $arguments }}
    - {{ . | quote }}
    {{- end }}
    {{- if $watches }}
    env:
    - name: EXEUNT_ISTIO_STATUS
      valueFrom:
        fieldRef:
          fieldPath: metadata.annotations['sidecar.istio.io/status']
    {{- range $name, $value := $told }}
    - name: {{ $name }}
      value: {{ $value | quote }}
    {{- end }}
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
      capabilities: {drop: [ALL]}
      seccompProfile: {type: RuntimeDefault}
    {{- range $probe := list "startupProbe" "livenessProbe" "readinessProbe" }}
    {{- with index $probes $probe }}
    {{ $probe }}: {{ toJson . }}
    {{- end }}
    {{- end }}
    {{- /* A pod can have resources as a whole. Its containers together may not ask for more, so the agent asks for nothing. */}}
    {{- if and $resources (not $spec.resources) }}
    resources: {{ toJson $resources }}
    {{- end }}
  {{- /* The proxy's own container, in the list where Istio has put it. In the other list it would be a second container. */}}
  {{- if or $signalPort (not $native) $mounts }}
  {{- if $native }}
  {{- /* The list was begun above. */}}
  {{- else if not $regular }}
  containers:
  {{- end }}
  - name: istio-proxy
    {{- if or $signalPort (not $native) }}
    env:
    {{- end }}
    {{- if $signalPort }}
    - name: ISTIO_META_HTTP_PROXY_PORT
      value: {{ $signalPort | quote }}
    {{- end }}
    {{- if and (not $native) (not (isset $proxyMetadata "EXIT_ON_ZERO_ACTIVE_CONNECTIONS")) }}
    - name: EXIT_ON_ZERO_ACTIVE_CONNECTIONS
      value: "true"
    {{- end }}
    {{- if $mounts }}
    volumeMounts:
    - name: exeunt-module
      mountPath: /etc/exeunt
      readOnly: true
    {{- end }}
  {{- end }}
{{- end }}
{{- end }}
