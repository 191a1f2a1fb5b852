// All parts of a running agent, opened in order and closed in reverse: kernel, engine, servers, API server, conntrack.
import { isDeepStrictEqual } from "node:util";
import { nameLinkLocal } from "../../shared/config/addresses.ts";
import { unknownGates } from "../../shared/config/feature-gates.ts";
import { defaultKubeVersion, type KubeVersion, kubeVersionText } from "../../shared/config/kube-version.ts";
import {
  decidedLocalhost,
  localhostNodePortsGate,
  looksAfterLocalhost,
  namesLoopback,
} from "../../shared/config/localhost-gate.ts";
import type { EngineModule } from "../../shared/engine.ts";
import type { AgentConfig } from "../config/agent-config.ts";
import type { AgentSettings } from "../config/command.ts";
import { HazardReport } from "../hazards/hazard.ts";
import { HazardWatch } from "../hazards/hazard-watch.ts";
import { applySettings } from "../host/apply.ts";
import { readTcpBeLiberal } from "../host/conntrack-settings.ts";
import { type InterfaceWatch, watchInterfaces } from "../host/interfaces.ts";
import { readNfacct } from "../host/nfacct.ts";
import { settingDiagnostics, thisMachine } from "../host/setting.ts";
import { HealthState, type WatchView } from "../http/health-state.ts";
import { findLiveKubeProxy, liveKubeProxyMessage } from "../kernel/live-kube-proxy.ts";
import { ApiClient, type ApiClientOptions } from "../kube/client/api-client.ts";
import { readServerVersion } from "../kube/client/server-version.ts";
import { userAgent } from "../kube/client/user-agent.ts";
import { ClusterAccessError } from "../kube/credentials/cluster-access-error.ts";
import { findCluster } from "../kube/credentials/find-cluster.ts";
import { nameOf } from "../kube/decoding/oversized-objects.ts";
import { EventRecorder, nodeReference } from "../kube/events.ts";
import { Reflector } from "../kube/watching/reflector.ts";
import type { Progress } from "../kube/watching/reflector-state.ts";
import { endpointSlices, nodeNamed, serviceCIDRs, services } from "../kube/watching/resources.ts";
import { readUrgentLists } from "../kube/watching/urgent-lists.ts";
import type { LocalhostNodePorts } from "../localhost/node-ports.ts";
import { readRejected } from "../localhost/rejected.ts";
import type { Log } from "../log/log.ts";
import type { LocalhostMetrics } from "../metrics/localhost.ts";
import { Metrics } from "../metrics/metrics.ts";
import { type LastNode, recallNode } from "../sync/last-node.ts";
import { systemClock } from "../time/clock.ts";
import { Agent, RESOURCES } from "./agent.ts";
import type { DebugPlanPage } from "./debug-plan.ts";
import { optionsOf } from "./engine-options.ts";
import type { NodeLock } from "./lock/node-lock.ts";
import { type OpenedWriter, openWriter } from "./open-writer.ts";
import { PostSync } from "./post-sync.ts";
import { Servers } from "./servers.ts";
import { StartError } from "./start-error.ts";

export interface AgentContext {
  readonly module: EngineModule;
  readonly log: Log;
  readonly version: string;
  /** Of kernel settings, what has been said of them: an agent that starts anew does not say it again. */
  readonly settingsReported: Set<string>;
  /** The node as an agent before in this process has known it. */
  readonly lastNode: LastNode;
  /** No rules are written before it is free. */
  readonly lock: Pick<NodeLock, "free" | "holdUp" | "warning">;
  readonly api: ApiServerMemory;
  /** Connections through it go on while the agent starts anew with another configuration. */
  readonly localhost: LocalhostNodePorts;
}

/** What an agent goes by as long as the process runs, whatever becomes of the API server. */
export interface ApiServerMemory {
  /** Its version when it was asked; one that does not tell counts as `defaultKubeVersion`. */
  version: KubeVersion | undefined;
}

/** Netlink says at once whether anybody has committed anything; a look at legacy iptables' canaries starts processes. */
const LOOK_PERIOD_MS = 2_000;
/** Of objects that are left out, in health checks. */
const MOST_SHOWN = 20;
/** What an older API server does not offer is done without, as it always was. */
const OF_OLD_SERVERS: ReadonlySet<string> = new Set(["no streaming lists", "no such field selector"]);

export class RunningAgent {
  readonly #settings: AgentSettings;
  readonly #context: AgentContext;
  readonly #opened: OpenedWriter;
  readonly #interfaces: InterfaceWatch;
  readonly #client: ApiClient;
  readonly #health: HealthState;
  readonly metrics: Metrics;
  readonly #agent: Agent;
  readonly #reflectors: readonly Reflector[];
  readonly #events: EventRecorder;
  readonly #postSync: PostSync;
  readonly #hazards: HazardWatch;
  readonly #servers: Servers;
  #config: AgentConfig;
  #hasStopped = false;
  #hasWritten = false;
  #tooLong: readonly string[] = [];
  #tcpBeLiberal: boolean;
  readonly #stopping = new AbortController();

  /** @throws {StartError} nothing is left open */
  static async start(settings: AgentSettings, context: AgentContext): Promise<RunningAgent> {
    const { log } = context;
    const opened: (() => Promise<void> | void)[] = [];
    let agent: RunningAgent | undefined;
    try {
      const live = await findLiveKubeProxy();
      if (live.length > 0) {
        const message = liveKubeProxyMessage(settings.config.mode, live);
        if (settings.config.mode !== "flat") throw new StartError(message);
        log.warn({}, message);
      }
      const client = await openClient(settings, context, {
        onRequest: (request) => agent?.metrics.apiRequest(request),
        onResponse: (verb, host, bytes) => agent?.metrics.apiResponse(verb, host, bytes),
      });
      opened.push(() => client.close());
      await setUpMachine(settings.config, context);
      const writer = await openWriter(settings.config.mode, log);
      opened.push(() => writer.writer.close());
      const interfaces = await watchInterfaces({
        changed: () => agent?.reconfigure("the addresses of interfaces changed"),
        countsLinkLocal: () => nameLinkLocal((agent?.config ?? settings.config).rules.nodePortAddresses),
      });
      opened.push(() => interfaces.close());
      if (interfaces.reason !== "") {
        log.warn({ reason: interfaces.reason }, "addresses of interfaces are looked at every 10 s");
      }
      const recalled = await recallNode(context.lastNode, settings.hostname, settings.config, writer.writer);
      if (recalled.length > 0) {
        log.verbose({ addresses: recalled }, "the Node's addresses in the kernel's rules count until it is known");
      }
      const liberal = await readTcpBeLiberal(thisMachine);
      agent = new RunningAgent(settings, context, { client, writer, interfaces, liberal });
      await agent.#servers.open();
      void agent.#watchOnceAlone();
      return agent;
    } catch (error) {
      if (agent !== undefined) await agent.stop();
      else for (const close of opened.reverse()) await close();
      throw error;
    }
  }

  private constructor(
    settings: AgentSettings,
    context: AgentContext,
    parts: { client: ApiClient; writer: OpenedWriter; interfaces: InterfaceWatch; liberal: boolean },
  ) {
    const { module, log, version } = context;
    const { config } = settings;
    this.#settings = settings;
    this.#context = context;
    this.#config = config;
    this.#opened = parts.writer;
    this.#interfaces = parts.interfaces;
    this.#client = parts.client;
    this.#tcpBeLiberal = parts.liberal;
    this.#health = new HealthState({
      syncPeriodMs: config.syncPeriodMs,
      families: parts.writer.families,
      watches: () => this.#watches(),
      holdUp: () => context.lock.holdUp,
      warning: () => context.lock.warning,
    });
    this.#warnOfGates();
    this.metrics = new Metrics({
      mode: config.mode,
      version,
      watches: () => this.#watches(),
      engineMemoryBytes: () => this.#agent.state.memoryBytes,
      totals: () => this.#agent.state.use((engine) => engine.counted()),
      featureGates: () => {
        const localhost = this.#looksAfterLocalhost;
        const { featureGates } = this.#config;
        return localhost === undefined ? featureGates : { ...featureGates, [localhostNodePortsGate]: localhost };
      },
      transports: () => parts.client.transports,
      pluginCertificateExpires: () => parts.client.access.credentials.certificateExpires?.(),
      ...(config.mode === "iptables"
        ? { nfacct: readNfacct }
        : { localhost: () => this.#localhostFigures(config.mode as "flat" | "nftables") }),
    });
    this.#agent = new Agent(
      {
        module,
        options: this.#options(),
        writer: parts.writer.writer,
        families: parts.writer.families,
        health: this.#health,
        metrics: this.metrics,
        log,
        clock: systemClock,
        holdUp: () => context.lock.holdUp,
        lastNode: context.lastNode,
        lacks: () => (this.#looksAfterLocalhost === undefined ? "the API server's version" : ""),
        minSyncPeriodMs: config.minSyncPeriodMs,
        syncPeriodMs: config.syncPeriodMs,
        lookPeriodMs:
          parts.writer.writer.looksByProcess === true
            ? config.syncPeriodMs
            : Math.min(config.syncPeriodMs, LOOK_PERIOD_MS),
      },
      {
        relist: (reason) => {
          for (const reflector of this.#reflectors) reflector.relist(reason);
        },
        synced: (first) => {
          if (first) this.#firstWritten();
          return this.#postSync.synced(first);
        },
        nodeChanged: (node) => {
          this.#health.node(node);
          this.#hazards.node(node, !this.#hasWritten);
          this.#postSync.addressesChanged();
        },
      },
    );
    this.#hazards = new HazardWatch({
      report: new HazardReport(log, this.#health),
      config: () => this.#config,
      clock: systemClock,
      onFailure: (error) => log.verbose({ err: error }, "others' rules on this node can't be looked at"),
    });
    this.#events = new EventRecorder({
      client: parts.client,
      reportingController: "sluice",
      reportingInstance: `sluice-${settings.hostname}`.slice(0, 128),
      onDropped: ({ reason }, why) => log.warn({ reason, why }, "an event could not be sent"),
    });
    const shared = { settings, health: this.#health, metrics: this.metrics, events: this.#events, log };
    this.#postSync = new PostSync({
      ...shared,
      state: this.#agent.state,
      opened: parts.writer,
      localhost: context.localhost,
      clock: systemClock,
    });
    this.#servers = new Servers({
      ...shared,
      version,
      agent: this.#agent,
      resourceVersions: () => this.#resourceVersions(),
      config: () => this.#config,
    });
    const stores = [services, endpointSlices, nodeNamed(settings.hostname), serviceCIDRs];
    this.#reflectors = stores.map((resource) => {
      const reflector: Reflector = new Reflector({
        client: parts.client,
        resource,
        store: this.#agent.state.store(resource.kind),
        onProgress: (progress) => this.#progress(reflector, progress),
      });
      return reflector;
    });
  }

  /** Finishes the transaction on its way and closes everything. The rules stay. */
  async stop(): Promise<void> {
    this.#health.stopping();
    this.#hasStopped = true;
    this.#stopping.abort(new Error("the agent ends"));
    await Promise.all(this.#reflectors.map((reflector) => reflector.stop()));
    await this.#agent.stop();
    await this.#servers.close();
    await this.#postSync.close();
    await this.#hazards.close();
    await this.#events.stop();
    await this.#interfaces.close();
    await this.#client.close();
    await this.#opened.writer.close();
  }

  /** In force. */
  get config(): AgentConfig {
    return this.#config;
  }

  /** Takes a configuration that differs in nothing but what rules depend on. */
  async reconfigureRules(config: AgentConfig): Promise<void> {
    this.#config = config;
    this.#warnOfGates();
    this.#hazards.configured();
    this.#logLocalhost();
    await setUpMachine(config, this.#context);
    this.#tcpBeLiberal = await readTcpBeLiberal(thisMachine);
    await this.#interfaces.check();
    this.reconfigure("the configuration changed");
  }

  /** What the configuration file has now is not taken, and why; undefined: it is. */
  configurationRejected(why: string | undefined): void {
    const note =
      why === undefined ? undefined : `the new configuration is not taken, the one before stays in force: ${why}`;
    this.#health.warn("configuration", note);
    this.metrics.configurationRejected(note !== undefined);
    if (note === undefined) return;
    this.#events.event({
      regarding: nodeReference(this.#settings.hostname),
      type: "Warning",
      reason: "ConfigurationNotTaken",
      action: "ReadConfiguration",
      note,
    });
  }

  #firstWritten(): void {
    this.#hasWritten = true;
    const { state } = this.#agent;
    if (state.isSynced("node"))
      this.#hazards.node(
        state.use((engine) => engine.node()),
        false,
      );
    this.#hazards.start();
  }

  /** A misspelt gate leaves open what was to be closed: probes say it as long as it is in force. */
  #warnOfGates(): void {
    this.#health.warn("feature-gates", unknownGates(this.#config.featureGates).join("; ") || undefined);
  }

  /** Gives the engine its options anew. */
  reconfigure(reason: string): void {
    const options = this.#options();
    if (isDeepStrictEqual(options, this.#agent.state.options)) return;
    try {
      this.#agent.configure(options);
      this.#context.log.verbose({ reason }, "rules are computed anew");
      this.#postSync.addressesChanged();
    } catch (error) {
      this.#context.log.error({ err: error, reason }, "the engine does not take the new options; the old ones stay");
    }
  }

  #options() {
    return optionsOf(
      this.#config,
      this.#settings.hostname,
      {
        ...this.#opened.facts,
        conntrackTcpBeLiberal: this.#tcpBeLiberal,
        interfaceAddresses: this.#interfaces.addresses,
      },
      this.#context.api.version ?? defaultKubeVersion,
    );
  }

  /** Undefined: that depends on the API server's version, which is not known yet. */
  get #looksAfterLocalhost(): boolean | undefined {
    const { rules, mode } = this.#config;
    const { version } = this.#context.api;
    return (
      decidedLocalhost(rules.localhostGates, mode) ?? (version && looksAfterLocalhost(rules.localhostGates, version))
    );
  }

  /** Node ports on loopback addresses: who decides, and what an administrator may not expect. */
  #logLocalhost(): void {
    const { rules, mode } = this.#config;
    const enabled = this.#looksAfterLocalhost;
    if (mode === "iptables" || enabled === undefined) return;
    const isConfigured = decidedLocalhost(rules.localhostGates, mode) !== undefined;
    const version = kubeVersionText(this.#context.api.version ?? defaultKubeVersion);
    const because = isConfigured ? "the configuration says so" : `it is the default with an API server ${version}`;
    this.#context.log.info({ because }, `${localhostNodePortsGate} is ${enabled ? "on" : "off"}`);
    const isUnmet = !enabled && namesLoopback(rules.nodePortAddresses);
    const unmet = `node ports do not answer on loopback addresses, which nodePortAddresses names: ${localhostNodePortsGate} is off`;
    const hint = `set featureGates.${localhostNodePortsGate} to true`;
    if (isUnmet) this.#context.log.warn({ because, hint }, unmet);
    this.#health.warn("localhost", isUnmet ? unmet : undefined);
  }

  /** Undefined: nobody looks after node ports on localhost. */
  async #localhostFigures(mode: "flat" | "nftables"): Promise<LocalhostMetrics | undefined> {
    if (this.#looksAfterLocalhost !== true) return undefined;
    // A kernel that does not answer is said where rules are written.
    const rejected = await readRejected(mode).catch(() => []);
    return { ...this.#context.localhost.figures, rejected };
  }

  // ---- API server

  async #watchOnceAlone(): Promise<void> {
    await this.#context.lock.free;
    if (!this.#hasStopped) await this.#watch();
  }

  async #watch(): Promise<void> {
    this.#context.log.info(
      { server: this.#client.host, source: this.#client.access.source },
      "watching the API server",
    );
    this.#events.event({
      regarding: nodeReference(this.#settings.hostname),
      type: "Normal",
      reason: "Starting",
      action: "StartKubeProxy",
      note: `sluice ${this.#context.version}, mode ${this.#config.mode}`,
    });
    const version = this.#readVersion();
    const ahead = this.#agent.writeAhead(async (signal) => {
      const [lists] = await Promise.all([readUrgentLists(this.#client, signal), whileNot(signal, version)]);
      return lists;
    });
    const waiting = this.#reflectors.filter(({ resource }) => resource === services || resource === endpointSlices);
    for (const reflector of this.#reflectors) if (!waiting.includes(reflector)) reflector.start();
    await ahead;
    if (!this.#hasStopped) for (const reflector of waiting) reflector.start();
  }

  /** Resolves once nothing hangs on the version any more. Never rejects. */
  async #readVersion(): Promise<void> {
    if (this.#looksAfterLocalhost === undefined) {
      try {
        const version = await readServerVersion(this.#client, this.#stopping.signal);
        if (version === undefined) {
          const taken = kubeVersionText(defaultKubeVersion);
          this.#context.log.warn({ taken }, "the API server does not tell its version");
        }
        this.#context.api.version = version ?? defaultKubeVersion;
      } catch {
        return; // the agent ends
      }
      this.reconfigure("the API server's version is known");
      this.#agent.known();
    }
    this.#logLocalhost();
  }

  #progress(reflector: Reflector, progress: Progress): void {
    const resource = RESOURCES[reflector.resource.kind];
    if (progress.kind === "listed" && reflector.state().absent) this.#agent.state.markAbsent(reflector.resource.kind);
    if (progress.kind === "left out") {
      const { namespace, name } = progress.object;
      const what = `${resource}: ${nameOf(progress.object)} is left out: it has more than 3 MiB`;
      this.#context.log.error({ resource, namespace, name }, `${what}; look for what writes such an object`);
    }
    this.#logOversized();
    if (progress.kind !== "failed") return;
    const { error, reason, waitMs } = progress;
    const message = error instanceof Error ? error.message : String(error);
    const ordinary = OF_OLD_SERVERS.has(reason) || (reason === "not found" && reflector.state().absent);
    const fields = { resource, reason, waitMs: Math.round(waitMs) };
    this.#context.log[ordinary ? "info" : "warn"](fields, `${resource}: ${message}`);
  }

  /** Objects that are too long to be read. */
  #logOversized(): void {
    const names = this.#reflectors.flatMap(({ resource, oversized }) =>
      oversized.map((name) => `${resource.name} ${name}`),
    );
    if (names.length === this.#tooLong.length && names.every((name, index) => name === this.#tooLong[index])) return;
    this.#tooLong = names;
    this.metrics.refused("size", names.length);
    const shown = names.slice(0, MOST_SHOWN).join(", ") + (names.length > MOST_SHOWN ? ", …" : "");
    this.#health.warn(
      "too long",
      names.length === 0 ? undefined : `too long, and left out (${names.length}): ${shown}`,
    );
  }

  #resourceVersions(): DebugPlanPage["resourceVersions"] {
    return Object.fromEntries(
      this.#reflectors.map((reflector) => {
        const { resource, resourceVersion } = reflector.state();
        return [resource, resourceVersion];
      }),
    );
  }

  *#watches(): Generator<WatchView> {
    for (const reflector of this.#reflectors) {
      const { lastByteAgeMs, connected, synced } = reflector.state();
      const staleSeconds = lastByteAgeMs === undefined ? undefined : lastByteAgeMs / 1000;
      yield { resource: RESOURCES[reflector.resource.kind], staleSeconds, alive: connected && synced };
    }
  }
}

/** @throws the signal's reason */
function whileNot<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return Promise.race([
    promise,
    new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true })),
  ]);
}

/** Makes the kernel settings of the configuration, and says once what is not as wanted. */
async function setUpMachine(config: AgentConfig, { log, settingsReported }: AgentContext): Promise<void> {
  for (const { message, hint } of settingDiagnostics(await applySettings(config))) {
    if (!settingsReported.has(message)) log.warn({ hint }, message);
    settingsReported.add(message);
  }
}

async function openClient(
  { config, master }: AgentSettings,
  { version }: AgentContext,
  reports: Pick<ApiClientOptions, "onRequest" | "onResponse">,
): Promise<ApiClient> {
  try {
    const access = await findCluster({ kubeconfig: config.kubeconfig, master });
    return new ApiClient(access, { userAgent: userAgent(version), ...reports });
  } catch (error) {
    if (error instanceof ClusterAccessError) throw new StartError(error.message);
    throw error;
  }
}
