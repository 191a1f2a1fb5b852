// kube-proxy's feature gates, as of 1.37. Sluice has none: each says why it changes nothing here.

const always = "what it brings is always on";
const metricsOnly = "these pages and metrics are kube-proxy's own";
const client = "it is about kube-proxy's API client";

export const featureGates: Readonly<Record<string, string>> = {
  KubeProxyIPVS: "ipvs is not supported",
  KubeProxyNFTablesLocalhostNodePorts: "node ports on loopback addresses are decided by the mode and nodePortAddresses",
  NFTablesNetlink: "flat and nftables mode always write by netlink",
  NFTablesProxyMode: always,
  PreferSameTrafficDistribution: always,
  ServiceTrafficDistribution: always,
  TopologyAwareHints: always,
  MultiCIDRServiceAllocator: always,
  KubeProxyDrainingTerminatingNodes: always,
  LoadBalancerIPMode: always,
  ComponentFlagz: metricsOnly,
  ComponentStatusz: metricsOnly,
  NativeHistograms: metricsOnly,
  StrictIPCIDRValidation: "the API server does this",
  ContextualLogging: "log lines always carry their context",
  LoggingAlphaOptions: "there are no such logging options",
  LoggingBetaOptions: "there are no such logging options",
  WatchListClient: client,
  InOrderInformers: client,
  InformerResourceVersion: client,
  AtomicFIFO: client,
  UnlockWhileProcessingFIFO: client,
  ClientsAllowCARotation: client,
  ClientsPreferCBOR: client,
  AllAlpha: "there are no gates to switch",
  AllBeta: "there are no gates to switch",
};
