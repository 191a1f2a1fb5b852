// All that the agent measures, behind plain methods.

import type { Batch, DriftReport, Family, Mode, Totals } from "../../shared/contract.ts";
import { FAMILIES, familyName } from "../../shared/families.ts";
import type { WatchView } from "../http/health-state.ts";
import type { ApiRequestReport } from "../kube/client/api-client.ts";
import { changesInNetlink, rulesInIptables } from "./changes-in-batch.ts";
import { registerFeatureGates } from "./feature-gates.ts";
import { type KubeProxyMetrics, registerKubeProxyMetrics } from "./kube-proxy.ts";
import { type LocalhostMetrics, registerLocalhostMetrics } from "./localhost.ts";
import { registerProcessMetrics, runtimeVersion } from "./process.ts";
import { type Counter, Gauge, Registry } from "./prom-client.ts";
import { type RestClientMetrics, registerRestClientMetrics, type TransportCounts } from "./rest-client.ts";
import { registerSluiceMetrics, type SluiceMetrics } from "./sluice.ts";

export interface MetricsOptions {
  readonly mode: Mode;
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Asked at each scrape; `HealthState` takes the same. */
  readonly watches?: () => Iterable<WatchView>;
  /** Asked at each scrape. */
  readonly engineMemoryBytes?: () => number;
  /** Asked at each scrape: what the engine's `count` says. */
  readonly totals?: () => Totals;
  /** Asked at each scrape: the configuration's. */
  readonly featureGates?: () => Readonly<Record<string, boolean>>;
  /** Asked at each scrape. */
  readonly transports?: () => TransportCounts;
  /** Asked at each scrape: milliseconds since 1970; undefined: no plugin manages a certificate. */
  readonly pluginCertificateExpires?: () => number | undefined;
  /** Asked at each scrape, in iptables mode. Must not reject. */
  readonly nfacct?: () => Promise<NfacctPackets>;
  /** Asked at each scrape, in flat and nftables mode; undefined: nobody looks after node ports on localhost. Must not reject. */
  readonly localhost?: () => Promise<LocalhostMetrics | undefined>;
}

/** Packets that the nfacct objects have counted since they were made; undefined: there is no such object. */
export interface NfacctPackets {
  readonly invalidDropped: number | undefined;
  readonly localhostAccepted: number | undefined;
}

export type ChangedKind = "service" | "endpoint-slice";

/** What a sync has written. */
export interface Written {
  readonly bytes: number;
}

export class Metrics {
  readonly registry = new Registry();
  readonly #now: () => number;
  readonly #kubeProxy: KubeProxyMetrics;
  readonly #sluice: SluiceMetrics;
  readonly #restClient: RestClientMetrics;
  readonly #options: MetricsOptions;
  /** iptables: rules by table that the kernel has taken since the last sync that succeeded. */
  readonly #rulesWritten: Record<Family, Map<string, number>> = { ipv4: new Map(), ipv6: new Map() };
  #stateHash: bigint | undefined;
  /** Once there is something to say: kube-proxy has these with its gate alone. */
  #localhost: ReturnType<typeof registerLocalhostMetrics> | undefined;

  constructor(options: MetricsOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#kubeProxy = registerKubeProxyMetrics(this.registry, options.mode);
    this.#sluice = registerSluiceMetrics(this.registry);
    const { transports, pluginCertificateExpires } = options;
    this.#restClient = registerRestClientMetrics(this.registry, this.#now, transports, pluginCertificateExpires);
    registerFeatureGates(this.registry, options.featureGates ?? (() => ({})));
    this.#buildInfo(options.version);
    registerProcessMetrics(this.registry, this.#now);
    // Dashboards take the list of instances from these series, so they must exist before the first event.
    for (const family of FAMILIES) this.#zero(family);
  }

  /** The text of /metrics. */
  async text(): Promise<string> {
    const { watches, engineMemoryBytes, totals } = this.#options;
    for (const { resource, staleSeconds, alive } of watches?.() ?? []) {
      if (staleSeconds !== undefined) this.#sluice.staleness.set({ resource }, staleSeconds);
      this.#sluice.watchAlive.set({ resource }, alive ? 1 : 0);
    }
    if (totals !== undefined) this.counted(totals());
    if (engineMemoryBytes !== undefined) this.#sluice.engineMemory.set(engineMemoryBytes());
    const packets = await this.#options.nfacct?.();
    if (packets !== undefined) this.#nfacct(packets);
    const localhost = await this.#options.localhost?.();
    if (localhost !== undefined) {
      this.#localhost ??= registerLocalhostMetrics(this.registry);
      this.#localhost(localhost);
    }
    return this.registry.metrics();
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  // ---- syncs

  /** A change of the family's rules has been asked for. */
  queued(family: Family): void {
    this.#kubeProxy.lastQueued.set(label(family), this.#now() / 1000);
  }

  /** The kernel has acknowledged a batch. */
  written({ family, data }: Pick<Batch, "family" | "data">): void {
    if (this.#options.mode !== "iptables") {
      this.#sluice.changedElements.inc(label(family), changesInNetlink(data));
      return;
    }
    const rules = this.#rulesWritten[family];
    for (const [table, count] of rulesInIptables(data)) {
      rules.set(table, (rules.get(table) ?? 0) + count);
      this.#sluice.changedElements.inc(label(family), count);
    }
  }

  /** The kernel has acknowledged all of a sync. `full`: everything was written or compared. */
  synced(family: Family, seconds: number, full: boolean, { bytes }: Written): void {
    this.#observeSync(family, seconds, full);
    this.#kubeProxy.lastSynced.set(label(family), this.#now() / 1000);
    this.#sluice.planBytes.observe(label(family), bytes);
    const rules = this.#rulesWritten[family];
    for (const [table, count] of rules) this.#kubeProxy.iptables?.rulesLast.set({ ...label(family), table }, count);
    rules.clear();
  }

  /** A sync has failed. kube-proxy counts its duration as well. */
  failed(family: Family, seconds: number, full: boolean): void {
    this.#observeSync(family, seconds, full);
    const { iptables, nftables } = this.#kubeProxy;
    nftables?.syncFailures.inc(label(family));
    iptables?.restoreFailures.inc(label(family));
    if (!full) iptables?.partialRestoreFailures.inc(label(family));
  }

  /** Changes of objects that the API server has told and that no sync has taken up yet. */
  changes(kind: ChangedKind, count: number): void {
    const { endpointChanges, endpointChangesPending, serviceChanges, serviceChangesPending } = this.#kubeProxy;
    const [total, pending] =
      kind === "service" ? [serviceChanges, serviceChangesPending] : [endpointChanges, endpointChangesPending];
    total.inc(count);
    pending.inc(count);
  }

  /** A sync takes up all changes. */
  changesTaken(): void {
    this.#kubeProxy.endpointChangesPending.set(0);
    this.#kubeProxy.serviceChangesPending.set(0);
  }

  /** Changes of endpoints that have become part of the kernel now: when they happened, as the engine's `programmed` says. */
  programmed(family: Family, times: readonly number[]): void {
    const now = this.#now();
    for (const time of times) this.#kubeProxy.programming.observe(label(family), Math.max(0, now - time) / 1000);
  }

  /** From the last byte of an event to the kernel's acknowledgement. */
  eventToKernel(family: Family, seconds: number): void {
    this.#sluice.eventToKernel.observe(label(family), seconds);
  }

  // ---- state

  /** What the engine's `count` says. */
  counted(totals: Totals): void {
    this.#sluice.services.set(totals.services);
    const { iptables, noLocalEndpoints } = this.#kubeProxy;
    for (const family of FAMILIES) {
      const of = totals[family];
      iptables?.rules.set({ ...label(family), table: "filter" }, of.iptablesFilterRules);
      iptables?.rules.set({ ...label(family), table: "nat" }, of.iptablesNatRules);
      this.#sluice.servicePorts.set(label(family), of.servicePorts);
      this.#sluice.endpoints.set(label(family), of.endpoints);
      noLocalEndpoints.set({ ...label(family), traffic_policy: "internal" }, of.noLocalEndpointsInternal);
      noLocalEndpoints.set({ ...label(family), traffic_policy: "external" }, of.noLocalEndpointsExternal);
    }
    if (totals.stateHash === this.#stateHash) return;
    this.#stateHash = totals.stateHash;
    this.#sluice.desiredState.reset();
    this.#sluice.desiredState.set({ hash: totals.stateHash.toString(16).padStart(16, "0") }, 1);
  }

  #nfacct({ invalidDropped, localhostAccepted }: NfacctPackets): void {
    const { iptables } = this.#kubeProxy;
    setCounter(iptables?.invalidDropped, invalidDropped);
    setCounter(iptables?.localhostAccepted, localhostAccepted);
  }

  drift(family: Family, report: DriftReport): void {
    const kinds = {
      missing: report.missing,
      changed: report.changed,
      extra: report.extra,
      rebuilt: Number(report.rebuilt),
    };
    for (const [kind, count] of Object.entries(kinds)) this.#sluice.drift.inc({ ...label(family), kind }, count);
  }

  /** Of how many Services the kernel has the rules, during a cold start. */
  waveProgress(family: Family, written: number, all: number): void {
    this.#sluice.waveProgress.set(label(family), all === 0 ? 1 : Math.min(1, written / all));
  }

  /** The API server's Service and DNS work. */
  firstWave(secondsSinceStart: number): void {
    this.#sluice.firstWave.set(secondsSinceStart);
  }

  engineRestarted(): void {
    this.#sluice.engineRestarts.inc();
  }

  /** The configuration file has a content that is not taken. */
  configurationRejected(isRejected: boolean): void {
    this.#sluice.configurationRejected.set(Number(isRejected));
  }

  /** Objects left out at the moment. */
  refused(by: "engine" | "kernel" | "size" | "trap", count: number): void {
    this.#sluice.refused.set({ by }, count);
  }

  /** Services that the kernel refuses at the moment. */
  leftOut(family: Family, count: number): void {
    this.#sluice.leftOut.set(label(family), count);
  }

  // ---- conntrack, API server, probes

  conntrack(family: Family, seconds: number, deleted: number): void {
    this.#kubeProxy.conntrackDuration.observe(label(family), seconds);
    this.#kubeProxy.conntrackDeleted.inc(label(family), deleted);
  }

  /** A request to the API server was answered or failed, as the ApiClient tells it. A watch counts when it begins. */
  apiRequest({ verb, code, host, seconds, requestBytes }: ApiRequestReport): void {
    this.#restClient.requests.inc({ code, method: verb, host });
    this.#restClient.duration.observe({ verb, host }, seconds);
    this.#restClient.requestSize.observe({ verb, host }, requestBytes);
  }

  /** The answer to a request has been read to its end. */
  apiResponse(verb: string, host: string, bytes: number): void {
    this.#restClient.responseSize.observe({ verb, host }, bytes);
  }

  /** A probe was answered. */
  probed(path: "healthz" | "livez", code: number): void {
    this.#kubeProxy[path].inc({ code: String(code) });
  }

  #observeSync(family: Family, seconds: number, full: boolean): void {
    const { sync, fullSync, partialSync } = this.#kubeProxy;
    sync.observe(label(family), seconds);
    (full ? fullSync : partialSync).observe(label(family), seconds);
  }

  #zero(family: Family): void {
    const { sync, fullSync, partialSync, programming, conntrackDuration, conntrackDeleted } = this.#kubeProxy;
    const { iptables, nftables } = this.#kubeProxy;
    for (const histogram of [sync, fullSync, partialSync, programming, conntrackDuration])
      histogram.zero(label(family));
    this.#sluice.changedElements.inc(label(family), 0);
    for (const histogram of [this.#sluice.planBytes, this.#sluice.eventToKernel]) histogram.zero(label(family));
    const counters = [
      conntrackDeleted,
      iptables?.restoreFailures,
      iptables?.partialRestoreFailures,
      nftables?.syncFailures,
      nftables?.cleanupFailures,
    ];
    for (const counter of counters) counter?.inc(label(family), 0);
    for (const kind of ["missing", "changed", "extra", "rebuilt"])
      this.#sluice.drift.inc({ ...label(family), kind }, 0);
  }

  #buildInfo(version: string): void {
    const { build_date, compiler, git_commit, git_tree_state, go_version, platform } = unstamped;
    const [major = "", minor = ""] = version.split(".");
    const labels = { major, minor, git_version: `v${version}`, git_commit, git_tree_state, build_date };
    const all = { ...labels, go_version, compiler, platform };
    const info = new Gauge({
      name: "kubernetes_build_info",
      help: "A metric with a constant '1' value labeled by version, commit, date and platform of the build.",
      labelNames: Object.keys(all) as (keyof typeof all)[],
      registers: [this.registry],
    });
    info.set(all, 1);
  }
}

/** What Kubernetes' builds say of themselves where nothing has stamped them; in place of Go's version there is that of Node.js. */
const unstamped = {
  build_date: "1970-01-01T00:00:00Z",
  git_commit: "",
  git_tree_state: "",
  go_version: runtimeVersion,
  compiler: "node",
  platform: `${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`,
};

function label(family: Family): { ip_family: "IPv4" | "IPv6" } {
  return { ip_family: familyName(family) };
}

function setCounter(counter: Counter | undefined, value: number | undefined): void {
  if (counter === undefined || value === undefined) return;
  counter.reset();
  counter.inc(value);
}
