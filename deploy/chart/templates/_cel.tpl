{{/*
What a policy does to a pod, as CEL: which pods, the variables, and the patch. The MutatingAdmissionPolicy (policy.yaml) and Kyverno's
MutatingPolicy (kyverno.yaml) contain these expressions, and make the same pod as the injection template of deploy/istio.

Each takes the chart's root with one field more, `way`: whether the pod is seen `before` Istio's injector, or `after` it. The templates
exeunt.cel.before.… and exeunt.cel.after.… say how that way knows the form of the proxy, and how it tells the proxy what it must know.

Some rules for whoever changes an expression:

  A variable has no types of Kubernetes (Object.spec…), so containers are maps. A map with values of several types needs dyn().
  A list of Object.…{} as the value of a JSONPatch makes an API server before 1.37 panic. Maps do not.
  A patch that no pod can be read from is refused for every pod, whatever failurePolicy says. So the schema checks what users write.
*/}}

{{/* Which pods are looked at. A pod that does not match stays as it is, and gets no reason. */}}
{{- define "exeunt.cel.matchConditions" -}}
# The pod's label decides; without one, whether a Job has made the pod.
- name: asked-for
  expression: |-
    object.metadata.?labels[?'exeunt.dev/drain'].hasValue()
      ? object.metadata.labels['exeunt.dev/drain'] != 'off'
      : {{ if eq .Values.pods.select "labelled" }}false{{ else }}object.metadata.?ownerReferences.orValue([]).exists(owner,
          owner.kind == 'Job' && owner.apiVersion.startsWith('batch/') && owner.?controller.orValue(false)){{ end }}
# An agent of another name is one too.
- name: no-agent-yet
  expression: |-
    !(object.spec.containers + object.spec.?initContainers.orValue([])).exists(container,
      container.name == 'exeunt' || container.?image.orValue('').matches('(^|/)exeunt-agent([:@]|$)'))
- name: linux
  expression: |-
    object.spec.?os.?name.orValue(object.spec.?nodeSelector[?'kubernetes.io/os'].orValue('linux')) == 'linux'
{{ include (printf "exeunt.cel.%s.matchConditions" .way) . }}
{{- end }}

{{/* What the patch needs to know of a pod. */}}
{{- define "exeunt.cel.variables" -}}
{{- $pods := .Values.pods }}
{{- $port := int64 .Values.plugin.config.signal.port -}}
- name: annotations
  expression: object.metadata.?annotations.orValue({})
- name: initContainers
  expression: object.spec.?initContainers.orValue([])
{{ include (printf "exeunt.cel.%s.variables" .way) . }}
# What the pod says of its helpers, the containers beside the task, as variables of the agent, which reads these lists itself.
- name: told
  expression: |-
    [
      ['EXEUNT_ALSO_WAIT', 'exeunt.dev/also-wait'],
      ['EXEUNT_QUIT_ENDPOINT', 'exeunt.dev/quit-endpoints'],
      ['EXEUNT_QUIT_SIGNAL', 'exeunt.dev/quit-signals']
    ].filter(pair, variables.annotations[?pair[1]].orValue('') != '')
# Whether the agent must see the processes of the pod: beside a classic proxy, and wherever it ends a helper, because kubelet would tell
# the end of the task only after that of the helper.
- name: watches
  expression: "!variables.native || variables.told.exists(pair, pair[0] != 'EXEUNT_ALSO_WAIT')"
- name: remedy
  expression: "variables.native ? 'leave out exeunt.dev/quit-endpoints and exeunt.dev/quit-signals' : 'make the proxy native'"
# The main containers, whose end is the end of the task: those that the pod names, or all but the proxy and the helpers.
- name: names
  expression: object.spec.containers.map(container, string(container.name))
- name: named
  expression: |-
    string(variables.annotations[?'exeunt.dev/container'].orValue('')).split(',').map(name, name.trim()).filter(name, name != '')
- name: unknown
  expression: "variables.named.filter(name, !(name in variables.names))"
- name: others
  expression: |-
    [
      {{- range append $pods.helpers "istio-proxy" }}
      {{ toString . | toJson }},
      {{- end }}
    ]
- name: main
  expression: |-
    variables.named != [] ? variables.named : variables.names.filter(name, !(name in variables.others))
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
# Why a pod cannot have the agent. Such a pod gets nothing but this sentence, as an annotation.
- name: skipped
  expression: |-
    object.metadata.?labels[?'exeunt.dev/drain'].orValue('on') != 'on'
      ? 'exeunt.dev/drain is "' + string(object.metadata.labels['exeunt.dev/drain']) + '": must be on or off'
    : !(object.spec.?restartPolicy.orValue('Always') in ['Never', 'OnFailure'])
      ? 'its restartPolicy is ' + string(object.spec.?restartPolicy.orValue('Always')) + ', so it never ends'
    {{- if include (printf "exeunt.cel.%s.listens" .way) . }}
    : !(variables.ownPort in ['', '{{ $port }}'])
      ? 'ISTIO_META_HTTP_PROXY_PORT is ' + variables.ownPort + ': must be {{ $port }}, or absent'
    {{- end }}
    : !variables.watches
      ? ''
    : object.metadata.?labels[?'workflows.argoproj.io/workflow'].hasValue()
      ? 'Argo needs a process namespace for each container: ' + variables.remedy
    : object.spec.?hostPID.orValue(false)
      ? 'it uses the process namespace of its node, so it cannot have one of its own: ' + variables.remedy
    : !object.spec.?shareProcessNamespace.orValue(true)
      ? 'shareProcessNamespace is false, so the agent could not see the main containers: ' + variables.remedy
    : object.spec.?volumes.orValue([]).exists(volume, volume.name == 'exeunt')
      ? 'it has a volume named exeunt, but no container of that name'
    {{- if eq $pods.shareProcesses "never" }}
    : true
      ? 'shareProcesses is never, and the agent must see the task: ' + variables.remedy
    {{- else if eq $pods.shareProcesses "unless-root" }}
    : variables.root != []
      ? 'shareProcesses is unless-root, and ' + variables.root.join(', ') + ' may run as root: ' + variables.remedy
    {{- end }}
    : variables.unknown != []
      ? 'exeunt.dev/container names "' + variables.unknown[0] + '": the pod has no such container'
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
      (!variables.watches ? '\n--placement\nnative' :
        variables.main.map(name, '\n--container\n' + name).join('') +
        '\n--placement\n{{ if eq $pods.placement "native" }}native{{ else }}' + (variables.native ? 'native' : 'regular') + '{{ end }}\n--restart-policy\n' + string(object.spec.restartPolicy) +
        object.spec.containers.filter(container, container.name in variables.main).map(container,
          (has(container.restartPolicy)
            ? '\n--restart-policy\n' + string(container.name) + '=' + string(container.restartPolicy) : '') +
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
# In front of everything, but behind a proxy that is there already: kubelet ends native sidecars from the last one to the first one.
- name: place
  expression: |-
    {{ if eq $pods.placement "regular" -}}
    !variables.native ? (object.spec.containers[0].name == 'istio-proxy' ? '/spec/containers/1' : '/spec/containers/0') :
    {{ end -}}
    '/spec/initContainers/' + string(variables.initContainers.map(container, string(container.name)).indexOf('istio-proxy') + 1)
{{- end }}

{{/* The operations of the JSON patch. */}}
{{- define "exeunt.cel.patch" -}}
{{- $pods := .Values.pods }}
{{- /* The agent beside a classic proxy. Beside a native one it has no variable and no mount. */}}
{{- $resources := .Values.agent.resources | default dict }}
{{- $told := dict "proxy" "classic" "placement" $pods.placement "resources" $resources }}
{{- $watching := merge $told (omit .Values.agent "arguments") | include "exeunt.agentContainer" | fromYamlArray | first }}
{{- $agent := omit $watching "args" "resources" "env" "volumeMounts" }}
{{- $volume := include "exeunt.agentVolume" . | fromYamlArray | first -}}
(has(object.metadata.annotations) ? [] : [JSONPatch{op: 'add', path: '/metadata/annotations', value: {}}]) +
(variables.skipped != '' ? [JSONPatch{op: 'add', path: '/metadata/annotations/exeunt.dev~1skipped', value: variables.skipped}] :
  (has(object.metadata.labels) ? [] : [JSONPatch{op: 'add', path: '/metadata/labels', value: {}}]) +
  [JSONPatch{op: 'add', path: '/metadata/labels/exeunt.dev~1drain', value: 'on'}] +
  {{- range $name, $value := omit ($pods.labels | default dict) "exeunt.dev/drain" }}
  ({{ $name | squote }} in object.metadata.?labels.orValue({}) ? [] :
    [JSONPatch{op: 'add', path: '/metadata/labels/{{ $name | replace "/" "~1" }}', value: {{ $value | squote }}}]) +
  {{- end }}
  {{- if eq $pods.placement "regular" }}
  // Istio would choose the first container, which is the agent.
  (variables.native || 'kubectl.kubernetes.io/default-container' in variables.annotations ? [] :
    [JSONPatch{op: 'add', path: '/metadata/annotations/kubectl.kubernetes.io~1default-container', value: variables.main[0]}]) +
  {{- end }}
  {{- if $pods.gracePeriod }}
  (variables.seconds == variables.ownSeconds ? [] :
    [JSONPatch{op: 'add', path: '/spec/terminationGracePeriodSeconds', value: variables.seconds}]) +
  {{- end }}
  {{- include (printf "exeunt.cel.%s.patch" .way) . | nindent 2 }} +
  (has(object.spec.initContainers) ? [] : [JSONPatch{op: 'add', path: '/spec/initContainers', value: []}]) +
  [
    JSONPatch{op: 'add', path: variables.place, value: {{ include "exeunt.cel.value" $agent | indent 4 | trim }}},
    JSONPatch{op: 'add', path: variables.place + '/args', value: variables.arguments}
  ] +
  {{- if eq $pods.placement "regular" }}
  (!variables.native ? [] : [JSONPatch{op: 'add', path: variables.place + '/restartPolicy', value: 'Always'}]) +
  {{- end }}
  {{- with $watching.resources }}
  // Beside resources of the whole pod, which must be enough for all its containers, the agent has none of its own.
  (object.spec.?resources.?requests.orValue({}).size() + object.spec.?resources.?limits.orValue({}).size() > 0 ? [] :
    [JSONPatch{op: 'add', path: variables.place + '/resources', value: {{ include "exeunt.cel.value" . | indent 4 | trim }}}]) +
  {{- end }}
  (!variables.watches ? [] :
    (has(object.spec.volumes) ? [] : [JSONPatch{op: 'add', path: '/spec/volumes', value: []}]) +
    [
      JSONPatch{op: 'add', path: '/spec/volumes/-', value: {{ $volume | include "exeunt.cel.value" | indent 6 | trim }}},
      JSONPatch{op: 'add', path: '/spec/shareProcessNamespace', value: true},
      JSONPatch{op: 'add', path: variables.place + '/env', value: {{ include "exeunt.cel.value" $watching.env | indent 6 | trim }}},
      JSONPatch{op: 'add', path: variables.place + '/volumeMounts', value: {{ include "exeunt.cel.value" $watching.volumeMounts }}}
    ] +
    variables.told.map(pair, JSONPatch{op: 'add', path: variables.place + '/env/-', value: {
      'name': pair[0], 'value': string(variables.annotations[pair[1]])
    }})
  )
)
{{- end }}

{{/* A value as CEL writes it. The values of a map, or of a list, must have one type: dyn() gives them one where they are not all texts. */}}
{{- define "exeunt.cel.value" -}}
{{- if kindIs "map" . }}
{{- $texts := true }}
{{- range . }}{{ $texts = and $texts (kindIs "string" .) }}{{ end }}
{{- if $texts -}}
{ {{- range $index, $key := keys . | sortAlpha }}{{ if $index }}, {{ end }}{{ toJson $key }}: {{ get $ $key | toJson }}{{ end -}} }
{{- else -}}
{
{{- range $index, $key := keys . | sortAlpha }}{{ if $index }},{{ end }}
  {{ toJson $key }}: dyn({{ include "exeunt.cel.value" (get $ $key) | indent 2 | trim }})
{{- end }}
}
{{- end }}
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
