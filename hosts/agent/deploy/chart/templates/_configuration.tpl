{{/* config.conf, as base/config.conf has it. */}}
{{- define "sluice.config" -}}
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: {{ .Values.mode }}
clientConnection:
  kubeconfig: /etc/sluice/kubeconfig.conf
# The addresses of the cluster's pods, IPv4, IPv6 or both (10.244.0.0/16,fd00:244::/32). Connections to cluster IPs from
# elsewhere are masqueraded; if it stays empty none is, and clients outside the cluster may get no answers from them.
clusterCIDR: {{ .Values.clusterCIDR | quote }}
# What the kubelet gives to system-node-critical pods; less would need CAP_SYS_RESOURCE.
oomScoreAdj: -997
{{ if .Values.monitoring.enabled -}}
metricsBindAddress: 0.0.0.0:10249
{{ end -}}
{{ with .Values.moreConfiguration -}}
{{ . | trim }}
{{ end -}}
{{- end -}}

{{/* kubeconfig.conf, as base/kubeconfig.conf has it. */}}
{{- define "sluice.kubeconfig" -}}
apiVersion: v1
kind: Config
clusters:
- name: default
  cluster:
    # The API server itself or a load balancer before it, never a Service's address: those work only once Sluice runs.
    server: {{ .Values.server }}
    certificate-authority: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt
users:
- name: default
  user:
    tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token
contexts:
- name: default
  context: {cluster: default, user: default}
current-context: default
{{ end -}}

{{/* The ConfigMap's name with kustomize's hash of its contents: a changed one is another ConfigMap, and the pods are replaced in turn. */}}
{{- define "sluice.configMapName" -}}
{{- $data := dict "config.conf" (include "sluice.config" .) "kubeconfig.conf" (include "sluice.kubeconfig" .) -}}
{{- $hash := dict "data" $data "kind" "ConfigMap" "name" "" | toJson | sha256sum | trunc 10 -}}
sluice-{{ $hash | replace "0" "g" | replace "1" "h" | replace "3" "k" | replace "a" "m" | replace "e" "t" }}
{{- end -}}
