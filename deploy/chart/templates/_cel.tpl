{{/*
What a policy does to a pod, as CEL: which pods, the variables, and the patch. The MutatingAdmissionPolicy (policy.yaml) and Kyverno's
MutatingPolicy (kyverno.yaml) contain the same expressions, and make the same pod as the injection template of deploy/istio.

Each takes the chart's root. Kyverno's webhook comes after Istio's, because the API server calls them in the order of their names. So Kyverno
adds `injected` to the root: istio-proxy is in the pod, and the patch changes its container instead of the annotations that Istio reads.

Some rules for whoever changes an expression:

  A variable has no types of Kubernetes (Object.spec…), so containers are maps. A map with values of several types needs dyn().
  A list of Object.…{} as the value of a JSONPatch makes kube-apiserver 1.36 panic. Maps do not.
  A patch that no pod can be read from is refused for every pod, whatever failurePolicy says. So the schema checks what users write.
*/}}

{{/* Which pods are looked at. A pod that does not match stays as it is, and gets no reason. */}}
{{- define "exeunt.cel.matchConditions" -}}
# The pod's label decides; without one, whether a Job has made the pod.
- name: asked-for
  expression: |-
    object.metadata.?labels[?'exeunt.dev/drain'].orValue('') != ''
      ? object.metadata.labels['exeunt.dev/drain'] != 'off'
      : {{ if eq .Values.pods.select "labelled" }}false{{ else }}object.metadata.?ownerReferences.orValue([]).exists(owner,
          owner.kind == 'Job' && owner.apiVersion.startsWith('batch/') && owner.?controller.orValue(false)){{ end }}
- name: no-agent-yet
  expression: |-
    !(object.spec.containers + object.spec.?initContainers.orValue([])).exists(container, container.name == 'exeunt')
{{- if .injected }}
# Without a proxy there is nothing to end.
- name: injected
  expression: |-
    (object.spec.containers + object.spec.?initContainers.orValue([])).exists(container, container.name == 'istio-proxy')
{{- else }}
# Istio injects no other pods. It reads the label first, and the annotation only if there is no label.
- name: injected
  expression: |-
    !object.spec.?hostNetwork.orValue(false) &&
    !(object.metadata.?labels[?'sidecar.istio.io/inject'].orValue(
        object.metadata.?annotations[?'sidecar.istio.io/inject'].orValue('true')
      ) in ['false', 'False', 'FALSE', 'f', 'F', '0', 'n', 'no', 'off'])
{{- end }}
- name: linux
  expression: |-
    object.spec.?os.?name.orValue(object.spec.?nodeSelector[?'kubernetes.io/os'].orValue('linux')) == 'linux'
{{- end }}

{{/* What the patch needs to know of a pod. */}}
{{- define "exeunt.cel.variables" -}}
{{- $pods := .Values.pods }}
{{- $port := int64 .Values.plugin.config.signal.port }}
- name: annotations
  expression: object.metadata.?annotations.orValue({})
- name: initContainers
  expression: object.spec.?initContainers.orValue([])
# Beside a native proxy kubelet tells the agent when the task has ended. Beside any other it must see the processes of the main containers.
{{- if .injected }}
- name: native
  expression: variables.initContainers.exists(container, container.name == 'istio-proxy')
{{- else }}
- name: native
  expression: |-
    variables.annotations[?'sidecar.istio.io/nativeSidecar'].orValue(
      {{ if eq $pods.proxy "native" }}object.spec.containers.exists(container, container.name == 'istio-proxy') ? 'false' : 'true'{{ else }}'false'{{ end }}
    ) == 'true'
{{- end }}
- name: main
  expression: |-
    'exeunt.dev/container' in variables.annotations
      ? string(variables.annotations['exeunt.dev/container']).split(',').map(name, name.trim())
      : object.spec.containers.map(container, string(container.name)).filter(name,
          !(name in {{ include "exeunt.cel.value" (append $pods.helpers "istio-proxy") }}))
{{- if eq $pods.shareProcesses "unless-root" }}
# The containers that run beside the task and that kubelet may start as root: nothing in the pod says that it may not.
- name: root
  expression: |-
    (object.spec.containers + variables.initContainers.filter(container, container.?restartPolicy.orValue('') == 'Always'))
      .filter(container, container.name != 'istio-proxy' &&
        !container.?securityContext.?runAsNonRoot.orValue(object.spec.?securityContext.?runAsNonRoot.orValue(false)) &&
        container.?securityContext.?runAsUser.orValue(object.spec.?securityContext.?runAsUser.orValue(0)) == 0)
      .map(container, string(container.name))
{{- end }}
{{- if .injected }}
# Where istio-proxy is: the list, the place in it, and the container.
- name: proxies
  expression: "variables.native ? variables.initContainers : object.spec.containers"
- name: proxyPath
  expression: |-
    (variables.native ? '/spec/initContainers/' : '/spec/containers/') +
      string(variables.proxies.map(container, string(container.name)).indexOf('istio-proxy'))
- name: proxy
  expression: variables.proxies.filter(container, container.name == 'istio-proxy')[0]
# The port that the pod gives to the signal listener.
- name: ownPort
  expression: |-
    variables.proxy.?env.orValue([]).filter(variable, variable.name == 'ISTIO_META_HTTP_PROXY_PORT')
      .map(variable, string(variable.?value.orValue(''))).join(' ')
{{- else }}
# The pod's own configuration of its proxy, and the port that it gives to the signal listener.
- name: ownConfig
  expression: string(variables.annotations[?'proxy.istio.io/config'].orValue(''))
- name: ownPort
  expression: variables.ownConfig.find('ISTIO_META_HTTP_PROXY_PORT[^0-9A-Za-z]+[0-9]+').find('[0-9]+$')
{{- end }}
# Why a pod cannot have the agent. Such a pod gets nothing but this sentence, as an annotation.
- name: skipped
  expression: |-
    object.metadata.?labels[?'exeunt.dev/drain'].orValue('on') != 'on'
      ? 'exeunt.dev/drain is "' + string(object.metadata.labels['exeunt.dev/drain']) + '": must be on or off'
    : !(object.spec.?restartPolicy.orValue('Always') in ['Never', 'OnFailure'])
      ? 'its restartPolicy is ' + string(object.spec.?restartPolicy.orValue('Always')) + ', so it never ends'
    {{- if eq .Values.route "annotation" }}
    : !(variables.ownPort in ['', {{ $port | toString | squote }}])
      ? 'ISTIO_META_HTTP_PROXY_PORT is ' + variables.ownPort + ': must be {{ $port }}, or absent'
    {{- end }}
    : variables.native
      ? ''
    : object.metadata.?labels[?'workflows.argoproj.io/workflow'].hasValue()
      ? 'Argo needs a process namespace for each container: make the proxy native'
    : object.spec.?hostPID.orValue(false)
      ? 'it uses the process namespace of its node, so it cannot have one of its own: make the proxy native'
    : !object.spec.?shareProcessNamespace.orValue(true)
      ? 'shareProcessNamespace is false, so the agent could not see the main containers: make the proxy native'
    : object.spec.?volumes.orValue([]).exists(volume, volume.name == 'exeunt')
      ? 'it has a volume named exeunt, but no container of that name'
    {{- if eq $pods.shareProcesses "never" }}
    : true
      ? 'shareProcesses is never, and the agent must see the task: make the proxy native'
    {{- else if eq $pods.shareProcesses "unless-root" }}
    : variables.root != []
      ? 'shareProcesses is unless-root, and ' + variables.root.join(', ') + ' may run as root: make the proxy native'
    {{- end }}
    : variables.main == []
      ? 'it has no main container, whose end is the end of the task'
    : ''
# Kubelet sends SIGTERM to the agent at the beginning of the grace period, and SIGKILL at its end.
- name: ownSeconds
  expression: int(object.spec.?terminationGracePeriodSeconds.orValue(30))
- name: seconds
  expression: |-
    variables.native && {{ int64 $pods.gracePeriod }} > variables.ownSeconds ? {{ int64 $pods.gracePeriod }} : variables.ownSeconds
# The restart rules of a container as JSON.
- name: arguments
  expression: |-
    (
      'watch' +
      {{- if eq $pods.placement "regular" }}
      (variables.native ? '\n--placement\nnative' :
      {{- else }}
      (variables.native ? '\n--placement\nnative' :
      {{- end }}
        variables.main.map(name, '\n--container\n' + name).join('') +
        '\n--placement\n{{ $pods.placement }}\n--restart-policy\n' + string(object.spec.restartPolicy) +
        object.spec.containers.filter(container, container.name in variables.main).map(container,
          (has(container.restartPolicy) ? '\n--restart-policy\n' + string(container.name) + '=' + string(container.restartPolicy) : '') +
          (has(container.restartPolicyRules) ? '\n--restart-rules\n' + string(container.name) + '=[' +
            container.restartPolicyRules.map(rule, '{"action":"' + string(rule.action) + '"' +
              (has(rule.exitCodes) ? ',"exitCodes":{"operator":"' + string(rule.exitCodes.operator) + '","values":[' +
                rule.exitCodes.?values.orValue([]).map(code, string(code)).join(',') + ']}' : '') + '}').join(',') + ']' : '')
        ).join('') +
        '\n--state-dir\n/run/exeunt') +
      (variables.seconds == 30 ? '' : '\n--grace-period\n' +
        string(variables.seconds < 1 ? 1 : variables.seconds > 86400 ? 86400 : variables.seconds) + 's')
      {{- if ne $port 15190 }} + '\n--signal-port\n{{ $port }}'{{ end }}
    ).split('\n')
    {{- with .Values.agent.arguments }} + {{ include "exeunt.cel.strings" . }}{{ end }}
{{- if .injected }}
# Variables to add to istio-proxy: the signal listener's port, and for a classic proxy to wait for open connections when the pod is deleted.
- name: environment
  expression: |-
    (
      [{{ if eq .Values.route "annotation" }}['ISTIO_META_HTTP_PROXY_PORT', '{{ $port }}']{{ end }}] +
      (variables.native ? [] : [['EXIT_ON_ZERO_ACTIVE_CONNECTIONS', 'true']])
    ).filter(pair, !variables.proxy.?env.orValue([]).exists(variable, variable.name == pair[0]))
{{- else }}
# What the proxy is told: the signal listener's port, and for a classic proxy to wait for open connections when the pod is deleted.
- name: proxyMetadata
  expression: |-
    (
      {{- if eq .Values.route "annotation" -}}
      variables.ownPort == '' ? ['"ISTIO_META_HTTP_PROXY_PORT": "{{ $port }}"'] : []
      {{- else -}}
      []
      {{- end -}}
    ) + (
      {{- if ne .Values.route "proxyConfig" -}}
      !variables.native && !variables.ownConfig.contains('EXIT_ON_ZERO_ACTIVE_CONNECTIONS')
        ? ['"EXIT_ON_ZERO_ACTIVE_CONNECTIONS": "true"'] : []
      {{- else -}}
      []
      {{- end -}}
    )
# CEL reads no YAML. A configuration of the pod's own stays as it is, but for an empty one.
- name: config
  expression: |-
    variables.proxyMetadata == [] || variables.ownConfig.trim() != ''
      ? variables.ownConfig
      : '{"proxyMetadata": {' + variables.proxyMetadata.join(', ') + '}}'
{{- end }}
# Annotations to add: each a name, as a path has it, and its value.
- name: annotate
  expression: |-
    {{- if .injected }}
    []
    {{- else }}
    (variables.config == variables.ownConfig ? [] : [['proxy.istio.io~1config', variables.config]])
    {{- end }}
    {{- if and (eq $pods.proxy "native") (not .injected) }}
    + (variables.native && !('sidecar.istio.io/nativeSidecar' in variables.annotations) ? [['sidecar.istio.io~1nativeSidecar', 'true']] : [])
    {{- end }}
    {{- if eq $pods.placement "regular" }}
    + (variables.native || 'kubectl.kubernetes.io/default-container' in variables.annotations
      ? [] : [['kubectl.kubernetes.io~1default-container', variables.main[0]]])
    {{- end }}
# In front of everything, but behind a proxy that is there already: kubelet ends native sidecars from the last one to the first one.
- name: place
  expression: |-
    {{ if eq $pods.placement "regular" }}!variables.native ? {{ if .injected }}(object.spec.containers[0].name == 'istio-proxy' ? '/spec/containers/1' : '/spec/containers/0'){{ else }}'/spec/containers/0'{{ end }} : {{ end }}'/spec/initContainers/' +
      string(variables.initContainers.map(container, string(container.name)).indexOf('istio-proxy') + 1)
{{- end }}

{{/* The operations of the JSON patch. */}}
{{- define "exeunt.cel.patch" -}}
{{- $pods := .Values.pods -}}
variables.skipped != ''
? (
  (has(object.metadata.annotations) ? [] : [JSONPatch{op: 'add', path: '/metadata/annotations', value: {}}]) +
  [JSONPatch{op: 'add', path: '/metadata/annotations/exeunt.dev~1skipped', value: variables.skipped}]
)
: (
  (has(object.metadata.labels) ? [] : [JSONPatch{op: 'add', path: '/metadata/labels', value: {}}]) +
  [JSONPatch{op: 'add', path: '/metadata/labels/exeunt.dev~1drain', value: 'on'}] +
  {{- range $name, $value := $pods.labels }}
  ({{ $name | squote }} in object.metadata.?labels.orValue({}) ? [] :
    [JSONPatch{op: 'add', path: '/metadata/labels/{{ $name | replace "/" "~1" }}', value: {{ $value | squote }}}]) +
  {{- end }}
  (has(object.metadata.annotations) ? [] : [JSONPatch{op: 'add', path: '/metadata/annotations', value: {}}]) +
  variables.annotate.map(pair, JSONPatch{op: 'add', path: '/metadata/annotations/' + pair[0], value: pair[1]}) +
  {{- if $pods.gracePeriod }}
  (variables.seconds == variables.ownSeconds ? [] :
    [JSONPatch{op: 'add', path: '/spec/terminationGracePeriodSeconds', value: variables.seconds}]) +
  {{- end }}
  (variables.native ? [] :
    [JSONPatch{op: 'add', path: '/spec/shareProcessNamespace', value: true}] +
    (has(object.spec.volumes) ? [] : [JSONPatch{op: 'add', path: '/spec/volumes', value: []}]) +
    [JSONPatch{op: 'add', path: '/spec/volumes/-', value: {{ include "exeunt.cel.value" (include "exeunt.agentVolume" . | fromYamlArray | first) }}}]) +
  {{- if .injected }}
  (has(variables.proxy.env) ? [] : [JSONPatch{op: 'add', path: variables.proxyPath + '/env', value: []}]) +
  variables.environment.map(pair, JSONPatch{op: 'add', path: variables.proxyPath + '/env/-', value: {'name': pair[0], 'value': pair[1]}}) +
  {{- end }}
  (has(object.spec.initContainers) ? [] : [JSONPatch{op: 'add', path: '/spec/initContainers', value: []}]) +
  [
    JSONPatch{op: 'add', path: variables.place, value: variables.native
      ? {{ include "exeunt.cel.container" (dict "root" . "proxy" "native") }}
      : {{ include "exeunt.cel.container" (dict "root" . "proxy" "classic") }}},
    JSONPatch{op: 'add', path: variables.place + '/args', value: variables.arguments}
  ]
)
{{- end }}

{{/* The agent's container without its arguments, beside a proxy of that form. */}}
{{- define "exeunt.cel.container" -}}
{{- $agent := .root.Values.agent }}
{{- $placement := ternary "native" .root.Values.pods.placement (eq .proxy "native") }}
{{- $told := dict "proxy" .proxy "placement" $placement "image" $agent.image "uid" $agent.uid }}
{{- $container := omit (include "exeunt.agentContainer" $told | fromYamlArray | first) "args" "resources" }}
{{- $resources := dict }}
{{- range $kind, $amounts := $agent.resources | default dict }}
{{- range $name, $amount := $amounts | default dict }}
{{- if ne $amount nil }}{{ $_ := set $resources $kind (get $resources $kind | default dict | merge (dict $name (toString $amount))) }}{{ end }}
{{- end }}
{{- end }}
{{- if $resources }}{{ $_ := set $container "resources" $resources }}{{ end }}
{{- include "exeunt.cel.value" (merge $container ($agent.probes | default dict)) }}
{{- end }}

{{/* A value as CEL writes it. CEL wants maps and lists of one type, and dyn() makes each value of that one. */}}
{{- define "exeunt.cel.value" -}}
{{- if kindIs "map" . -}}
{ {{- range $index, $key := keys . | sortAlpha }}{{ if $index }}, {{ end }}{{ $key | squote }}: dyn({{ include "exeunt.cel.value" (get $ $key) }}){{ end -}} }
{{- else if kindIs "slice" . -}}
[{{ range $index, $one := . }}{{ if $index }}, {{ end }}dyn({{ include "exeunt.cel.value" $one }}){{ end }}]
{{- else -}}
{{ toJson . }}
{{- end }}
{{- end }}

{{/* A list of strings as CEL writes it. */}}
{{- define "exeunt.cel.strings" -}}
[{{ range $index, $one := . }}{{ if $index }}, {{ end }}{{ toString $one | toJson }}{{ end }}]
{{- end }}
