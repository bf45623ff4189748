{{- define "penstock.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "penstock.fullname" -}}
{{- $name := include "penstock.name" . }}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "penstock.controller" -}}
{{ include "penstock.fullname" . }}-{{ .Values.controller.name }}
{{- end }}

{{- define "penstock.defaultBackend" -}}
{{ include "penstock.fullname" . }}-{{ .Values.defaultBackend.name }}
{{- end }}

{{- /* Of all that the admission webhook has. */}}
{{- define "penstock.admission" -}}
{{ include "penstock.fullname" . }}-{{ .Values.controller.admissionWebhooks.name }}
{{- end }}

{{- define "penstock.admissionLabels" -}}
{{ include "penstock.labels" . }}
{{- with .Values.controller.admissionWebhooks.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Whether the controller makes the webhook's certificate; else it reads files of a Secret. */}}
{{- define "penstock.makesCertificate" -}}
{{- with .Values.controller.admissionWebhooks }}{{ and .patch.enabled (not .certManager.enabled) }}{{ end }}
{{- end }}

{{- /* In the Common Expression Language: is the object one of our class? */}}
{{- define "penstock.admissionClass" -}}
{{- $c := .Values.controller }}
{{- $names := concat (list $c.ingressClassResource.name $c.ingressClass) $c.ingressClassResource.aliases $c.admissionWebhooks.classes | compact | uniq -}}
has(object.spec) && has(object.spec.ingressClassName) ? object.spec.ingressClassName in {{ toJson $names }} :
{{- if $c.watchIngressWithoutClass }} true
{{- else }} request.kind.group == 'penstock.dev' || has(object.metadata.annotations) && 'kubernetes.io/ingress.class' in object.metadata.annotations && object.metadata.annotations['kubernetes.io/ingress.class'] == {{ toJson $c.ingressClass }}
{{- end }}
{{- end }}

{{- define "penstock.namespace" -}}
{{ default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- define "penstock.instance" -}}
app.kubernetes.io/name: {{ include "penstock.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "penstock.selector" -}}
{{ include "penstock.instance" . }}
app.kubernetes.io/component: controller
{{- end }}

{{- /* The same in one line. */}}
{{- define "penstock.selectorText" -}}
{{- $labels := list }}
{{- range $name, $value := include "penstock.selector" . | fromYaml }}
{{- $labels = append $labels (printf "%s=%s" $name $value) }}
{{- end }}
{{- join "," $labels }}
{{- end }}

{{- define "penstock.commonLabels" -}}
{{ include "penstock.instance" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: {{ include "penstock.name" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "penstock.labels" -}}
{{ include "penstock.commonLabels" . }}
app.kubernetes.io/component: controller
{{- with .Values.controller.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "penstock.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "penstock.fullname" .) .Values.serviceAccount.name }}
{{- else }}{{ default "default" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{- define "penstock.electionID" -}}
{{ default (printf "%s-leader" (include "penstock.fullname" .)) .Values.controller.electionID }}
{{- end }}

{{- /* Of a section `image`; a repository goes before registry and image, a digest before the tag. */}}
{{- define "penstock.image" -}}
{{- $i := .image }}
{{- $registry := default .root.Values.global.image.registry $i.registry }}
{{- $name := $i.repository | default (ternary (printf "%s/%s" $registry $i.image) $i.image (ne (toString $registry) "")) }}
{{- if $i.digest }}{{ $name }}@{{ $i.digest }}{{ else }}{{ $name }}:{{ default .root.Chart.AppVersion $i.tag }}{{ end }}
{{- end }}

{{- define "penstock.scope" -}}
{{- if .Values.controller.scope.enabled }}{{ default (include "penstock.namespace" .) .Values.controller.scope.namespace }}{{ end }}
{{- end }}

{{- define "penstock.namespaceSelector" -}}
{{- if not .Values.controller.scope.enabled }}{{ .Values.controller.scope.namespaceSelector }}{{ end }}
{{- end }}

{{- /* The namespaces whose Secrets alone are read, separated by commas, or nothing: a scope has its own. */}}
{{- define "penstock.secretNamespaces" -}}
{{- if not .Values.controller.scope.enabled }}{{ .Values.rbac.secretNamespaces | uniq | sortAlpha | join "," }}{{ end }}
{{- end }}

{{- /* The path of the default certificate, or nothing. */}}
{{- define "penstock.defaultCertificate" -}}
{{- $path := default (get .Values.controller.extraArgs "default-ssl-certificate") .Values.controller.defaultSslCertificate }}
{{- tpl (toString $path) . | replace "$(POD_NAMESPACE)" (include "penstock.namespace" .) }}
{{- end }}

{{- /* The Service whose address goes into statuses, or nothing. */}}
{{- define "penstock.publishService" -}}
{{- $s := .Values.controller.service }}
{{- with .Values.controller.publishService }}
{{- if .enabled }}
{{- if .pathOverride }}{{ .pathOverride }}
{{- else if and $s.enabled $s.external.enabled }}$(POD_NAMESPACE)/{{ include "penstock.controller" $ }}
{{- else if and $s.enabled $s.internal.enabled }}$(POD_NAMESPACE)/{{ include "penstock.controller" $ }}-internal
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The Service of ours that gets the ports of streams, or nothing: with a scope elsewhere it is not seen. */}}
{{- define "penstock.streamPortsService" -}}
{{- $c := .Values.controller }}
{{- $scope := include "penstock.scope" . }}
{{- $isSeen := or (not $scope) (eq $scope (include "penstock.namespace" .)) }}
{{- if and $c.service.publishStreamPorts $isSeen (not $c.publishService.pathOverride) (not $c.disableLeaderElection) }}
{{- include "penstock.publishService" . | trimPrefix "$(POD_NAMESPACE)/" }}
{{- end }}
{{- end }}

{{- define "penstock.defaultBackendService" -}}
{{- if .Values.defaultBackend.enabled }}$(POD_NAMESPACE)/{{ include "penstock.defaultBackend" . }}
{{- else }}{{ .Values.controller.defaultBackendService }}{{ end }}
{{- end }}

{{- /* Of a port of `tcp` or `udp`. */}}
{{- define "penstock.portName" -}}
{{- with .root.Values.portNamePrefix }}{{ . }}-{{ end }}{{ .port }}-{{ .protocol }}
{{- end }}

{{- /* Whether an uninstallation begins with `penstock retire`. */}}
{{- define "penstock.retires" -}}
{{- with .Values.controller }}{{ if and .retireOnUninstall (not .disableLeaderElection) }}true{{ end }}{{ end }}
{{- end }}

{{- define "penstock.containerSecurity" -}}
{{- if .security }}{{ toYaml .security }}
{{- else -}}
runAsNonRoot: {{ .image.runAsNonRoot }}
runAsUser: {{ .image.runAsUser }}
runAsGroup: {{ .image.runAsGroup }}
allowPrivilegeEscalation: {{ .image.allowPrivilegeEscalation }}
readOnlyRootFilesystem: {{ .image.readOnlyRootFilesystem }}
seccompProfile: {{- toYaml .image.seccompProfile | nindent 2 }}
capabilities:
  drop: [ALL]
  {{- with .capabilities }}
  add: {{ toJson . }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* More than one pod at any time: what a PodDisruptionBudget is made for. */}}
{{- define "penstock.hasReplicas" -}}
{{- $c := .Values.controller }}
{{- if eq $c.kind "Deployment" }}
{{- if $c.autoscaling.enabled }}{{ if gt (int $c.autoscaling.minReplicas) 1 }}true{{ end }}
{{- else if $c.keda.enabled }}{{ if gt (int $c.keda.minReplicas) 1 }}true{{ end }}
{{- else if gt (int $c.replicaCount) 1 }}true{{ end }}
{{- end }}
{{- end }}

{{- define "penstock.disruption" -}}
{{- if not (has (toString .maxUnavailable) (list "" "<nil>")) }}
maxUnavailable: {{ .maxUnavailable }}
{{- else }}
minAvailable: {{ .minAvailable }}
{{- end }}
{{- with .unhealthyPodEvictionPolicy }}
unhealthyPodEvictionPolicy: {{ . }}
{{- end }}
{{- end }}

{{- define "penstock.autoscalingMetrics" -}}
{{- with .targetMemoryUtilizationPercentage }}
- type: Resource
  resource: {name: memory, target: {type: Utilization, averageUtilization: {{ . }}}}
{{- end }}
{{- with .targetCPUUtilizationPercentage }}
- type: Resource
  resource: {name: cpu, target: {type: Utilization, averageUtilization: {{ . }}}}
{{- end }}
{{- end }}

{{- define "penstock.defaultBackendSelector" -}}
{{ include "penstock.instance" . }}
app.kubernetes.io/component: default-backend
{{- end }}

{{- define "penstock.defaultBackendLabels" -}}
{{ include "penstock.commonLabels" . }}
app.kubernetes.io/component: default-backend
{{- with .Values.defaultBackend.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}
