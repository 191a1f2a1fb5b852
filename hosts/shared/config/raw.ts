// A KubeProxyConfiguration as it is written, its types checked; null counts as not given, as in Go.

type Text = string | null;
type Switch = boolean | null;
type Count = number | null;

export interface RawConfig {
  featureGates?: Record<string, boolean | null> | null;
  clientConnection?: {
    kubeconfig?: Text;
    acceptContentTypes?: Text;
    contentType?: Text;
    qps?: Count;
    burst?: Count;
  } | null;
  logging?: {
    format?: Text;
    flushFrequency?: string | number | null;
    verbosity?: Count;
    vmodule?: unknown[] | null;
    options?: Record<string, Record<string, unknown> | null> | null;
  } | null;
  hostnameOverride?: Text;
  bindAddress?: Text;
  healthzBindAddress?: Text;
  metricsBindAddress?: Text;
  bindAddressHardFail?: Switch;
  enableProfiling?: Switch;
  showHiddenMetricsForVersion?: Text;
  mode?: Text;
  iptables?: (RawSection & { localhostNodePorts?: Switch }) | null;
  nftables?: RawSection | null;
  ipvs?: Record<string, unknown> | null;
  winkernel?: Record<string, unknown> | null;
  detectLocalMode?: Text;
  detectLocal?: { bridgeInterface?: Text; interfaceNamePrefix?: Text } | null;
  clusterCIDR?: Text;
  nodePortAddresses?: Text[] | null;
  oomScoreAdj?: Count;
  conntrack?: {
    maxPerCore?: Count;
    min?: Count;
    tcpEstablishedTimeout?: Text;
    tcpCloseWaitTimeout?: Text;
    tcpBeLiberal?: Switch;
    udpTimeout?: Text;
    udpStreamTimeout?: Text;
  } | null;
  configSyncPeriod?: Text;
  portRange?: Text;
  windowsRunAsService?: Switch;
}

/** What the sections of modes have in common. */
export interface RawSection {
  masqueradeAll?: Switch;
  masqueradeBit?: Count;
  syncPeriod?: Text;
  minSyncPeriod?: Text;
}

/** The value at a path such as `iptables.syncPeriod`; undefined where it or a part above is absent or null. */
export function valueAt(raw: object, field: string): unknown {
  let value: unknown = raw;
  for (const step of field.split(".")) value = (value as Record<string, unknown> | null | undefined)?.[step];
  return value ?? undefined;
}

/** A copy of `raw` with another value at that path. */
export function withValue<T extends object>(raw: T, field: string, value: unknown): T {
  const [first = "", ...rest] = field.split(".");
  const inner = (raw as Record<string, unknown>)[first] ?? {};
  return { ...raw, [first]: rest.length === 0 ? value : withValue(inner as object, rest.join("."), value) };
}
