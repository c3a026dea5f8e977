{{/*
The rules of the ValidatingAdmissionPolicy of warn.yaml, as a YAML list. One is

  id        what `kubectl exeunt` calls it, too; in front of each message
  found     CEL: a list of texts, which are the evidence. The rule fires if there is any
  sentence  what is wrong. {} is the evidence, {name} a variable of the policy
  remedy    what to do
*/}}
{{- define "exeunt.warn.rules" -}}
{{- $port := int64 .Values.plugin.config.signal.port }}
{{- $name := `[a-z0-9]([-a-z0-9]*[a-z0-9])?` -}}
- id: agent-without-always
  found: |-
    variables.initContainers.filter(container,
      container.name in variables.watching && container.?restartPolicy.orValue('') != 'Always').map(container, string(container.name))
  sentence: >-
    the init container {} runs the agent without restartPolicy: Always, so the task starts only after it has ended
  remedy: >-
    add restartPolicy: Always to it

- id: not-shared
  found: |-
    variables.watchesProcesses && !variables.isShared && !variables.spec.?hostPID.orValue(false)
      ? [variables.isRegular ? 'the agent' : 'istio-proxy'] : []
  sentence: >-
    the agent cannot see the end of the task, because {} is a regular container and the pod does not share its processes
  remedy: >-
    make it an init container with restartPolicy: Always (istio-proxy by the annotation sidecar.istio.io/nativeSidecar), or add
    shareProcessNamespace: true

- id: host-pid
  found: |-
    variables.watchesProcesses && variables.spec.?hostPID.orValue(false) ? variables.watching : []
  sentence: >-
    hostPID: true is not supported beside a container {} that watches processes
  remedy: >-
    use shareProcessNamespace: true instead

- id: host-network
  found: |-
    variables.spec.?hostNetwork.orValue(false) ? variables.watching : []
  sentence: >-
    hostNetwork: true is not supported, because Istio injects no proxy there
  remedy: >-
    leave out hostNetwork, or the container {}

- id: restart-always
  found: |-
    variables.isPod && variables.restartPolicy == 'Always' ? variables.watching : []
  sentence: >-
    the restartPolicy of the pod is Always, so its task never ends
  remedy: >-
    use Never or OnFailure, or leave out the container {}

- id: wrong-container
  found: |-
    (variables.toldContainer + variables.annotatedContainer).filter(name, !(name in variables.names) && !name.contains('$'))
  sentence: >-
    the pod has no container {}, which --container or exeunt.dev/container names
  remedy: >-
    name one of {containers}

# Another webhook may still add a helper to a template, but not to a pod.
- id: wrong-helper
  found: |-
    !variables.isPod ? [] :
      (variables.toldAlsoWait + variables.annotatedAlsoWait +
        (variables.toldQuitEndpoint + variables.annotatedQuitEndpoints + variables.toldQuitSignal + variables.annotatedQuitSignals)
          .map(entry, entry.find('^{{ $name }} *=').replace('=', '').trim()))
      .filter(name, name != '' && !(name in variables.names) && !name.contains('$'))
  sentence: >-
    the pod has no container {}, which the agent is told to end or to wait for
  remedy: >-
    name one of {containers}

- id: restart-policy-differs
  found: |-
    (variables.toldRestartPolicy + variables.annotatedRestartPolicy).filter(policy,
      !policy.contains('=') && !policy.contains('$') && !(policy in ['auto', variables.restartPolicy]))
  sentence: >-
    the agent is told the restart policy {}, and the pod has {restartPolicy}
  remedy: >-
    tell it {restartPolicy}

- id: grace-period-differs
  found: |-
    variables.toldGracePeriod.filter(period, period.matches('^([0-9]+(ms|s|m|h))+$|^[0-9]+$') &&
      duration(period.matches('^[0-9]+$') ? period + 's' : period).getSeconds() >
        (variables.gracePeriod == '0' ? 1 : int(variables.gracePeriod)))
  sentence: >-
    the agent is told the grace period {}, and the pod has {gracePeriod} seconds
  remedy: >-
    set terminationGracePeriodSeconds to the same time

- id: placement-differs
  found: |-
    variables.toldPlacement.filter(placement, placement == (variables.isRegular ? 'native' : 'regular'))
  sentence: >-
    the agent is told --placement {}, and its container is in the other list of the pod
  remedy: >-
    leave out --placement

- id: proxy-differs
  found: |-
    variables.toldProxy.filter(form,
      form in ['native', 'classic'] && variables.form in ['native', 'classic'] && form != variables.form)
  sentence: >-
    the agent is told --proxy {}, and istio-proxy is {form}
  remedy: >-
    leave out --proxy

- id: signal-port-differs
  found: |-
    variables.watching == [] || variables.listener == '' ? [] :
      (variables.toldSignalPort == [] ? ['15190'] : variables.toldSignalPort).filter(port, port != variables.listener)
  sentence: >-
    the agent signals to port {}, and ISTIO_META_HTTP_PROXY_PORT is {listener}
  remedy: >-
    use the same port for both and for the plugin

- id: agent-before-proxy
  found: |-
    variables.isPod && variables.form == 'native'
      ? variables.initContainers.filter(container, container.name in variables.watching).map(container, string(container.name))
        .filter(name, variables.initContainers.map(container, string(container.name)).indexOf(name) <
          variables.initContainers.map(container, string(container.name)).indexOf('istio-proxy'))
      : []
  sentence: >-
    the container {} is listed before istio-proxy, so kubelet ends istio-proxy before the agent can drain it
  remedy: >-
    list it behind istio-proxy

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
    the user of the agent is also that of {}, which can end the agent
  remedy: >-
    give the agent a runAsUser of its own

- id: status-port
  found: |-
    variables.watchesProcesses && variables.form in ['classic', 'unknown']
      ? [string(variables.annotations[?'status.sidecar.istio.io/port'].orValue('15020'))]
        .map(port, port.matches('^[0-9]+$') ? port : '?').filter(port, !(port in ['15020'] + variables.toldStatusPort))
      : []
  sentence: >-
    status.sidecar.istio.io/port is {}, and the agent asks pilot-agent at another port
  remedy: >-
    leave out the annotation, or give the agent the port by --status-port

- id: interception-off
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
    by {} Istio captures only a part of the traffic, so nothing tells the agent that istio-proxy is still to come
  remedy: >-
    give it EXEUNT_ISTIO_STATUS from the annotation sidecar.istio.io/status

- id: label-value
  found: |-
    variables.label in ['', 'on', 'off'] ? [] : [variables.label]
  sentence: >-
    the label exeunt.dev/drain is "{}", which nothing selects
  remedy: >-
    write "on" or "off"

# The task may call the filter itself. For that it has a signal listener, so a pod with one is not meant.
- id: label-without-agent
  found: |-
    variables.label == 'on' && variables.agents == [] && !variables.isAdded && variables.form != 'none' && variables.listener == '' &&
      !(variables.spec.containers + variables.initContainers).exists(container,
        (container.?command.orValue([]) + container.?args.orValue([])).exists(word, word.matches('exeunt|{{ $port }}')) ||
        container.?env.orValue([]).exists(one, one.name == 'ISTIO_META_HTTP_PROXY_PORT'))
      ? ['exeunt.dev/drain'] : []
  sentence: >-
    the pod has the label {}, but no agent, so nothing ends istio-proxy
  remedy: >-
    add the agent, or leave out the label

- id: label-on-the-job
  found: |-
    !variables.isPod && !variables.isAdded && variables.watching == [] && variables.label == '' &&
      'exeunt.dev/drain' in dyn(object).metadata.?labels.orValue({}) ? [string(request.kind.kind)] : []
  sentence: >-
    the label exeunt.dev/drain is on the {}, where nothing reads it
  remedy: >-
    put it into the labels of its pod template

- id: listener-without-label
  found: |-
    variables.label == '' && variables.listener != '' ? variables.watching : []
  sentence: >-
    the pod has a signal listener for the container {}, but not the label by which the plugin selects it
  remedy: >-
    add exeunt.dev/drain: "on", or leave out ISTIO_META_HTTP_PROXY_PORT

- id: unknown-name
  found: |-
    variables.annotations.filter(name, name.startsWith('exeunt.dev/') && !(name in [
      'exeunt.dev/also-wait', 'exeunt.dev/container', 'exeunt.dev/quit-endpoints', 'exeunt.dev/quit-signals',
      'exeunt.dev/restart-policy', 'exeunt.dev/restart-rules', 'exeunt.dev/skipped'
    ])).map(name, 'annotation ' + string(name)) +
    variables.labels.filter(name, name.startsWith('exeunt.dev/') && name != 'exeunt.dev/drain' &&
      variables.labels[name] in ['on', 'off']).map(name, 'label ' + string(name))
  sentence: >-
    exeunt knows no {}
  remedy: >-
    use the label exeunt.dev/drain, or the annotations exeunt.dev/container, also-wait, quit-endpoints and quit-signals

- id: annotation-value
  found: |-
    variables.annotatedQuitEndpoints.filter(entry, !entry.matches(r'^({{ $name }} *= *)?((POST|GET|PUT) +)?http://' +
      r'(localhost|127\.[0-9]+\.[0-9]+\.[0-9]+|\[::1\])(:[0-9]+)?([/?][!-~]*)?$')) +
    variables.annotatedQuitSignals.filter(entry,
      !entry.matches(r'^{{ $name }} *= *(SIG)?(TERM|INT|QUIT|HUP|USR1|USR2|KILL)$'))
  sentence: >-
    the agent cannot read "{}"
  remedy: >-
    write an entry of exeunt.dev/quit-endpoints as [NAME=][METHOD ]http://127.0.0.1:PORT/PATH, and one of
    exeunt.dev/quit-signals as NAME=SIGNAL
{{- end }}
