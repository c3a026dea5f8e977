{{/*
The rules of the ValidatingAdmissionPolicy of warn.yaml, as a YAML list. One is

  id        its name, in front of each message
  found     CEL: a list of texts, which are the evidence. The rule fires if there is any
  sentence  what is wrong. The message has the evidence in front of the full stop
  remedy    what to do

`kubectl exeunt` has the same rules: an id that both have means the same sentence and the same remedy.
*/}}
{{- define "exeunt.warn.rules" -}}
{{- $port := int64 .Values.plugin.config.signal.port }}
{{- $name := `[a-z0-9]([-a-z0-9]*[a-z0-9])?` -}}
- id: agent-stripped
  found: |-
    variables.initContainers.filter(container,
      container.name in variables.watching && container.?restartPolicy.orValue('') != 'Always')
      .map(container, 'container ' + string(container.name))
  sentence: >-
    The agent is an init container without restartPolicy Always, so the pod waits for it before it starts its task.
  remedy: >-
    Add "restartPolicy: Always" to the agent in initContainers. If it is in your template, a webhook or a policy has removed it:
    exclude this pod there.

- id: no-shared-processes
  found: |-
    variables.cannotSee && variables.form == 'classic' ? variables.where : []
  sentence: >-
    istio-proxy is classic, and the pod does not share its processes, so the agent cannot see the end of the task.
  remedy: >-
    Add "shareProcessNamespace: true" to the pod template, or make istio-proxy native by the annotation
    sidecar.istio.io/nativeSidecar: "true".

- id: regular-agent-not-shared
  found: |-
    variables.cannotSee && variables.form != 'classic' ? variables.where : []
  sentence: >-
    The agent is a regular container, and the pod does not share its processes, so the agent cannot see the end of the task.
  remedy: >-
    Make the agent an init container with "restartPolicy: Always", or add "shareProcessNamespace: true" to the pod template.

- id: host-pid
  found: |-
    variables.watchesProcesses && variables.spec.?hostPID.orValue(false) ? variables.where : []
  sentence: >-
    The pod has the processes of its node, and the agent cannot tell which of them are the task.
  remedy: >-
    Use "shareProcessNamespace: true" instead of "hostPID: true".

- id: host-network
  found: |-
    variables.spec.?hostNetwork.orValue(false) ? variables.where : []
  sentence: >-
    The pod has the network of its node, so Istio gives it no proxy, and the agent has nothing to end.
  remedy: >-
    Remove "hostNetwork: true" from the pod template, or remove the agent.

- id: restart-always
  found: |-
    variables.isPod && variables.restartPolicy == 'Always' ? variables.where : []
  sentence: >-
    The restartPolicy of the pod is Always, so its task never ends.
  remedy: >-
    Use Never or OnFailure, or remove the agent.

- id: wrong-container-name
  found: |-
    (variables.toldContainer + variables.annotatedContainer).filter(name, !(name in variables.names) && !name.contains('$'))
  sentence: >-
    The agent waits for a container that the pod does not have.
  remedy: >-
    Remove --container from the agent's arguments (then every main container counts), or correct the name.

# Another webhook may still add a helper to a template, but not to a pod.
- id: wrong-helper-name
  found: |-
    !variables.isPod ? [] :
      (variables.toldAlsoWait + variables.annotatedAlsoWait +
        (variables.toldQuitEndpoint + variables.annotatedQuitEndpoints + variables.toldQuitSignal + variables.annotatedQuitSignals)
          .map(entry, entry.find('^{{ $name }} *=').replace('=', '').trim()))
      .filter(name, name != '' && !(name in variables.names) && !name.contains('$'))
  sentence: >-
    The agent is told to end a container, or to wait for one, that the pod does not have.
  remedy: >-
    Correct the name.

- id: restart-policy-differs
  found: |-
    (variables.toldRestartPolicy + variables.annotatedRestartPolicy).filter(policy,
      !policy.contains('=') && !policy.contains('$') && !(policy in ['auto', variables.restartPolicy]))
      .map(policy, policy + ', and the pod has ' + variables.restartPolicy)
  sentence: >-
    The agent is told another restart policy than the pod has.
  remedy: >-
    Tell the agent the restart policy of the pod.

- id: grace-period-differs
  found: |-
    variables.toldGracePeriod.filter(period, period.matches('^([0-9]+(ms|s|m|h))+$|^[0-9]+$') &&
      duration(period.matches('^[0-9]+$') ? period + 's' : period).getSeconds() >
        (variables.gracePeriod == '0' ? 1 : int(variables.gracePeriod)))
      .map(period, period + ', and the pod has ' + variables.gracePeriod + 's')
  sentence: >-
    The agent is told a longer grace period than the pod has.
  remedy: >-
    Set terminationGracePeriodSeconds to the same time, or tell the agent that of the pod.

- id: placement-differs
  found: |-
    variables.toldPlacement.filter(placement, placement == (variables.isRegular ? 'native' : 'regular'))
  sentence: >-
    The agent is told another placement than it has.
  remedy: >-
    Remove --placement from the agent's arguments.

- id: proxy-form-differs
  found: |-
    variables.toldProxy.filter(form,
      form in ['native', 'classic'] && variables.form in ['native', 'classic'] && form != variables.form)
      .map(form, form + ', and it is ' + variables.form)
  sentence: >-
    The agent is told another form of istio-proxy than it has.
  remedy: >-
    Remove --proxy from the agent's arguments.

- id: signal-port-differs
  found: |-
    variables.watching == [] || variables.listener == '' ? [] :
      (variables.toldSignalPort == [] ? ['15190'] : variables.toldSignalPort).filter(port, port != variables.listener)
        .map(port, port + ', and the listener has ' + variables.listener)
  sentence: >-
    The agent signals to another port than the one of the signal listener.
  remedy: >-
    Use the same port in ISTIO_META_HTTP_PROXY_PORT, in --signal-port and in the plugin.

- id: agent-before-proxy
  found: |-
    variables.isPod && variables.form == 'native'
      ? variables.initContainers.filter(container, container.name in variables.watching).map(container, string(container.name))
        .filter(name, variables.initContainers.map(container, string(container.name)).indexOf(name) <
          variables.initContainers.map(container, string(container.name)).indexOf('istio-proxy'))
        .map(name, 'container ' + name)
      : []
  sentence: >-
    The agent is listed before istio-proxy, so kubelet ends istio-proxy before the agent can drain it.
  remedy: >-
    List the agent behind istio-proxy in initContainers.

- id: agent-user-taken
  found: |-
    !variables.isShared ? [] :
      (variables.spec.containers + variables.sidecars).filter(other,
        !(other.name in variables.watching) &&
        !(variables.toldQuitSignal + variables.annotatedQuitSignals).exists(entry, entry.split('=')[0].trim() == other.name) &&
        variables.watchers.exists(agent,
          other.?securityContext.?runAsUser.orValue(variables.spec.?securityContext.?runAsUser.orValue(-1)) ==
            agent.?securityContext.?runAsUser.orValue(variables.spec.?securityContext.?runAsUser.orValue(15190)))
      ).map(other, string(other.name))
  sentence: >-
    Another container runs as the user of the agent, and can end it.
  remedy: >-
    Give the agent a runAsUser that no other container has.

- id: status-port-zero
  found: |-
    variables.statusPort.filter(port, port == '0')
  sentence: >-
    The pod has no status server of pilot-agent, because its annotation sets port 0, so one way to end the proxy is closed.
  remedy: >-
    Remove the annotation status.sidecar.istio.io/port: "0" from the pod template.

- id: status-port-differs
  found: |-
    variables.statusPort.filter(port, port != '0')
  sentence: >-
    The agent asks pilot-agent at another port than the one of the annotation status.sidecar.istio.io/port.
  remedy: >-
    Tell the agent that port with --status-port.

- id: capture-limited
  found: |-
    variables.watchesProcesses && variables.form in ['classic', 'unknown'] &&
      variables.toldIstioStatus == [] && variables.toldProxy == []
      ? [
          ['sidecar.istio.io/interceptionMode', 'REDIRECT TPROXY'],
          ['traffic.sidecar.istio.io/includeOutboundIPRanges', '* 0.0.0.0/0'],
          ['traffic.sidecar.istio.io/excludeOutboundIPRanges', '']
        ].map(pair, pair[0] in variables.annotations && !(variables.annotations[pair[0]] in pair[1].split(' ')) ? pair[0] : '')
          .filter(name, name != '')
      : []
  sentence: >-
    Istio captures only a part of the traffic of the pod, so nothing tells the agent that istio-proxy is still to come.
  remedy: >-
    Give the agent the variable EXEUNT_ISTIO_STATUS from the annotation sidecar.istio.io/status.

- id: label-value
  found: |-
    variables.label in ['', 'on', 'off'] ? [] : ['"' + variables.label + '"']
  sentence: >-
    The label exeunt.dev/drain has a value that nothing selects.
  remedy: >-
    Write "on" or "off".

# The task may call the filter itself. For that it has a signal listener, so a pod with one is not meant.
- id: label-without-agent
  found: |-
    variables.label == 'on' && variables.agents == [] && !variables.isAdded && variables.form != 'none' && variables.listener == '' &&
      !(variables.spec.containers + variables.initContainers).exists(container,
        (container.?command.orValue([]) + container.?args.orValue([])).exists(word, word.matches('exeunt|{{ $port }}')) ||
        container.?env.orValue([]).exists(one, one.name == 'ISTIO_META_HTTP_PROXY_PORT'))
      ? ['no container exeunt'] : []
  sentence: >-
    The pod has the label exeunt.dev/drain: "on", but no agent, so nothing ends istio-proxy.
  remedy: >-
    Add the agent, or remove the label.

- id: label-on-the-job
  found: |-
    !variables.isPod && !variables.isAdded && variables.watching == [] && variables.label == '' &&
      'exeunt.dev/drain' in dyn(object).metadata.?labels.orValue({}) ? ['it is on the ' + string(request.kind.kind)] : []
  sentence: >-
    The label exeunt.dev/drain is not on the pod template, and nothing reads it elsewhere.
  remedy: >-
    Put it into the labels of the pod template.

- id: unlabelled
  found: |-
    variables.label == '' && variables.listener != '' ? variables.where : []
  sentence: >-
    The pod has an agent, but not the label by which the plugin selects it, so it is drained without the plugin.
  remedy: >-
    Add the label exeunt.dev/drain: "on" to the pod template, or remove the plugin if you do not need it.

- id: unknown-name
  found: |-
    variables.annotations.filter(name, name.startsWith('exeunt.dev/') && !(name in [
      'exeunt.dev/also-wait', 'exeunt.dev/container', 'exeunt.dev/quit-endpoints', 'exeunt.dev/quit-signals',
      'exeunt.dev/restart-policy', 'exeunt.dev/restart-rules', 'exeunt.dev/skipped'
    ])).map(name, 'annotation ' + string(name)) +
    variables.labels.filter(name, name.startsWith('exeunt.dev/') && !(name in ['exeunt.dev/drain', 'exeunt.dev/reap']) &&
      variables.labels[name] in ['on', 'off']).map(name, 'label ' + string(name))
  sentence: >-
    exeunt does not know a label or an annotation of the pod.
  remedy: >-
    Use the label exeunt.dev/drain, or the annotations exeunt.dev/container, also-wait, quit-endpoints and quit-signals.

- id: annotation-value
  found: |-
    variables.annotatedQuitEndpoints.filter(entry, !entry.matches(r'^({{ $name }} *= *)?((POST|GET|PUT) +)?http://' +
      r'(localhost|127\.[0-9]+\.[0-9]+\.[0-9]+|\[::1\])(:[0-9]+)?([/?][!-~]*)?$')) +
    variables.annotatedQuitSignals.filter(entry,
      !entry.matches(r'^{{ $name }} *= *(SIG)?(TERM|INT|QUIT|HUP|USR1|USR2|KILL)$'))
  sentence: >-
    The agent cannot read an annotation of the pod.
  remedy: >-
    Write an entry of exeunt.dev/quit-endpoints as [NAME=][METHOD ]http://127.0.0.1:PORT/PATH, and one of
    exeunt.dev/quit-signals as NAME=SIGNAL.
{{- end }}
