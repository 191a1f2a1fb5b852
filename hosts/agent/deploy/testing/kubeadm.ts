// What kubeadm leaves in ConfigMap kube-system/kube-proxy, and a kubectl that knows this ConfigMap alone.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** All fields, most of them empty, as kubeadm writes them. */
export const kubeadmConfig = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
bindAddress: 0.0.0.0
bindAddressHardFail: false
clientConnection:
  acceptContentTypes: ""
  burst: 0
  contentType: ""
  kubeconfig: /var/lib/kube-proxy/kubeconfig.conf
  qps: 0
clusterCIDR: 10.244.0.0/16,fd00:244::/32
configSyncPeriod: 0s
conntrack:
  maxPerCore: null
  min: null
  tcpBeLiberal: false
  tcpCloseWaitTimeout: null
  tcpEstablishedTimeout: null
  udpStreamTimeout: 0s
  udpTimeout: 0s
detectLocal:
  bridgeInterface: ""
  interfaceNamePrefix: ""
detectLocalMode: ""
enableProfiling: false
healthzBindAddress: ""
hostnameOverride: ""
iptables:
  localhostNodePorts: null
  masqueradeAll: false
  masqueradeBit: null
  minSyncPeriod: 0s
  syncPeriod: 0s
ipvs:
  excludeCIDRs: null
  minSyncPeriod: 0s
  scheduler: ""
  strictARP: false
  syncPeriod: 0s
  tcpFinTimeout: 0s
  tcpTimeout: 0s
  udpTimeout: 0s
kind: KubeProxyConfiguration
logging:
  flushFrequency: 0
  options:
    json:
      infoBufferSize: "0"
    text:
      infoBufferSize: "0"
  verbosity: 0
metricsBindAddress: ""
mode: ""
nftables:
  masqueradeAll: false
  masqueradeBit: null
  minSyncPeriod: 0s
  syncPeriod: 0s
nodePortAddresses: null
oomScoreAdj: null
portRange: ""
showHiddenMetricsForVersion: ""
winkernel:
  enableDSR: false
  forwardHealthCheckVip: false
  networkName: ""
  rootHnsEndpointName: ""
  sourceVip: ""`;

export const kubeadmKubeconfig = `apiVersion: v1
kind: Config
clusters:
- cluster:
    certificate-authority: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt
    server: https://192.168.10.1:6443
  name: default
contexts:
- context:
    cluster: default
    namespace: default
    user: default
  name: default
current-context: default
users:
- name: default
  user:
    tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token`;

/**
 * @param data the ConfigMap's keys, with dots escaped as jsonpath has them, and texts
 * @returns the directory, to be first in PATH
 */
export function onlyKubectl(directory: string, data: Record<string, string>): string {
  mkdirSync(directory, { recursive: true });
  const known = "--namespace kube-system get configmap kube-proxy --output jsonpath=";
  const cases = Object.entries(data).map(([key, text], index) => {
    writeFileSync(join(directory, `data.${index}`), text);
    return `'${known}{.data.${key}}') cat '${join(directory, `data.${index}`)}' ;;`;
  });
  const script = ["#!/bin/sh", 'case "$*" in', ...cases, '*) echo "unexpected: $*" >&2; exit 1 ;;', "esac"];
  writeFileSync(join(directory, "kubectl"), `${script.join("\n")}\n`, { mode: 0o755 });
  return directory;
}
