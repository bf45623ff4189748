{{- /* Values of ingress-nginx's chart that cannot be honoured, and pairs that exclude each other. Each
       sentence names the value and what to use instead. */}}
{{- define "penstock.refusals" -}}
{{- $c := .Values.controller -}}
{{- $image := include "penstock.image" (dict "image" $c.image "root" .) -}}
{{- $all := list
  (list $c.image.chroot "controller.image.chroot" "there is one image, whose root file system is read-only: remove the value")
  (list (contains "ingress-nginx/controller" $image) "controller.image" (printf "%s is ingress-nginx's image: name the one of Penstock" $image))
  (list (eq (toString $c.containerName) "proxy") "controller.containerName" "the other container of the pod has that name: choose another one")
  (list $c.addHeaders "controller.addHeaders" "response headers of all hosts are not served: add them in the application")
  (list $c.proxySetHeaders "controller.proxySetHeaders" "request headers of one's own are not served: set them in the application")
  (list $c.allowSnippetAnnotations "controller.allowSnippetAnnotations" "there is no configuration text to put snippets into: use the annotations of docs/reference/annotations.md; Ingresses that carry snippets are served without them with annotations-risk-level: Critical in controller.config")
  (list (not $c.enableAnnotationValidations) "controller.enableAnnotationValidations" "annotations are always checked: remove the value and mend what the controller reports")
  (list $c.extraModules "controller.extraModules" "the proxy loads no modules: remove the value")
  (list $c.maxmindLicenseKey "controller.maxmindLicenseKey" "there is no geography of addresses: use whitelist-source-range and denylist-source-range")
  (list $c.enableMimalloc "controller.enableMimalloc" "the proxy needs no other allocator: remove the value")
  (list (or $c.customTemplate.configMapName $c.customTemplate.configMapKey) "controller.customTemplate" "there is no nginx.conf and so no template of it: use controller.config and annotations")
  (list $c.shareProcessNamespace "controller.shareProcessNamespace" "it would let the proxy reach the controller and its token: use kubectl debug --target")
  (list (ne (dir $c.admissionWebhooks.certificate) (dir $c.admissionWebhooks.key)) "controller.admissionWebhooks.key" "the certificate and its key come from one Secret: name two files of one folder")
  (list .Values.dhParam "dhParam" "key exchange is by elliptic curves, which need no parameters: remove the value")
  (list .Values.serviceAccount.automountServiceAccountToken "serviceAccount.automountServiceAccountToken" "the pod mounts the token by itself, into the controller alone: remove the value")
  (list (and .Values.rbac.scope (not $c.scope.enabled)) "rbac.scope" "Roles of one namespace serve one namespace: set controller.scope.enabled, too")
  (list (and $c.autoscaling.enabled $c.keda.enabled) "controller.keda.enabled" "controller.autoscaling.enabled is set, too: choose one of them")
  (list (and $c.keda.enabled (not $c.keda.triggers)) "controller.keda.triggers" "a ScaledObject needs a trigger: name one")
  (list (and (or $c.autoscaling.enabled $c.keda.enabled) (eq $c.kind "DaemonSet")) "controller.kind" "a DaemonSet is not scaled: use Deployment or switch autoscaling and keda off")
  (list (and .Values.defaultBackend.enabled $c.defaultBackendService) "controller.defaultBackendService" "defaultBackend.enabled is set, too: choose one of them")
  (list (and .Values.defaultBackend.enabled (not (or .Values.defaultBackend.image.repository .Values.defaultBackend.image.image))) "defaultBackend.image.repository" "name an image that answers GET / and GET /healthz on defaultBackend.port")
-}}
{{- range $all }}
{{- if index . 0 }}{{ fail (printf "%s: %s" (index . 1) (index . 2)) }}{{ end }}
{{- end }}
{{- end }}
