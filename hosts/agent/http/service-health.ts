// Health-check node ports: for each Service with externalTrafficPolicy Local, a port on which load balancers ask whether
// this node has endpoints. Both families are counted and answered apart, each on sockets of its own.
import type { Server } from "node:http";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Family, HealthCheck } from "../../shared/contract.ts";
import { closeServer, defaultLimits, type Limits, limitedServer, send } from "./limited-server.ts";
import { hasNoIPv6, listen } from "./listen.ts";

/** Where health-check node ports listen, as the engine's `nodePortIps` says: undefined means everywhere. */
export type NodePortAddresses = Readonly<Record<Family, readonly string[] | undefined>>;

export interface ServiceHealthFailure {
  readonly namespace: string;
  readonly name: string;
  /** As kube-proxy words the event FailedToStartServiceHealthcheck. */
  readonly note: string;
}

export interface ServiceHealthOptions {
  readonly nodeName: string;
  /** Are rules written in time? What /livez says. */
  readonly healthy: () => boolean;
  /** Once, until the port could be opened or the reason is another. */
  readonly onFailure?: (failure: ServiceHealthFailure) => void;
  readonly onDefect?: (error: unknown) => void;
  readonly retryMs?: number;
  readonly limits?: Limits;
}

/** The sockets of one Service in one family. */
interface Group {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
  readonly addresses: readonly string[];
  readonly ipv6: boolean;
  localEndpoints: number;
  servers: Server[];
  /** Why its port could not be opened. */
  failure: string | undefined;
}

const OPENED_AT_ONCE = 32;

const everywhere: NodePortAddresses = { ipv4: undefined, ipv6: undefined };

export class ServiceHealth {
  readonly #options: ServiceHealthOptions;
  readonly #groups = new Map<string, Group>();
  #wanted: readonly HealthCheck[] = [];
  #addresses = everywhere;
  #running: Promise<void> | undefined;
  #again = false;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ServiceHealthOptions) {
    this.#options = options;
  }

  /**
   * Opens, closes and updates ports so that they are those of `checks`; ports that could not be opened are tried again.
   * Resolves when this is done. Call it after a sync, when the engine's `healthChecksRevision` or the addresses have
   * changed; counts of endpoints change at once.
   */
  update(checks: readonly HealthCheck[], addresses: NodePortAddresses = this.#addresses): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#wanted = checks;
    this.#addresses = addresses;
    return this.#reconcile();
  }

  /** Closes all ports. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#wanted = [];
    await this.#reconcile();
  }

  #reconcile(): Promise<void> {
    this.#again = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      await this.#step();
    }
    clearTimeout(this.#timer);
    if (this.#closed || ![...this.#groups.values()].some(({ failure }) => failure !== undefined)) return;
    this.#timer = setTimeout(() => void this.#reconcile(), this.#options.retryMs ?? 5000);
    this.#timer.unref();
  }

  async #step(): Promise<void> {
    const wanted = this.#wantedGroups();
    // A port may move from one Service to another, so ports are closed before others are opened.
    for (const [key, group] of this.#groups) {
      if (isSame(group, wanted.get(key))) continue;
      this.#groups.delete(key);
      await closeGroup(group);
    }
    for (const [key, group] of wanted) {
      const known = this.#groups.get(key);
      if (known === undefined) this.#groups.set(key, group);
      else known.localEndpoints = group.localEndpoints;
    }
    let opened = 0;
    for (const group of this.#groups.values()) {
      if (group.servers.length > 0) continue;
      await this.#open(group);
      // Binding does not yield the event loop: with thousands of Services nothing else would run meanwhile.
      if (++opened % OPENED_AT_ONCE === 0) await nextTurn();
    }
  }

  #wantedGroups(): Map<string, Group> {
    const groups = new Map<string, Group>();
    for (const { namespace, name, port, localEndpointsIpv4, localEndpointsIpv6 } of this.#wanted) {
      const add = (family: Family, localEndpoints: number | undefined) => {
        if (localEndpoints === undefined) return;
        const ipv6 = family === "ipv6";
        const addresses = this.#addresses[family] ?? [ipv6 ? "::" : "0.0.0.0"];
        groups.set(`${namespace}/${name} ${family}`, {
          namespace,
          name,
          port,
          // A link-local address means nothing without its interface.
          addresses: addresses.filter((address) => !/^fe[89ab]/i.test(address)),
          ipv6,
          localEndpoints,
          servers: [],
          failure: undefined,
        });
      };
      add("ipv4", localEndpointsIpv4);
      add("ipv6", localEndpointsIpv6);
    }
    return groups;
  }

  async #open(group: Group): Promise<void> {
    const { limits = defaultLimits, onDefect = () => {} } = this.#options;
    for (const host of group.addresses) {
      const server = limitedServer((_request, response) => this.#answer(group, response), onDefect, limits);
      try {
        await listen(server, { host, port: group.port, ipv6Only: group.ipv6 });
        group.servers.push(server);
      } catch (error) {
        if (host === "::" && hasNoIPv6(error)) continue; // nobody can ask over IPv6 either
        await closeGroup(group);
        this.#fail(group, (error as Error).message);
        return;
      }
    }
    group.failure = undefined;
  }

  #fail(group: Group, reason: string): void {
    if (group.failure === reason) return;
    group.failure = reason;
    const { namespace, name, port } = group;
    const note = `node ${this.#options.nodeName} failed to start healthcheck "${namespace}/${name}" on port ${port}: ${reason}`;
    this.#options.onFailure?.({ namespace, name, note });
  }

  #answer(group: Group, response: Parameters<typeof send>[0]): void {
    const { namespace, name, localEndpoints } = group;
    const serviceProxyHealthy = this.#options.healthy();
    const body = JSON.stringify({ service: { namespace, name }, localEndpoints, serviceProxyHealthy }, undefined, "\t");
    send(response, localEndpoints > 0 && serviceProxyHealthy ? 200 : 503, "application/json", body, {
      "X-Load-Balancing-Endpoint-Weight": String(localEndpoints),
    });
  }
}

function isSame(group: Group, wanted: Group | undefined): boolean {
  return wanted !== undefined && group.port === wanted.port && group.addresses.join(" ") === wanted.addresses.join(" ");
}

async function closeGroup(group: Group): Promise<void> {
  const servers = group.servers;
  group.servers = [];
  await Promise.all(servers.map(closeServer));
}
