{{/*
The CEL of a policy that sees a pod after Istio's injector (_cel.tpl has the rest). istio-proxy is in the pod, and the patch changes its
container.
*/}}

{{- define "exeunt.cel.after.matchConditions" -}}
# Without a proxy there is nothing to end.
- name: injected
  expression: |-
    (object.spec.containers + object.spec.?initContainers.orValue([])).exists(container, container.name == 'istio-proxy')
{{- end }}

{{- /* Whether the proxy is told the signal listener's port. A ProxyConfig selects pods by their label, which they do not have yet. */}}
{{- define "exeunt.cel.after.listens" -}}
{{- if has .Values.route (list "annotation" "proxyConfig") }}true{{ end }}
{{- end }}

{{- define "exeunt.cel.after.variables" -}}
{{- $port := int64 .Values.plugin.config.signal.port -}}
# Beside a native proxy kubelet tells the agent when the task has ended. Beside any other it must see the processes of the task.
- name: native
  expression: variables.initContainers.exists(container, container.name == 'istio-proxy')
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
# Variables to add to istio-proxy: the signal listener's port, and for a classic proxy to wait for open connections when the pod is
# deleted.
- name: environment
  expression: |-
    (
      [{{ if include "exeunt.cel.after.listens" . }}['ISTIO_META_HTTP_PROXY_PORT', '{{ $port }}']{{ end }}] +
      (variables.native ? [] : [['EXIT_ON_ZERO_ACTIVE_CONNECTIONS', 'true']])
    ).filter(pair, !variables.proxy.?env.orValue([]).exists(variable, variable.name == pair[0]))
{{- if ne .Values.plugin.source "oci" }}
# Whether the module can be mounted into istio-proxy, which has volumes of Istio's: nobody has put something else into its place.
- name: mounts
  expression: |-
    has(object.spec.volumes) && !object.spec.volumes.exists(volume, volume.name == 'exeunt-module') &&
    has(variables.proxy.volumeMounts) && !variables.proxy.volumeMounts.exists(mount, mount.mountPath == '/etc/exeunt')
{{- end }}
{{- end }}

{{- define "exeunt.cel.after.patch" -}}
(has(variables.proxy.env) ? [] : [JSONPatch{op: 'add', path: variables.proxyPath + '/env', value: []}]) +
variables.environment.map(pair,
  JSONPatch{op: 'add', path: variables.proxyPath + '/env/-', value: {'name': pair[0], 'value': pair[1]}})
{{- with include "exeunt.moduleVolume" (dict "module" (include "exeunt.moduleOption" .) "image" .Values.agent.image) | fromYaml }}
{{- $volume := merge (dict "name" "exeunt-module") (get . "exeunt-module") }}
{{- $mount := dict "name" "exeunt-module" "mountPath" "/etc/exeunt" "readOnly" true }} +
(!variables.mounts ? [] :
  [
    JSONPatch{op: 'add', path: '/spec/volumes/-', value: {{ include "exeunt.cel.value" $volume | indent 4 | trim }}},
    JSONPatch{op: 'add', path: variables.proxyPath + '/volumeMounts/-', value: {{ include "exeunt.cel.value" $mount | indent 4 | trim }}}
  ])
{{- end }}
{{- end }}
