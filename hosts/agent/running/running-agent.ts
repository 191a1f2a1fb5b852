// All parts of a running agent, opened in order and closed in reverse: kernel, engine, servers, API server, conntrack.
import { isDeepStrictEqual } from "node:util";
import { nameLinkLocal } from "../../shared/config/addresses.ts";
import { unknownGates } from "../../shared/config/feature-gates.ts";
import { defaultKubeVersion, type KubeVersion, kubeVersionText } from "../../shared/config/kube-version.ts";
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
import { HealthState } from "../http/health-state.ts";
import { findLiveKubeProxy, liveKubeProxyMessage } from "../kernel/leftovers/live-kube-proxy.ts";
import { ApiClient, type ApiClientOptions } from "../kube/client/api-client.ts";
import { readServerVersion } from "../kube/client/server-version.ts";
import { userAgent } from "../kube/client/user-agent.ts";
import { ClusterAccessError } from "../kube/credentials/cluster-access-error.ts";
import { findCluster } from "../kube/credentials/find-cluster.ts";
import { EventRecorder, nodeReference } from "../kube/events.ts";
import type { LocalhostNodePorts } from "../localhost/node-ports.ts";
import type { Log } from "../log/log.ts";
import { Metrics } from "../metrics/metrics.ts";
import { type LastNode, recallNode } from "../sync/last-node.ts";
import { systemClock } from "../time/clock.ts";
import { Agent } from "./agent.ts";
import { ApiWatch } from "./api-watch.ts";
import { optionsOf } from "./engine-options.ts";
import { LocalhostGate } from "./localhost-gate.ts";
import type { NodeLock } from "./lock/node-lock.ts";
import { type OpenedWriter, openWriter } from "./open-writer.ts";
import { PostSync } from "./post-sync.ts";
import { Servers } from "./servers.ts";
import { StartError } from "./start-error.ts";

export interface AgentContext {
  readonly module: EngineModule;
  readonly log: Log;
  readonly version: string;
  /** Messages about kernel settings that were logged already: an agent that starts anew does not repeat them. */
  readonly settingsReported: Set<string>;
  /** The Node as the agent before this one in the same process knew it. */
  readonly lastNode: LastNode;
  /** No rules are written before `free` resolves. */
  readonly lock: Pick<NodeLock, "free" | "holdUp" | "warning">;
  readonly api: ApiServerMemory;
  /** Connections through it go on while the agent starts anew with another configuration. */
  readonly localhost: LocalhostNodePorts;
}

/** What is known of the API server for as long as the process runs. */
export interface ApiServerMemory {
  /** Its version when it was asked; `defaultKubeVersion` if it did not tell. */
  version: KubeVersion | undefined;
}

/** A check of nf_tables costs nothing. One of legacy iptables' canary chains starts processes and is made less often. */
const DRIFT_CHECK_MS = 2_000;

/** An agent with one configuration. Rules alone may change in it; for another mode, address or port it is started anew. */
export class RunningAgent {
  readonly #settings: AgentSettings;
  readonly #context: AgentContext;
  readonly #opened: OpenedWriter;
  readonly #interfaces: InterfaceWatch;
  readonly #client: ApiClient;
  readonly #health: HealthState;
  readonly metrics: Metrics;
  readonly #agent: Agent;
  readonly #apiWatch: ApiWatch;
  readonly #localhost: LocalhostGate;
  readonly #events: EventRecorder;
  readonly #postSync: PostSync;
  readonly #hazards: HazardWatch;
  readonly #servers: Servers;
  #config: AgentConfig;
  #hasStopped = false;
  #hasWritten = false;
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
      watches: () => this.#apiWatch.views(),
      holdUp: () => context.lock.holdUp,
      warning: () => context.lock.warning,
    });
    this.#localhost = new LocalhostGate({
      config: () => this.#config,
      version: () => context.api.version,
      localhost: context.localhost,
      health: this.#health,
      log,
    });
    this.#warnOfGates();
    this.metrics = new Metrics({
      mode: config.mode,
      version,
      watches: () => this.#apiWatch.views(),
      engineMemoryBytes: () => this.#agent.state.memoryBytes,
      totals: () => this.#agent.state.use((engine) => engine.counted()),
      featureGates: () => this.#localhost.gatesWith(this.#config.featureGates),
      transports: () => parts.client.transports,
      pluginCertificateExpires: () => parts.client.access.credentials.certificateExpires?.(),
      ...(config.mode === "iptables"
        ? { nfacct: readNfacct }
        : { localhost: () => this.#localhost.figures(config.mode as "flat" | "nftables") }),
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
        lacks: () => (this.#localhost.isOn === undefined ? "the API server's version" : ""),
        minSyncPeriodMs: config.minSyncPeriodMs,
        syncPeriodMs: config.syncPeriodMs,
        driftCheckMs:
          parts.writer.writer.checksByProcess === true
            ? config.syncPeriodMs
            : Math.min(config.syncPeriodMs, DRIFT_CHECK_MS),
      },
      {
        relist: (reason) => this.#apiWatch.relist(reason),
        synced: async (isWhole) => {
          if (!this.#hasWritten) await this.#firstWritten();
          await this.#postSync.synced(isWhole);
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
      resourceVersions: () => this.#apiWatch.resourceVersions,
      config: () => this.#config,
    });
    this.#apiWatch = new ApiWatch({ ...shared, client: parts.client, hostname: settings.hostname, agent: this.#agent });
  }

  /** Finishes the transaction on its way and closes everything. The rules stay. */
  async stop(): Promise<void> {
    this.#health.stopping();
    this.#hasStopped = true;
    this.#stopping.abort(new Error("the agent ends"));
    await this.#apiWatch.stop();
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
    this.#localhost.report();
    await setUpMachine(config, this.#context);
    this.#tcpBeLiberal = await readTcpBeLiberal(thisMachine);
    await this.#interfaces.check();
    this.reconfigure("the configuration changed");
  }

  /** Why the content of the configuration file is not in force; undefined: it is. */
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

  async #firstWritten(): Promise<void> {
    this.#hasWritten = true;
    const { state } = this.#agent;
    if (state.isSynced("node"))
      this.#hazards.node(
        state.use((engine) => engine.node()),
        false,
      );
    this.#hazards.start();
    await this.#postSync.begin();
  }

  /** A misspelt gate leaves open what was meant to be closed, so health checks show it for as long as it is in force. */
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

  // ---- API server

  async #watchOnceAlone(): Promise<void> {
    await this.#context.lock.free;
    if (this.#hasStopped) return;
    await this.#apiWatch.start(`sluice ${this.#context.version}, mode ${this.#config.mode}`, () => this.#readVersion());
  }

  /** Resolves once the API server's version is known, or not needed. Never rejects. */
  async #readVersion(): Promise<void> {
    if (this.#localhost.isOn === undefined) {
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
    this.#localhost.report();
  }
}

/** Writes the kernel settings of the configuration, and logs once what is not as wanted. */
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
