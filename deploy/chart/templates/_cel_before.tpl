{{/*
The CEL of a policy that sees a pod before Istio's injector (_cel.tpl has the rest). The pod's annotations tell the injector all that the
proxy must know.
*/}}

{{- define "exeunt.cel.before.matchConditions" -}}
# Istio injects no other pods. It reads the label first, and the annotation only if there is no label.
- name: injected
  expression: |-
    !object.spec.?hostNetwork.orValue(false) &&
    !(object.metadata.?labels[?'sidecar.istio.io/inject'].orValue(
        object.metadata.?annotations[?'sidecar.istio.io/inject'].orValue('true')
      ) in ['false', 'False', 'FALSE', 'f', 'F', '0', 'n', 'no', 'off'])
{{- end }}

{{- /* Whether the proxy is told the signal listener's port. A ProxyConfig does that by itself: it sees the label that the policy has set. */}}
{{- define "exeunt.cel.before.listens" -}}
{{- if eq .Values.route "annotation" }}true{{ end }}
{{- end }}

{{- define "exeunt.cel.before.variables" -}}
{{- $quoted := `("([^"\\]|\\(.|\n))*"|'([^']|'')*')` }}
{{- $port := int64 .Values.plugin.config.signal.port -}}
# Beside a native proxy kubelet tells the agent when the task has ended. Beside any other it must see the processes of the task.
- name: native
  expression: |-
    variables.annotations[?'sidecar.istio.io/nativeSidecar'].orValue(
      {{ if eq .Values.pods.proxy "native" -}}
      object.spec.containers.exists(container, container.name == 'istio-proxy') ? 'false' : 'true'
      {{- else -}}
      'false'
      {{- end }}
    ) == 'true'
# The pod's own configuration of its proxy, and the port that it gives to the signal listener.
- name: ownConfig
  expression: string(variables.annotations[?'proxy.istio.io/config'].orValue(''))
- name: ownPort
  expression: variables.ownConfig.find('ISTIO_META_HTTP_PROXY_PORT[^0-9A-Za-z]+[0-9]+').find('[0-9]+$')
# Whether its proxyMetadata is a key. It is a part of a text if a quote is open in front of it: there may be comments, and texts in
# quotes where YAML lets one begin, each with its end.
- name: ownFront
  expression: |-
    [variables.ownConfig.split('proxyMetadata')[0]].map(front, front.endsWith('"') ? front.substring(0, front.size() - 1) : front)[0]
- name: ownKey
  expression: |-
    variables.ownFront.matches(r"""(?m)\A([^'"]|(^|[ \t])#.*\n|([{\[,]\s*|:\s+|^[ \t]*(-[ \t]+)+)""" +
      r"""{{ $quoted }}(\s*:\s*""" +
      r"""{{ $quoted }})?)*\z""")
# Its proxyMetadata up to the first entry: as {…, or as a block of lines.
- name: ownMapping
  expression: |-
    !variables.ownKey || variables.ownConfig.contains('#') ? ''
    : variables.ownConfig.trim().startsWith('{')
      ? variables.ownConfig.find(r'[{,]\s*("proxyMetadata"\s*:\s*|proxyMetadata\s*:\s+)\{')
    : variables.ownConfig.find(r'(?m)^("proxyMetadata"|proxyMetadata)\s*:\s+\{')
- name: ownBlock
  expression: |-
    !variables.ownKey ? ''
    : variables.ownConfig.find(r'(?m)^proxyMetadata:[ \t]*(#.*)?\n([ \t]*(#.*)?\n)*[ ]+["A-Za-z_]')
# What the proxy is told: the signal listener's port, and for a classic proxy to wait for open connections when the pod is deleted.
- name: proxyMetadata
  expression: |-
    {{ if include "exeunt.cel.before.listens" . -}}
    (variables.ownPort == '' ? ['"ISTIO_META_HTTP_PROXY_PORT": "{{ $port }}"'] : [])
    {{- else -}}
    []
    {{- end }}
    {{- if ne .Values.route "proxyConfig" }} +
    (variables.native || variables.ownConfig.contains('EXIT_ON_ZERO_ACTIVE_CONNECTIONS')
      ? [] : ['"EXIT_ON_ZERO_ACTIVE_CONNECTIONS": "true"'])
    {{- end }}
# CEL reads no YAML, so what is missing is written into the text where that is safe: in front of the first entry of proxyMetadata, or
# as a proxyMetadata of its own. Any other text stays as it is. Without a signal listener the agent drains by Envoy's admin interface.
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
{{- end }}

{{- define "exeunt.cel.before.patch" -}}
(variables.config == variables.ownConfig ? [] :
  [JSONPatch{op: 'add', path: '/metadata/annotations/proxy.istio.io~1config', value: variables.config}])
{{- if eq .Values.pods.proxy "native" }} +
(variables.native ? [JSONPatch{op: 'add', path: '/metadata/annotations/sidecar.istio.io~1nativeSidecar', value: 'true'}] : [])
{{- end }}
{{- with include "exeunt.moduleVolume" (dict "module" (include "exeunt.moduleOption" .) "image" .Values.agent.image) }}
{{- $entries := dict "userVolume" . "userVolumeMount" `{"exeunt-module":{"mountPath":"/etc/exeunt","readOnly":true}}` }}
{{- range $name, $entry := $entries }} +
(!variables.mounts ? [] :
  [JSONPatch{op: 'add', path: '/metadata/annotations/sidecar.istio.io~1{{ $name }}', value: {{ $entry | trimSuffix "}" | squote }} +
    [variables.annotations[?'sidecar.istio.io/{{ $name }}'].orValue('{}').trim().substring(1).trim()]
      .map(rest, rest == '}' ? rest : ', ' + rest)[0]}])
{{- end }}
{{- end }}
{{- end }}
