{{- /* Flags as `extraArgs` gives them: without a value the flag alone. */}}
{{- define "penstock.extraArgs" -}}
{{- range $flag, $value := .args }}
{{- if or (kindIs "invalid" $value) (eq (toString $value) "") }}
- --{{ $flag }}
{{- else }}
- {{ printf "--%s=%s" $flag (tpl (toString $value) $.root) | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "penstock.controllerArgs" -}}
{{- $c := .Values.controller -}}
- --socket=/run/penstock/snapshot.sock
- {{ printf "--status-address=%s:%v" (default "0.0.0.0" $c.healthCheckHost) $c.metrics.port | quote }}
- --ingress-class={{ $c.ingressClass }}
- --controller-class={{ $c.ingressClassResource.controllerValue }}
- --configmap={{ default "$(POD_NAMESPACE)" $c.configMapNamespace }}/{{ include "penstock.controller" . }}
- --election-id={{ include "penstock.electionID" . }}
{{- with $c.electionTTL }}
- --election-ttl={{ . }}
{{- end }}
{{- if ne $c.healthCheckPath "/healthz" }}
- {{ printf "--health-check-path=%s" $c.healthCheckPath | quote }}
{{- end }}
{{- if $c.enableTopologyAwareRouting }}
- --enable-topology-aware-routing
{{- end }}
{{- if .Values.tcp }}
- --tcp-services-configmap={{ default "$(POD_NAMESPACE)" $c.tcp.configMapNamespace }}/{{ include "penstock.fullname" . }}-tcp
{{- end }}
{{- if .Values.udp }}
- --udp-services-configmap={{ default "$(POD_NAMESPACE)" $c.udp.configMapNamespace }}/{{ include "penstock.fullname" . }}-udp
{{- end }}
{{- if and (ne (int $c.containerPort.http) 80) (not (hasKey $c.extraArgs "http-port")) }}
- --http-port={{ $c.containerPort.http }}
{{- end }}
{{- if and (ne (int $c.containerPort.https) 443) (not (hasKey $c.extraArgs "https-port")) }}
- --https-port={{ $c.containerPort.https }}
{{- end }}
{{- if $c.ingressClassByName }}
- --ingress-class-by-name
{{- end }}
{{- if $c.watchIngressWithoutClass }}
- --watch-ingress-without-class
{{- end }}
{{- if $c.reportNodeInternalIp }}
- --report-node-internal-ip-address
{{- end }}
{{- if $c.disableLeaderElection }}
- --disable-leader-election
{{- end }}
{{- with include "penstock.scope" . }}
- --watch-namespace={{ . }}
{{- end }}
{{- with include "penstock.namespaceSelector" . }}
- {{ printf "--watch-namespace-selector=%s" . | quote }}
{{- end }}
{{- with include "penstock.secretNamespaces" . }}
- --secret-namespaces={{ . }}
{{- end }}
{{- if $c.streamPortPolicies }}
- --stream-port-policies
{{- end }}
{{- if $c.admissionWebhooks.enabled }}
- --validating-webhook=:{{ $c.admissionWebhooks.port }}
- --validating-webhook-name={{ include "penstock.admission" . }}
{{- if ne (include "penstock.makesCertificate" .) "true" }}
- --validating-webhook-certificate={{ $c.admissionWebhooks.certificate }}
- --validating-webhook-key={{ $c.admissionWebhooks.key }}
{{- end }}
{{- if $c.admissionWebhooks.refuseTakenPorts }}
- --validating-webhook-strict
{{- end }}
{{- end }}
{{- with include "penstock.publishService" . }}
- --publish-service={{ . }}
{{- end }}
{{- if include "penstock.streamPortsService" . }}
- --publish-stream-ports
{{- end }}
{{- with include "penstock.defaultBackendService" . }}
- --default-backend-service={{ . }}
{{- end }}
{{- with $c.defaultSslCertificate }}
- --default-ssl-certificate={{ . }}
{{- end }}
{{- with include "penstock.admin.args" . | trim }}{{ . | nindent 0 }}{{- end }}
{{- include "penstock.extraArgs" (dict "args" $c.extraArgs "root" .) }}
{{- end }}

{{- /* Who we are in the cluster. */}}
{{- define "penstock.identityEnv" -}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: POD_UID
  valueFrom: {fieldRef: {fieldPath: metadata.uid}}
{{- end }}

{{- /* The service account's token. */}}
{{- define "penstock.tokenVolume" -}}
name: token
projected:
  defaultMode: 0440
  sources:
  - serviceAccountToken: {path: token, expirationSeconds: 3607}
  - configMap:
      name: kube-root-ca.crt
      items: [{key: ca.crt, path: ca.crt}]
  - downwardAPI:
      items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]
{{- end }}

{{- define "penstock.tokenMount" -}}
{name: token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- end }}

{{- /* The one with the service account's token. */}}
{{- define "penstock.controllerContainer" -}}
{{- $c := .Values.controller -}}
name: {{ default "controller" $c.containerName }}
image: {{ include "penstock.image" (dict "image" $c.image "root" .) }}
imagePullPolicy: {{ $c.image.pullPolicy }}
command: [penstock-controller]
args: {{- include "penstock.controllerArgs" . | nindent 2 }}
env:
{{ include "penstock.identityEnv" . }}
{{- with $c.extraEnvs }}
{{ toYaml . }}
{{- end }}
ports:
- {name: {{ $c.metrics.portName }}, containerPort: {{ $c.metrics.port }}}
{{- with include "penstock.admin.port" . | trim }}{{ . | nindent 0 }}{{- end }}
{{- if $c.admissionWebhooks.enabled }}
- {name: webhook, containerPort: {{ $c.admissionWebhooks.port }}}
{{- end }}
{{- with $c.startupProbe }}
startupProbe: {{- toYaml . | nindent 2 }}
{{- end }}
livenessProbe: {{- include "penstock.probe" (dict "probe" $c.livenessProbe "port" $c.metrics.port "default" 10254) | nindent 2 }}
readinessProbe: {{- include "penstock.probe" (dict "probe" $c.readinessProbe "port" $c.metrics.port "default" 10254) | nindent 2 }}
securityContext: {{- include "penstock.containerSecurity" (dict "security" $c.containerSecurityContext "image" $c.image) | nindent 2 }}
resources: {{- toYaml $c.resources | nindent 2 }}
{{- with $c.resizePolicy }}
resizePolicy: {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
- {name: socket, mountPath: /run/penstock}
- {{ include "penstock.tokenMount" . }}
{{- with include "penstock.admin.mounts" . | trim }}{{ . | nindent 0 }}{{- end }}
{{- if and $c.admissionWebhooks.enabled (ne (include "penstock.makesCertificate" .) "true") }}
- {name: webhook-certificate, mountPath: {{ dir $c.admissionWebhooks.certificate }}, readOnly: true}
{{- end }}
{{- with $c.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* A probe of the default port follows the port. */}}
{{- define "penstock.probe" -}}
{{- $probe := deepCopy .probe }}
{{- if and $probe.httpGet (eq (toString (dig "port" "" $probe.httpGet)) (toString .default)) }}
{{- $_ := set $probe.httpGet "port" .port }}
{{- end }}
{{- toYaml $probe }}
{{- end }}

{{- define "penstock.proxyPorts" -}}
{{- $c := .Values.controller }}
{{- range $name := list "http" "https" }}
- name: {{ $name }}
  containerPort: {{ index $c.containerPort $name }}
  protocol: TCP
  {{- if $c.hostPort.enabled }}
  hostPort: {{ index $c.hostPort.ports $name }}
  {{- end }}
{{- end }}
{{- range $protocol := list "tcp" "udp" }}
{{- range $port, $_ := index $.Values $protocol }}
- name: {{ include "penstock.portName" (dict "root" $ "port" $port "protocol" $protocol) }}
  containerPort: {{ $port }}
  protocol: {{ upper $protocol }}
  {{- if $c.hostPort.enabled }}
  hostPort: {{ $port }}
  {{- end }}
{{- end }}
{{- end }}
- {name: proxy-metrics, containerPort: {{ .Values.proxy.metricsPort }}}
{{- end }}

{{- /* The one that faces the internet. */}}
{{- define "penstock.proxyContainer" -}}
{{- $c := .Values.controller -}}
{{- $p := .Values.proxy -}}
name: proxy
image: {{ include "penstock.image" (dict "image" $c.image "root" .) }}
imagePullPolicy: {{ $c.image.pullPolicy }}
command: [penstock-proxy]
args:
- --socket=/run/penstock/snapshot.sock
- --state=/var/lib/penstock/state
- {{ printf "--admin-address=%s:%v" (default "0.0.0.0" $c.healthCheckHost) $p.metricsPort | quote }}
{{- if $p.workers }}
- --workers={{ $p.workers }}
{{- end }}
{{- include "penstock.extraArgs" (dict "args" $p.extraArgs "root" .) }}
{{- with $p.extraEnvs }}
env: {{- toYaml . | nindent 0 }}
{{- end }}
ports: {{- include "penstock.proxyPorts" . }}
{{- with $p.startupProbe }}
startupProbe: {{- toYaml . | nindent 2 }}
{{- end }}
livenessProbe: {{- include "penstock.probe" (dict "probe" $p.livenessProbe "port" $p.metricsPort "default" 10246) | nindent 2 }}
readinessProbe: {{- include "penstock.probe" (dict "probe" $p.readinessProbe "port" $p.metricsPort "default" 10246) | nindent 2 }}
{{- if and $c.lifecycle (not (contains "/wait-shutdown" (toJson $c.lifecycle))) }}
lifecycle: {{- toYaml $c.lifecycle | nindent 2 }}
{{- else if $p.preStopSeconds }}
lifecycle:
  preStop: {exec: {command: [sleep, {{ $p.preStopSeconds | quote }}]}}
{{- end }}
securityContext: {{- include "penstock.containerSecurity" (dict "security" $c.containerSecurityContext "image" $c.image) | nindent 2 }}
resources: {{- toYaml $p.resources | nindent 2 }}
{{- with $p.resizePolicy }}
resizePolicy: {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
- {name: socket, mountPath: /run/penstock}
- {name: state, mountPath: /var/lib/penstock}
{{- with $p.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}
