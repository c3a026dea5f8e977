{{/*
What the ValidatingAdmissionPolicy of warn.yaml asks of a pod, or of the pod template of a Job or CronJob, as CEL. Its rules are in
_warn_rules.tpl.

Some rules for whoever changes an expression:

  A pod that is right gets no warning. Where a template does not tell enough, a rule is silent. tests/policy/test_silent.py has the pods.
  The object is dyn(), because one policy sees three kinds of object.
  A message has one line: the API server drops one with a line break.
*/}}

{{- define "exeunt.warn.pod" -}}
request.resource.resource == 'pods' ? dyn(object)
  : request.resource.resource == 'jobs' ? dyn(object).spec.template
  : dyn(object).spec.jobTemplate.spec.template
{{- end }}

{{/* Which objects are looked at. All others cost the API server one short expression. */}}
{{- define "exeunt.warn.matchConditions" -}}
- name: mentions-exeunt
  expression: |-
    [
      {{- include "exeunt.warn.pod" . | nindent 6 }}
    ].exists(pod,
      (pod.spec.containers + pod.spec.?initContainers.orValue([])).exists(container,
        container.name == 'exeunt' || container.?image.orValue('').matches('(^|/)exeunt-agent([:@]|$)')) ||
      pod.?metadata.?annotations.orValue({}).exists(name, name.startsWith('exeunt.dev/')) ||
      pod.?metadata.?labels.orValue({}).exists(name, name.startsWith('exeunt.dev/'))
    ) || dyn(object).metadata.?labels.orValue({}).exists(name, name.startsWith('exeunt.dev/'))
{{- if not .Values.warn.audit }}
# Whoever has applied the Job was warned. The Job's controller has nobody to tell.
- name: not-of-a-job
  expression: |-
    request.resource.resource != 'pods' || !object.metadata.?ownerReferences.orValue([]).exists(owner,
      owner.kind == 'Job' && owner.apiVersion.startsWith('batch/') && owner.?controller.orValue(false))
{{- end }}
{{- end }}

{{- define "exeunt.warn.variables" -}}
- name: isPod
  expression: request.resource.resource == 'pods'
- name: pod
  expression: |-
    {{- include "exeunt.warn.pod" . | nindent 4 }}
- name: spec
  expression: variables.pod.spec
- name: annotations
  expression: variables.pod.?metadata.?annotations.orValue({})
- name: labels
  expression: variables.pod.?metadata.?labels.orValue({})
- name: initContainers
  expression: variables.spec.?initContainers.orValue([])
- name: names
  expression: variables.spec.containers.map(container, string(container.name))
- name: restartPolicy
  expression: string(variables.spec.?restartPolicy.orValue('Always'))
- name: gracePeriod
  expression: string(variables.spec.?terminationGracePeriodSeconds.orValue(30))
- name: sidecars
  expression: variables.initContainers.filter(container, container.?restartPolicy.orValue('') == 'Always')
# The containers that run the agent, whatever they do with it.
- name: agents
  expression: |-
    (variables.spec.containers + variables.initContainers).filter(container,
      container.name == 'exeunt' || container.?image.orValue('').matches('(^|/)exeunt-agent([:@]|$)'))
# Those that watch the task. Its image does so without a word.
- name: watchers
  expression: |-
    variables.agents.filter(agent,
      [(agent.?command.orValue([]) + agent.?args.orValue([])).filter(word, !word.matches('(^|/)exeunt-agent$'))].all(words,
        words.size() == 0 || words[0] == 'watch' || words[0].startsWith('-')))
- name: watching
  expression: variables.watchers.map(agent, string(agent.name))
# The agent's containers as evidence.
- name: where
  expression: variables.watching.map(name, 'container ' + name)
- name: isRegular
  expression: variables.watching.exists(name, name in variables.names)
# What the agent is told, one word a line: its words, then its variables as options. A value that is not in the pod is $.
- name: told
  expression: |-
    '\n\n' + variables.watchers.map(agent,
      (agent.?command.orValue([]) + agent.?args.orValue([]))
        .map(word, (word.startsWith('--') ? word.replace('=', '\n', 1) : word) + '\n').join('') +
      agent.?env.orValue([]).filter(one, one.name.startsWith('EXEUNT_')).map(one,
        one.?value.orValue('$').split(',').map(value,
          '--' + one.name.substring(7).lowerAscii().replace('_', '-') + '\n' + value.trim() + '\n').join('')).join('')
    ).join('')
# The values of its options, up to a character that no warning may contain: the API server drops a warning with a control character.
{{- range list "also-wait" "container" "grace-period" "istio-status" "placement" "proxy" "quit-endpoint" "quit-signal" "restart-policy"
      "signal-port" "status-port" }}
- name: {{ printf "told-%s" . | include "exeunt.warn.variable" }}
  expression: variables.told.split('\n--{{ . }}\n').filter(part, !part.startsWith('\n')).map(part, part.find('^[ -~]*'))
{{- end }}
# The entries of the annotations, and ? for one that cannot be shown.
{{- range list "also-wait" "container" "quit-endpoints" "quit-signals" "restart-policy" }}
- name: {{ printf "annotated-%s" . | include "exeunt.warn.variable" }}
  expression: |-
    string(variables.annotations[?'exeunt.dev/{{ . }}'].orValue('')).split(',')
      .map(entry, entry.trim().matches('^[ -~]*$') ? entry.trim() : '?').filter(entry, entry != '')
{{- end }}
# Istio injects no other pods, and one that it has injected already stays as it is.
- name: injects
  expression: |-
    !variables.spec.?hostNetwork.orValue(false) &&
    !(variables.labels[?'sidecar.istio.io/inject'].orValue(
        variables.annotations[?'sidecar.istio.io/inject'].orValue('true')
      ) in ['false', 'False', 'FALSE', 'f', 'F', '0', 'n', 'no', 'off'])
# The form of the proxy: classic, native, none, or unknown, because only istiod knows it. A pod is seen after Istio's injector.
- name: form
  expression: |-
    'istio-proxy' in variables.names && variables.isPod ? 'classic'
    : variables.sidecars.exists(container, container.name == 'istio-proxy') && variables.isPod ? 'native'
    : variables.isPod || !variables.injects ? 'none'
    : variables.annotations[?'sidecar.istio.io/nativeSidecar'].orValue('') == 'true' ? 'native'
    : variables.annotations[?'sidecar.istio.io/nativeSidecar'].orValue('') == 'false' ? 'classic'
    : 'unknown'
# Whether the agent must see the processes of the task: kubelet tells its end only to a native sidecar beside a native proxy.
- name: watchesProcesses
  expression: |-
    variables.watching.size() > 0 && variables.form != 'none' && (variables.isRegular || variables.form == 'classic')
- name: isShared
  expression: variables.spec.?shareProcessNamespace.orValue(false)
- name: cannotSee
  expression: |-
    variables.watchesProcesses && !variables.isShared && !variables.spec.?hostPID.orValue(false)
# The port of pilot-agent, if it is not the one that the agent asks at. Beside a native proxy the agent does not ask.
- name: statusPort
  expression: |-
    variables.watchesProcesses && variables.form in ['classic', 'unknown']
      ? [string(variables.annotations[?'status.sidecar.istio.io/port'].orValue('15020'))]
        .map(port, port.matches('^[0-9]+$') ? port : '?').filter(port, !(port in ['15020'] + variables.toldStatusPort))
      : []
- name: proxyConfig
  expression: string(variables.annotations[?'proxy.istio.io/config'].orValue(''))
# The port of the signal listener, if the pod's own configuration of its proxy gives it one.
- name: listener
  expression: variables.proxyConfig.find('ISTIO_META_HTTP_PROXY_PORT[^0-9A-Za-z]+[0-9]+').find('[0-9]+$')
- name: label
  expression: string(variables.labels[?'exeunt.dev/drain'].orValue(''))
# Whether something may add the agent when the pod is created: then the template cannot tell that it will be missing.
- name: isAdded
  expression: |-
    {{ if ne .Values.inject "none" }}!variables.isPod || {{ end -}}
    (!variables.isPod && namespaceObject.metadata.?labels[?'exeunt.dev/drain'].orValue('') == 'on') ||
    'exeunt.dev/skipped' in variables.annotations
{{- end }}

{{- /* A rule's name as that of a variable: agent-without-always is agentWithoutAlways. */}}
{{- define "exeunt.warn.variable" -}}
{{ . | camelcase | untitle | replace "-" "" }}
{{- end }}

{{/* The message of a rule as CEL, in lines. */}}
{{- define "exeunt.warn.message" -}}
{{- $said := printf "[exeunt %s] %s (FOUND). %s" .id (.sentence | trimSuffix ".") .remedy | replace "'" "\\'" }}
{{- $found := printf "' + variables.%s.join(', ') + '" (include "exeunt.warn.variable" .id) }}
{{- printf "'%s'" ($said | wrapWith 66 "\n" | replace "\n" " ' +\n'" | replace "FOUND" $found) }}
{{- end }}
