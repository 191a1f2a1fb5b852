// The API server as the running agent watches it: a reflector for each resource, and what is logged, measured and shown of
// them.
import type { HealthState, WatchView } from "../http/health-state.ts";
import type { ApiClient } from "../kube/client/api-client.ts";
import { nameOf } from "../kube/decoding/oversized-objects.ts";
import { type EventRecorder, nodeReference } from "../kube/events.ts";
import { Reflector } from "../kube/watching/reflector.ts";
import type { Progress } from "../kube/watching/reflector-state.ts";
import { endpointSlices, nodeNamed, serviceCIDRs, services } from "../kube/watching/resources.ts";
import { readUrgentLists } from "../kube/watching/urgent-lists.ts";
import type { Log } from "../log/log.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { type Agent, RESOURCES } from "./agent.ts";
import type { DebugPlanPage } from "./debug-plan.ts";

/** Of objects that are left out, in health checks. */
const MOST_SHOWN = 20;
/** What an older API server does not offer is done without, as it always was. */
const OF_OLD_SERVERS: ReadonlySet<string> = new Set(["no streaming lists", "no such field selector"]);

export interface ApiWatchParts {
  readonly client: ApiClient;
  readonly hostname: string;
  readonly agent: Agent;
  readonly health: HealthState;
  readonly metrics: Metrics;
  readonly events: EventRecorder;
  readonly log: Log;
}

export class ApiWatch {
  readonly #parts: ApiWatchParts;
  readonly #reflectors: readonly Reflector[];
  #oversized: readonly string[] = [];
  #hasStopped = false;

  constructor(parts: ApiWatchParts) {
    this.#parts = parts;
    const resources = [services, endpointSlices, nodeNamed(parts.hostname), serviceCIDRs];
    this.#reflectors = resources.map((resource) => {
      const reflector: Reflector = new Reflector({
        client: parts.client,
        resource,
        store: parts.agent.state.store(resource.kind),
        onProgress: (progress) => this.#progress(reflector, progress),
      });
      return reflector;
    });
  }

  /**
   * Lists and watches everything; before that, what a cluster can't start without. Never rejects.
   *
   * @param started note of the event that the Node is sent
   * @param readVersion resolves once the API server's version is known as far as rules depend on it
   */
  async start(started: string, readVersion: () => Promise<void>): Promise<void> {
    const { client, hostname, agent, events, log } = this.#parts;
    log.info({ server: client.host, source: client.access.source }, "watching the API server");
    events.event({
      regarding: nodeReference(hostname),
      type: "Normal",
      reason: "Starting",
      action: "StartKubeProxy",
      note: started,
    });
    const version = readVersion();
    const ahead = agent.writeAhead(async (signal) => {
      const [lists] = await Promise.all([readUrgentLists(client, signal), whileNot(signal, version)]);
      return lists;
    });
    const waiting = this.#reflectors.filter(({ resource }) => resource === services || resource === endpointSlices);
    for (const reflector of this.#reflectors) if (!waiting.includes(reflector)) reflector.start();
    await ahead;
    if (!this.#hasStopped) for (const reflector of waiting) reflector.start();
  }

  async stop(): Promise<void> {
    this.#hasStopped = true;
    await Promise.all(this.#reflectors.map((reflector) => reflector.stop()));
  }

  /** Lists everything anew. */
  relist(reason: string): void {
    for (const reflector of this.#reflectors) reflector.relist(reason);
  }

  get resourceVersions(): DebugPlanPage["resourceVersions"] {
    return Object.fromEntries(
      this.#reflectors.map((reflector) => {
        const { resource, resourceVersion } = reflector.state();
        return [resource, resourceVersion];
      }),
    );
  }

  *views(): Generator<WatchView> {
    for (const reflector of this.#reflectors) {
      const { lastByteAgeMs, connected, synced } = reflector.state();
      const staleSeconds = lastByteAgeMs === undefined ? undefined : lastByteAgeMs / 1000;
      yield { resource: RESOURCES[reflector.resource.kind], staleSeconds, alive: connected && synced };
    }
  }

  #progress(reflector: Reflector, progress: Progress): void {
    const { agent, log } = this.#parts;
    const resource = RESOURCES[reflector.resource.kind];
    if (progress.kind === "listed" && reflector.state().absent) agent.state.markAbsent(reflector.resource.kind);
    if (progress.kind === "left out") {
      const { namespace, name } = progress.object;
      const what = `${resource}: ${nameOf(progress.object)} is left out: it has more than 3 MiB`;
      log.error({ resource, namespace, name }, `${what}; look for what writes such an object`);
    }
    this.#reportOversized();
    if (progress.kind !== "failed") return;
    const { error, reason, waitMs } = progress;
    const message = error instanceof Error ? error.message : String(error);
    const ordinary = OF_OLD_SERVERS.has(reason) || (reason === "not found" && reflector.state().absent);
    const fields = { resource, reason, waitMs: Math.round(waitMs) };
    log[ordinary ? "info" : "warn"](fields, `${resource}: ${message}`);
  }

  /** Objects that are too long to be read. */
  #reportOversized(): void {
    const names = this.#reflectors.flatMap(({ resource, oversized }) =>
      oversized.map((name) => `${resource.name} ${name}`),
    );
    const before = this.#oversized;
    if (names.length === before.length && names.every((name, index) => name === before[index])) return;
    this.#oversized = names;
    this.#parts.metrics.refused("size", names.length);
    const shown = names.slice(0, MOST_SHOWN).join(", ") + (names.length > MOST_SHOWN ? ", …" : "");
    this.#parts.health.warn(
      "too long",
      names.length === 0 ? undefined : `too long, and left out (${names.length}): ${shown}`,
    );
  }
}

/** @throws the signal's reason */
function whileNot<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return Promise.race([
    promise,
    new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true })),
  ]);
}
