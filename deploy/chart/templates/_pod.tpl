{{/*
The parts of a pod with exeunt, for a chart that has this one as a dependency. Each takes a dict:

  container      the main container, whose end is the end of the task; or a list of them
  placement      native (the default: first of initContainers, Kubernetes 1.29 and newer) or regular (first of containers)
  restartPolicy  the pod's restartPolicy: Never (the default) or OnFailure
  gracePeriod    the pod's terminationGracePeriodSeconds as a duration, such as 60s, if it is not 30
  image          values such as those of agent.image, if the image is not the published one
  port           the signal listener's port, if it is not 15190
*/}}
{{- define "exeunt.agentContainer" -}}
{{- $mains := fromJsonArray (include "exeunt.mains" .) -}}
{{- $image := .image | default (dict "repository" "ghcr.io/exeunt-dev/exeunt-agent") }}
{{- $placement := .placement | default "native" }}
{{- if not (has $placement (list "native" "regular")) }}
{{- fail (printf "exeunt.agentContainer: placement: %q is not allowed: must be native or regular" $placement) }}
{{- end }}
{{- $policy := .restartPolicy | default "Never" }}
{{- if not (has $policy (list "Never" "OnFailure")) }}
{{- fail (printf "exeunt.agentContainer: restartPolicy: %q is not allowed: must be Never or OnFailure" $policy) }}
{{- end -}}
- name: exeunt
  image: {{ include "exeunt.image" $image | quote }}
  {{- with $image.pullPolicy }}
  imagePullPolicy: {{ . }}
  {{- end }}
  {{- if eq $placement "native" }}
  restartPolicy: Always
  {{- end }}
  args:
    - watch
    {{- range $mains }}
    - --container
    - {{ . | quote }}
    {{- end }}
    - --placement
    - {{ $placement }}
    - --restart-policy
    - {{ $policy }}
    - --state-dir
    - /run/exeunt
    {{- with .gracePeriod }}
    - --grace-period
    - {{ . | quote }}
    {{- end }}
    {{- with .port }}
    - --signal-port
    - {{ . | quote }}
    {{- end }}
  env:
    - name: EXEUNT_ISTIO_STATUS
      valueFrom:
        fieldRef:
          fieldPath: metadata.annotations['sidecar.istio.io/status']
  volumeMounts:
    - name: exeunt
      mountPath: /run/exeunt
  securityContext:
    runAsUser: 65532
    runAsGroup: 65532
    runAsNonRoot: true
    readOnlyRootFilesystem: true
    allowPrivilegeEscalation: false
    capabilities:
      drop: [ALL]
    seccompProfile:
      type: RuntimeDefault
  resources:
    requests:
      cpu: 1m
      memory: 4Mi
    limits:
      memory: 16Mi
{{- end }}

{{/* An entry of the pod's volumes. */}}
{{- define "exeunt.agentVolume" -}}
- name: exeunt
  emptyDir:
    sizeLimit: 1Mi
{{- end }}

{{/* The pod template's annotations; `port` and `container` as above. */}}
{{- define "exeunt.podAnnotations" -}}
proxy.istio.io/config: |
  proxyMetadata:
    ISTIO_META_HTTP_PROXY_PORT: {{ .port | default 15190 | toString | quote }}
    EXIT_ON_ZERO_ACTIVE_CONNECTIONS: "true"
kubectl.kubernetes.io/default-container: {{ fromJsonArray (include "exeunt.mains" .) | first | quote }}
{{- end }}

{{/* The main containers as a JSON list: `container` is one name or a list of them. */}}
{{- define "exeunt.mains" -}}
{{- $mains := kindIs "slice" .container | ternary .container (list .container) | compact }}
{{- if not $mains }}
{{- fail "exeunt: container: must name the main container, or several" }}
{{- end }}
{{- toJson $mains }}
{{- end }}
