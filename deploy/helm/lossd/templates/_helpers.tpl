{{- define "lossd.fullname" -}}
{{- $name := .Values.fullnameOverride | default (contains .Chart.Name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name)) -}}
{{- $name = $name | trunc 53 | trimSuffix "-" -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) -}}
{{- fail (printf "fullnameOverride: expected a name of a-z, 0-9 and -, beginning with a letter, because the release's %s cannot name a service" $name) -}}
{{- end -}}
{{- $name -}}
{{- end }}

{{- define "lossd.selectorLabels" -}}
app.kubernetes.io/name: lossd
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- /* Labels that are not those of the pods, for objects that no selector may find. */ -}}
{{- define "lossd.packageLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{- end }}

{{- define "lossd.labels" -}}
{{ include "lossd.selectorLabels" . }}
{{ include "lossd.packageLabels" . }}
{{- end }}

{{- /* Labels of the pod of `helm test`, which the service and the network policy must not select. */ -}}
{{- define "lossd.checkLabels" -}}
app.kubernetes.io/name: lossd-check
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "lossd.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "lossd.fullname" .) "default") -}}
{{- end }}

{{- define "lossd.image" -}}
{{- with .Values.image -}}
{{- .repository }}{{ .digest | empty | ternary (printf ":%s" (.tag | default $.Chart.AppVersion)) (printf "@%s" .digest) -}}
{{- end -}}
{{- end }}

{{- /* Port of the metrics in each pod, and in the service. */ -}}
{{- define "lossd.metricsPort" -}}
9090
{{- end }}

{{- define "lossd.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "lossd.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "lossd.tokensVolume" -}}
- name: tokens
  secret:
    secretName: {{ .Values.tokens.secret | quote }}
    items:
      - key: {{ .Values.tokens.key | quote }}
        path: tokens
{{- end }}

{{- /* Bytes of a quantity such as 1Gi. */ -}}
{{- define "lossd.bytes" -}}
{{- $units := dict "" 1 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 -}}
{{- mul (regexFind "^[0-9]+" .) (get $units (regexFind "[A-Za-z]*$" .)) -}}
{{- end }}

{{- /* Fails if the memory limit does not hold the budgets and the processes, or is below the request, because Kubernetes would refuse the pods. */ -}}
{{- define "lossd.checkMemory" -}}
{{- $limit := dig "limits" "memory" "" .Values.resources -}}
{{- if $limit -}}
{{- $primary := ternary 100663296 0 (gt (int .Values.workers) 1) -}}
{{- $needed := add $primary (mul .Values.workers (add (int64 .Values.memoryBudget) 234881024)) -}}
{{- $bytes := include "lossd.bytes" $limit | int64 -}}
{{- if lt $bytes $needed -}}
{{- fail (printf "resources.limits.memory: expected at least %d bytes (workers x (memoryBudget + 224 MiB), and 96 MiB for several workers), got %s; raise it, or set memoryBudget to 0" $needed $limit) -}}
{{- end -}}
{{- $request := dig "requests" "memory" "" .Values.resources | toString -}}
{{- /* Leaves requests in other units, such as 1G, to Kubernetes. */ -}}
{{- if and (regexMatch "^[0-9]+(Ki|Mi|Gi)?$" $request) (gt (include "lossd.bytes" $request | int64) $bytes) -}}
{{- fail (printf "resources.requests.memory: expected at most the limit, %s, got %s" $limit $request) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- /* Seconds until a pod is killed: the longer of both times, rounded up, and 10. */ -}}
{{- define "lossd.graceSeconds" -}}
{{- add 10 (div (add 999 (max (int64 .Values.drain.lagMs) (int64 .Values.drain.limitMs))) 1000) -}}
{{- end }}

{{- /* Port of the collector's address. */ -}}
{{- define "lossd.collectorPort" -}}
{{- $address := urlParse .Values.tracing.endpoint -}}
{{- $port := regexFind ":[0-9]+$" $address.host | trimPrefix ":" | default (eq $address.scheme "https" | ternary "443" "80") -}}
{{- if or (lt (int64 $port) 1) (gt (int64 $port) 65535) -}}
{{- fail (printf "tracing.endpoint: expected a port from 1 to 65535, got %s" $port) -}}
{{- end -}}
{{- $port -}}
{{- end }}
