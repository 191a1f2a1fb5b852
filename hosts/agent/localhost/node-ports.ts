// Node ports on 127.0.0.1 and ::1, where no rule can lead packets away: the agent listens for those that the engine names, and
// forwards. Listeners come and go with the engine's word; connections that are open go on whatever becomes of them.
import { createServer, type Server, type Socket } from "node:net";
import type { Family, LocalhostChanges, LocalhostListener } from "../../shared/contract.ts";
import type { Log } from "../log/log.ts";
import type { Clock } from "../time/clock.ts";
import { EndpointChoice } from "./affinity.ts";
import { connectionsAllowed, ENOUGH_CONNECTIONS, listenersAllowed, moreOpenFiles } from "./descriptors.ts";
import { forward, type Outcome } from "./forward.ts";

/** Where it listens. */
export const LOOPBACK: Readonly<Record<Family, string>> = { ipv4: "127.0.0.1", ipv6: "::1" };
/** A port that is taken is tried again after so long. */
const RETRY_MS = 5_000;
/** Between two lines of the log about connections that were too many. */
const LOG_LIMIT_MS = 60_000;

export interface LocalhostOptions {
  readonly log: Log;
  readonly clock: Clock;
  /** Files that the process may have open. */
  readonly openFiles: number;
  readonly retryMs?: number;
  readonly connectTimeoutMs?: number;
}

/** Since the process started. */
export interface LocalhostFigures {
  readonly listeners: Readonly<Record<Family, number>>;
  readonly creationFailures: Readonly<Record<Family, number>>;
  /** Connections that are open, and that may be at once. */
  readonly open: number;
  readonly allowed: number;
  /** How connections began; `limit`: they were too many. */
  readonly outcomes: Readonly<Record<Outcome | "limit", number>>;
}

class Listener {
  readonly family: Family;
  readonly port: number;
  readonly choice: EndpointChoice;
  name = "";
  server: Server | undefined;
  /** It is on its way. */
  isOpening = false;
  /** Why the port could not be had, until it can. */
  failure = "";

  constructor(family: Family, port: number, clock: Clock) {
    this.family = family;
    this.port = port;
    this.choice = new EndpointChoice(() => clock.now());
  }
}

export class LocalhostNodePorts {
  readonly #options: LocalhostOptions;
  readonly #listeners = new Map<string, Listener>();
  /** Servers that are open or on their way. */
  #servers = 0;
  readonly #sockets = new Set<Socket>();
  readonly #creationFailures: Record<Family, number> = { ipv4: 0, ipv6: 0 };
  readonly #outcomes = { forwarded: 0, second: 0, unanswered: 0, "given up": 0, limit: 0 };
  /** While the engine names all listeners: those that it has named so far. */
  #named: Set<string> | undefined;
  #cancelRetry: (() => void) | undefined;
  #limitLoggedAt: number | undefined;
  #hasLoggedAllowed = false;
  #isStopped = false;
  #whenDrained: (() => void) | undefined;

  constructor(options: LocalhostOptions) {
    this.#options = options;
  }

  /** Takes what the engine's `localhostListeners` says. Ports are opened after it returns. */
  update({ all, first, more, listeners }: LocalhostChanges): void {
    if (this.#isStopped) return;
    if (all && first) this.#named = new Set();
    for (const each of listeners) {
      const key = keyOf(each.family, each.port);
      this.#named?.add(key);
      if (each.endpoints.length > 0) this.#serve(key, each);
      else this.#drop(key);
    }
    if (more || this.#named === undefined) return;
    for (const key of this.#listeners.keys()) if (!this.#named.has(key)) this.#drop(key);
    this.#named = undefined;
  }

  get figures(): LocalhostFigures {
    const listeners: Record<Family, number> = { ipv4: 0, ipv6: 0 };
    for (const { family, server } of this.#listeners.values()) if (server !== undefined) listeners[family]++;
    return {
      listeners,
      creationFailures: { ...this.#creationFailures },
      open: this.#sockets.size,
      allowed: this.#allowed,
      outcomes: { ...this.#outcomes },
    };
  }

  /** Nobody listens after it. Connections that are open go on. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelRetry?.();
    for (const key of [...this.#listeners.keys()]) this.#drop(key);
  }

  /** Resolves when no connection is open any more. */
  async drained(): Promise<void> {
    if (this.#sockets.size === 0) return;
    const { log } = this.#options;
    log.info(
      { connections: this.#sockets.size },
      "connections to node ports on localhost go on until they or the grace period end",
    );
    await new Promise<void>((resolve) => {
      this.#whenDrained = resolve;
    });
  }

  get #allowed(): number {
    return connectionsAllowed(this.#options.openFiles, this.#servers);
  }

  #serve(
    key: string,
    { family, port, namespace, service, portName, affinitySeconds, endpoints }: LocalhostListener,
  ): void {
    this.#logAllowed();
    let listener = this.#listeners.get(key);
    if (listener === undefined) {
      listener = new Listener(family, port, this.#options.clock);
      this.#listeners.set(key, listener);
    }
    listener.name = `${namespace}/${service}${portName === "" ? "" : `:${portName}`}`;
    listener.choice.update(endpoints, affinitySeconds * 1000);
    this.#open(listener);
  }

  #drop(key: string): void {
    const listener = this.#listeners.get(key);
    if (listener === undefined) return;
    this.#listeners.delete(key);
    if (listener.server === undefined) return;
    this.#close(listener.server);
    listener.server = undefined;
  }

  #close(server: Server): void {
    this.#servers--;
    server.close();
  }

  #open(listener: Listener): void {
    if (listener.server !== undefined || listener.isOpening) return;
    if (this.#servers >= listenersAllowed(this.#options.openFiles)) {
      this.#failed(listener, new Error("the process may have too few files open"));
      return;
    }
    const { family, port } = listener;
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
      this.#accept(listener, socket),
    );
    listener.isOpening = true;
    this.#servers++;
    const isWanted = () => this.#listeners.get(keyOf(family, port)) === listener;
    const fail = (error: Error) => {
      listener.isOpening = false;
      this.#servers--;
      if (isWanted()) this.#failed(listener, error);
    };
    server.once("error", fail);
    server.listen({ host: LOOPBACK[family], port, exclusive: true, ipv6Only: family === "ipv6" }, () => {
      listener.isOpening = false;
      server.off("error", fail);
      server.on("error", () => {}); // of accept(): out of descriptors, for a moment
      if (!isWanted()) {
        this.#close(server);
        return;
      }
      listener.server = server;
      if (listener.failure !== "") this.#options.log.info({ ...placeOf(listener) }, "the node port can be had now");
      listener.failure = "";
    });
  }

  #failed(listener: Listener, error: Error): void {
    const { log, clock, retryMs = RETRY_MS } = this.#options;
    this.#creationFailures[listener.family]++;
    if (error.message !== listener.failure) {
      listener.failure = error.message;
      log.error(
        { ...placeOf(listener) },
        `nobody answers on the node port of ${listener.name}: ${error.message}; it is tried again`,
      );
    }
    this.#cancelRetry ??= clock.setTimer(retryMs, () => {
      this.#cancelRetry = undefined;
      for (const each of this.#listeners.values()) this.#open(each);
    });
  }

  #accept(listener: Listener, socket: Socket): void {
    if (this.#sockets.size >= this.#allowed) {
      this.#outcomes.limit++;
      socket.on("error", () => {});
      socket.resetAndDestroy();
      this.#logLimit();
      return;
    }
    this.#sockets.add(socket);
    const { connectTimeoutMs } = this.#options;
    const options = {
      next: (besides?: Parameters<EndpointChoice["next"]>[0]) => listener.choice.next(besides),
      ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
    };
    void forward(socket, options, (outcome) => {
      this.#outcomes[outcome]++;
    }).finally(() => {
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) this.#whenDrained?.();
    });
  }

  #logAllowed(): void {
    if (this.#hasLoggedAllowed) return;
    this.#hasLoggedAllowed = true;
    const { log, openFiles } = this.#options;
    const limit = Number.isFinite(openFiles) ? openFiles : "unlimited";
    const line = { openFiles: limit, connections: this.#allowed };
    const hint = moreOpenFiles;
    if (listenersAllowed(openFiles) === 0)
      log.error(
        { ...line, hint },
        "node ports on localhost can't be forwarded: the process may have too few files open",
      );
    else if (this.#allowed < ENOUGH_CONNECTIONS)
      log.warn(
        { ...line, hint },
        "node ports on localhost are forwarded, and few connections: the process may have few files open",
      );
    else log.info(line, "node ports on localhost are forwarded");
  }

  #logLimit(): void {
    const { log, clock } = this.#options;
    const now = clock.now();
    if (this.#limitLoggedAt !== undefined && now - this.#limitLoggedAt < LOG_LIMIT_MS) return;
    this.#limitLoggedAt = now;
    const line = { open: this.#sockets.size, reset: this.#outcomes.limit };
    log.warn(line, "too many connections to node ports on localhost: more of them are reset");
  }
}

function keyOf(family: Family, port: number): string {
  return `${family} ${port}`;
}

function placeOf({ family, port, name }: Listener) {
  return { address: LOOPBACK[family], port, service: name };
}
