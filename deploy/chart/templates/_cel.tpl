{{/*
What a policy does to a pod, as CEL: which pods, the variables, and the patch. The MutatingAdmissionPolicy (policy.yaml) and Kyverno's
MutatingPolicy (kyverno.yaml) contain the same expressions, and make the same pod as the injection template of deploy/istio.

Each takes the chart's root. Some rules for whoever changes an expression:

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
# An agent of another name is one too.
- name: no-agent-yet
  expression: |-
    !(object.spec.containers + object.spec.?initContainers.orValue([])).exists(container,
      container.name == 'exeunt' || container.?image.orValue('').matches('(^|/)exeunt-agent([:@]|$)'))
# Istio injects no other pods. It reads the label first, and the annotation only if there is no label.
- name: injected
  expression: |-
    !object.spec.?hostNetwork.orValue(false) &&
    !(object.metadata.?labels[?'sidecar.istio.io/inject'].orValue(
        object.metadata.?annotations[?'sidecar.istio.io/inject'].orValue('true')
      ) in ['false', 'False', 'FALSE', 'f', 'F', '0', 'n', 'no', 'off'])
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
- name: native
  expression: |-
    variables.annotations[?'sidecar.istio.io/nativeSidecar'].orValue(
      {{ if eq $pods.proxy "native" }}object.spec.containers.exists(container, container.name == 'istio-proxy') ? 'false' : 'true'{{ else }}'false'{{ end }}
    ) == 'true'
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
# The pod's own configuration of its proxy, and the port that it gives to the signal listener.
- name: ownConfig
  expression: string(variables.annotations[?'proxy.istio.io/config'].orValue(''))
- name: ownPort
  expression: variables.ownConfig.find('ISTIO_META_HTTP_PROXY_PORT[^0-9A-Za-z]+[0-9]+').find('[0-9]+$')
# Its proxyMetadata up to the first entry: as {…, or as a block of lines.
- name: ownMapping
  expression: "variables.ownConfig.contains('#') ? '' : variables.ownConfig.find(r'\"?proxyMetadata\"?\\s*:\\s*\\{')"
- name: ownBlock
  expression: variables.ownConfig.find(r'(?m)^proxyMetadata:[ \t]*(#.*)?\n([ \t]*(#.*)?\n)*[ ]+["A-Za-z_]')
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
# CEL cannot join lists of lists, so the words are lines of one text first. The agent reads restart rules as JSON.
- name: arguments
  expression: |-
    (
      'watch' +
      (variables.native ? '\n--placement\nnative' :
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
# CEL reads no YAML, so what is missing is written into the text where that is safe: in front of the first entry of proxyMetadata, or as a
# proxyMetadata of its own. Any other text stays as it is; without the signal listener the agent drains such a pod by Envoy's admin interface.
- name: config
  expression: |-
    variables.proxyMetadata == []
      ? variables.ownConfig
    : variables.ownConfig.trim() in ['', '{}']
      ? '{"proxyMetadata": {' + variables.proxyMetadata.join(', ') + '}}'
    : !variables.ownConfig.contains('proxyMetadata')
      ? (
        variables.ownConfig.trim().startsWith('{') && !variables.ownConfig.contains('#')
          ? '{"proxyMetadata": {' + variables.proxyMetadata.join(', ') + '}, ' + variables.ownConfig.trim().substring(1)
        : variables.ownConfig.matches(r'\A([ \t]*(#.*)?\n)*[A-Za-z]\w*:(\s|\z)') && !variables.ownConfig.matches(r'(?m)^(---|\.\.\.|%)')
          ? variables.ownConfig + (variables.ownConfig.endsWith('\n') ? '' : '\n') + 'proxyMetadata:\n' +
            variables.proxyMetadata.map(entry, '  ' + entry + '\n').join('')
        : variables.ownConfig
      )
    : variables.ownConfig.split('proxyMetadata').size() != 2
      ? variables.ownConfig
    : variables.ownMapping != ''
      ? variables.ownConfig.replace(variables.ownMapping, variables.ownMapping + variables.proxyMetadata.join(', ') + ', ')
    : variables.ownBlock != ''
      ? variables.ownConfig.replace(variables.ownBlock, variables.ownBlock.substring(0, variables.ownBlock.size() - 1) +
          variables.proxyMetadata.map(entry, entry + '\n' + variables.ownBlock.find(r'[ ]+\S\z').find('^ +')).join('') +
          variables.ownBlock.find(r'\S\z'))
    : variables.ownConfig
{{- if ne .Values.plugin.source "oci" }}
# Whether the module can be mounted into istio-proxy: by Istio's annotations, which are JSON, in front of what is there already.
- name: mounts
  expression: |-
    !object.spec.?volumes.orValue([]).exists(volume, volume.name == 'exeunt-module') &&
    ['sidecar.istio.io/userVolume', 'sidecar.istio.io/userVolumeMount'].all(name,
      variables.annotations[?name].orValue('{').trim().startsWith('{') &&
      !variables.annotations[?name].orValue('').matches('exeunt-module|/etc/exeunt'))
{{- end }}
# Annotations to add: each a name, as a path has it, and its value.
- name: annotate
  expression: |-
    (variables.config == variables.ownConfig ? [] : [['proxy.istio.io~1config', variables.config]])
    {{- if eq $pods.proxy "native" }}
    + (variables.native && !('sidecar.istio.io/nativeSidecar' in variables.annotations) ? [['sidecar.istio.io~1nativeSidecar', 'true']] : [])
    {{- end }}
    {{- range $name, $value := include "exeunt.cel.module" . | fromYaml }}
    + (!variables.mounts ? [] : [['{{ $name | replace "/" "~1" }}', '{' + {{ $value | squote }} +
        [variables.annotations[?{{ $name | squote }}].orValue('{}').trim().substring(1).trim()].map(rest, rest == '}' ? rest : ', ' + rest)[0]]])
    {{- end }}
    {{- if eq $pods.placement "regular" }}
    + (variables.native || 'kubectl.kubernetes.io/default-container' in variables.annotations
      ? [] : [['kubectl.kubernetes.io~1default-container', variables.main[0]]])
    {{- end }}
# In front of everything, but behind a proxy that is there already: kubelet ends native sidecars from the last one to the first one.
- name: place
  expression: |-
    {{ if eq $pods.placement "regular" }}!variables.native ? '/spec/containers/0' : {{ end }}'/spec/initContainers/' +
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
  (has(object.spec.initContainers) ? [] : [JSONPatch{op: 'add', path: '/spec/initContainers', value: []}]) +
  [
    JSONPatch{op: 'add', path: variables.place, value: variables.native
      ? {{ include "exeunt.cel.container" (dict "root" . "proxy" "native") }}
      : {{ include "exeunt.cel.container" (dict "root" . "proxy" "classic") }}},
    JSONPatch{op: 'add', path: variables.place + '/args', value: variables.arguments}
  ]
  {{- with include "exeunt.cel.resources" . | fromYaml }} +
  // Beside resources of the whole pod, which the API server wants to be enough for all containers, the agent has none of its own.
  (object.spec.?resources.?requests.orValue({}).size() + object.spec.?resources.?limits.orValue({}).size() > 0 ? [] :
    [JSONPatch{op: 'add', path: variables.place + '/resources', value: {{ include "exeunt.cel.value" . }}}])
  {{- end }}
)
{{- end }}

{{/* The agent's requests and limits, without those that are null. */}}
{{- define "exeunt.cel.resources" -}}
{{- $found := dict }}
{{- range $kind, $amounts := .Values.agent.resources | default dict }}
{{- $own := dict }}
{{- range $name, $amount := $amounts | default dict }}
{{- if ne $amount nil }}{{ $_ := set $own $name (toString $amount) }}{{ end }}
{{- end }}
{{- if $own }}{{ $_ := set $found $kind $own }}{{ end }}
{{- end }}
{{- toYaml $found }}
{{- end }}

{{/* The annotations that mount the module into istio-proxy, each without its braces. */}}
{{- define "exeunt.cel.module" -}}
{{- $source := "" }}
{{- if eq .Values.plugin.source "configMap" }}
{{- $source = dict "configMap" (dict "name" "exeunt-module" "optional" true) }}
{{- else if eq .Values.plugin.source "imageVolume" }}
{{- $image := dict "reference" (include "exeunt.image" .Values.agent.image) }}
{{- with .Values.agent.image.pullPolicy }}{{ $_ := set $image "pullPolicy" . }}{{ end }}
{{- $source = dict "image" $image }}
{{- end }}
{{- if $source }}
sidecar.istio.io/userVolume: {{ dict "exeunt-module" $source | toJson | trimPrefix "{" | trimSuffix "}" | squote }}
sidecar.istio.io/userVolumeMount: {{ `"exeunt-module":{"mountPath":"/etc/exeunt","readOnly":true}` | squote }}
{{- end }}
{{- end }}

{{/* The agent's container without its arguments, beside a proxy of that form. */}}
{{- define "exeunt.cel.container" -}}
{{- $agent := .root.Values.agent }}
{{- $placement := ternary "native" .root.Values.pods.placement (eq .proxy "native") }}
{{- $told := dict "proxy" .proxy "placement" $placement "image" $agent.image "uid" $agent.uid }}
{{- $container := omit (include "exeunt.agentContainer" $told | fromYamlArray | first) "args" "resources" }}
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
