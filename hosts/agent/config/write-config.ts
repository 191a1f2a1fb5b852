// The configuration in force as a KubeProxyConfiguration again: for --write-config-to, and for configz.ts.
import { stringify } from "yaml";
import { formatListenAddress } from "../../shared/config/addresses.ts";
import { formatDuration } from "../../shared/config/duration.ts";
import type { DetectLocalMode, Mode } from "../../shared/contract.ts";
import type { AgentConfig } from "./agent-config.ts";

const detectLocalModes: Readonly<Record<DetectLocalMode, string>> = {
  "cluster-cidr": "ClusterCIDR",
  "node-cidr": "NodeCIDR",
  "bridge-interface": "BridgeInterface",
  "interface-name-prefix": "InterfaceNamePrefix",
};

/** v1alpha1. What has no effect is left out; a server that is switched off has an empty address. */
export function kubeProxyConfiguration(config: AgentConfig): Record<string, unknown> {
  const { rules, conntrack, logging } = config;
  const section = (name: "iptables" | "nftables") => {
    const { all, bit } = rules.masquerade[name];
    const inUse = (config.mode === "iptables") === (name === "iptables");
    return {
      masqueradeAll: all,
      masqueradeBit: bit,
      ...(inUse && {
        syncPeriod: formatDuration(config.syncPeriodMs),
        minSyncPeriod: formatDuration(config.minSyncPeriodMs),
      }),
    };
  };
  const seconds = (value: number) => formatDuration(value * 1000);
  const address = (value: AgentConfig["healthzBindAddress"]) => (value === undefined ? "" : formatListenAddress(value));
  return {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    featureGates: config.featureGates,
    clientConnection: { kubeconfig: config.kubeconfig, qps: config.qps, burst: config.burst },
    logging: {
      format: logging.format,
      flushFrequency: formatDuration(logging.flushFrequencyMs),
      verbosity: logging.verbosity,
    },
    hostnameOverride: rules.hostnameOverride,
    bindAddress: rules.bindAddress,
    healthzBindAddress: address(config.healthzBindAddress),
    metricsBindAddress: address(config.metricsBindAddress),
    bindAddressHardFail: config.bindAddressHardFail,
    enableProfiling: config.enableProfiling,
    mode: config.mode satisfies Mode,
    iptables: {
      ...section("iptables"),
      // Elsewhere it is not read, and would bring a warning.
      ...((config.mode === "iptables" || !rules.localhostNodePorts) && {
        localhostNodePorts: rules.localhostNodePorts,
      }),
    },
    nftables: section("nftables"),
    detectLocalMode: detectLocalModes[rules.detectLocalMode],
    detectLocal: { bridgeInterface: rules.bridgeInterface, interfaceNamePrefix: rules.interfaceNamePrefix },
    clusterCIDR: rules.clusterCidr,
    nodePortAddresses: rules.nodePortAddresses,
    oomScoreAdj: config.oomScoreAdj,
    conntrack: {
      maxPerCore: conntrack.maxPerCore,
      min: conntrack.min,
      tcpEstablishedTimeout: seconds(conntrack.tcpEstablishedTimeoutSeconds),
      tcpCloseWaitTimeout: seconds(conntrack.tcpCloseWaitTimeoutSeconds),
      tcpBeLiberal: rules.conntrackTcpBeLiberal,
      udpTimeout: seconds(conntrack.udpTimeoutSeconds),
      udpStreamTimeout: seconds(conntrack.udpStreamTimeoutSeconds),
    },
    configSyncPeriod: formatDuration(config.configSyncPeriodMs),
  };
}

/**
 * The text of a configuration file that means the same as `config`. `lost`: flags that a file can't express, because an empty
 * address in a file means the default.
 */
export function configurationFile(config: AgentConfig): { text: string; lost: string[] } {
  const lost: string[] = [];
  if (config.healthzBindAddress === undefined) lost.push("--healthz-bind-address=");
  if (config.metricsBindAddress === undefined) lost.push("--metrics-bind-address=");
  // Kubernetes reads YAML 1.1: a node that is called `on` needs its quotes.
  return { text: stringify(kubeProxyConfiguration(config), { version: "1.1" }), lost };
}
