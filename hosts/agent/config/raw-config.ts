// A KubeProxyConfiguration whose types have been checked; null counts as not given, as in Go.
import type { RawConfig } from "../../shared/config.ts";

type Text = string | null;
type Switch = boolean | null;
type Count = number | null;

export interface RawAgentConfig extends RawConfig {
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
  healthzBindAddress?: Text;
  metricsBindAddress?: Text;
  bindAddressHardFail?: Switch;
  enableProfiling?: Switch;
  showHiddenMetricsForVersion?: Text;
  iptables?: (RawPeriods & NonNullable<RawConfig["iptables"]>) | null;
  nftables?: (RawPeriods & NonNullable<RawConfig["nftables"]>) | null;
  ipvs?: Record<string, unknown> | null;
  winkernel?: Record<string, unknown> | null;
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

export interface RawPeriods {
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
