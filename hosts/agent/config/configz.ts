// The configuration in force with every field that a KubeProxyConfiguration has, in kube-proxy's order: for /configz.
import type { AgentConfig } from "./agent-config.ts";
import { kubeProxyConfiguration } from "./write-config.ts";

type Fields = Readonly<Record<string, unknown>>;

const none = "0s";
const buffer = { infoBufferSize: "0" };

/** What Sluice does not read has the value that it has in kube-proxy where nothing is given. */
const complete: Fields = {
  kind: "",
  apiVersion: "",
  featureGates: undefined,
  clientConnection: { kubeconfig: "", acceptContentTypes: "", contentType: "application/json", qps: 0, burst: 0 },
  logging: { format: "", flushFrequency: none, verbosity: 0, options: { text: buffer, json: buffer } },
  hostnameOverride: "",
  bindAddress: "",
  healthzBindAddress: "",
  metricsBindAddress: "",
  bindAddressHardFail: false,
  enableProfiling: false,
  showHiddenMetricsForVersion: "",
  mode: "",
  iptables: { masqueradeBit: 0, masqueradeAll: false, localhostNodePorts: true, syncPeriod: none, minSyncPeriod: none },
  ipvs: {
    syncPeriod: none,
    minSyncPeriod: none,
    scheduler: "",
    excludeCIDRs: null,
    strictARP: false,
    tcpTimeout: none,
    tcpFinTimeout: none,
    udpTimeout: none,
  },
  nftables: { masqueradeBit: 0, masqueradeAll: false, syncPeriod: none, minSyncPeriod: none },
  winkernel: {
    networkName: "",
    sourceVip: "",
    enableDSR: false,
    rootHnsEndpointName: "",
    forwardHealthCheckVip: false,
  },
  detectLocalMode: "",
  detectLocal: { bridgeInterface: "", interfaceNamePrefix: "" },
  clusterCIDR: "",
  nodePortAddresses: null,
  oomScoreAdj: 0,
  conntrack: {
    maxPerCore: 0,
    min: 0,
    tcpEstablishedTimeout: none,
    tcpCloseWaitTimeout: none,
    tcpBeLiberal: false,
    udpTimeout: none,
    udpStreamTimeout: none,
  },
  configSyncPeriod: none,
  portRange: "",
};

/** The object that /configz answers, as JSON takes it: without gates there is no field of them, as in kube-proxy. */
export function configz(config: AgentConfig): Fields {
  const { featureGates, nodePortAddresses, ...others } = kubeProxyConfiguration(config);
  const orNothing = (value: unknown, nothing: null | undefined) =>
    Object.keys(value as object).length === 0 ? nothing : value;
  return filled(complete, {
    ...others,
    featureGates: orNothing(featureGates, undefined),
    nodePortAddresses: orNothing(nodePortAddresses, null),
  });
}

/** The fields of `all`, with the values of `given` where it has them. */
function filled(all: Fields, given: Fields): Fields {
  return Object.fromEntries(
    Object.entries(all).map(([name, otherwise]) => {
      const value = given[name];
      if (value === undefined) return [name, otherwise];
      return [name, isFields(otherwise) && isFields(value) ? filled(otherwise, value) : value];
    }),
  );
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
