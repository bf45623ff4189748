{{/* What controller.admin adds to the controller's container; nothing while it is off. */}}
{{- define "penstock.admin.args" -}}
{{- with .Values.controller.admin }}{{- if .enabled }}
- --admin-port={{ .port }}
{{- if .tokenReview }}
- --admin-token-review
{{- end }}
{{- if .tokenSecret }}
- --admin-token-file=/etc/penstock/admin-token/token
{{- end }}
{{- if .tlsSecret }}
- --admin-bind-address=0.0.0.0
- --admin-certificate-file=/etc/penstock/admin-tls/tls.crt
- --admin-key-file=/etc/penstock/admin-tls/tls.key
{{- end }}
{{- end }}{{- end }}
{{- end }}

{{- define "penstock.admin.port" -}}
{{- with .Values.controller.admin }}{{- if .enabled }}
- {name: admin, containerPort: {{ .port }}}
{{- end }}{{- end }}
{{- end }}

{{- define "penstock.admin.mounts" -}}
{{- with .Values.controller.admin }}{{- if .enabled }}
{{- if .tokenSecret }}
- {name: admin-token, mountPath: /etc/penstock/admin-token, readOnly: true}
{{- end }}
{{- if .tlsSecret }}
- {name: admin-tls, mountPath: /etc/penstock/admin-tls, readOnly: true}
{{- end }}
{{- end }}{{- end }}
{{- end }}

{{- define "penstock.admin.volumes" -}}
{{- with .Values.controller.admin }}{{- if .enabled }}
{{- if .tokenSecret }}
- name: admin-token
  secret: {secretName: {{ .tokenSecret }}, defaultMode: 0440, items: [{key: token, path: token}]}
{{- end }}
{{- if .tlsSecret }}
- name: admin-tls
  secret: {secretName: {{ .tlsSecret }}, defaultMode: 0440}
{{- end }}
{{- end }}{{- end }}
{{- end }}
