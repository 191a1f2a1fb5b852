// The connections to one API server: pooled, and made anew when certificates change.

import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import type { ClusterAccess } from "../credentials/cluster-access.ts";
import { systemAuthorities } from "../credentials/system-authorities.ts";
import type { ClientCertificate, CurrentTls } from "../credentials/tls-material.ts";
import { Agent, type Dispatcher, ProxyAgent } from "./undici.ts";

/** Idle connections are kept so long; a Go server keeps them longer. */
const KEEP_ALIVE_MS = 30_000;
const TCP_KEEP_ALIVE_MS = 30_000;
const CONNECT_TIMEOUT_MS = 10_000;

export class Transport {
  readonly #access: ClusterAccess;
  #dispatcher: Dispatcher | undefined;
  #tls: CurrentTls | undefined;
  /** Those of older certificates, until their last request has ended. */
  readonly #retired = new Set<Dispatcher>();
  readonly counts = { made: 0, closed: 0 };
  #closed = false;

  constructor(access: ClusterAccess) {
    this.#access = access;
  }

  /** What requests go through now. Open ones keep the connection that they have. */
  async dispatcher(certificate?: ClientCertificate): Promise<Dispatcher> {
    const tls = await this.#access.tls.current(certificate);
    if (this.#closed) throw new Error("the client has been closed");
    if (this.#dispatcher !== undefined && tls === this.#tls) return this.#dispatcher;
    if (this.#dispatcher !== undefined) this.#retire(this.#dispatcher);
    this.#tls = tls;
    this.#dispatcher = makeDispatcher(this.#access, tls);
    this.counts.made++;
    return this.#dispatcher;
  }

  /** A connection failed. Certificates may have changed, so their files are read again before the next one. */
  suspect(): void {
    this.#access.tls.expire();
  }

  /** Cuts all connections. */
  async close(): Promise<void> {
    this.#closed = true;
    const all = [...this.#retired, ...(this.#dispatcher === undefined ? [] : [this.#dispatcher])];
    await Promise.all(all.map((dispatcher) => dispatcher.destroy()));
  }

  #retire(dispatcher: Dispatcher): void {
    this.#retired.add(dispatcher);
    const forget = () => {
      this.#retired.delete(dispatcher);
      this.counts.closed++;
    };
    // Resolves when its last request has ended; rejects if `close` has destroyed it in the meantime.
    dispatcher.close().then(forget, forget);
  }
}

function makeDispatcher({ server, proxy }: ClusterAccess, tls: CurrentTls): Dispatcher {
  const connect = {
    ...(server.protocol === "https:" ? tlsOptions(tls) : {}),
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
    timeout: CONNECT_TIMEOUT_MS,
  };
  // One socket a watch, and no time limits of its own: the caller has a watchdog.
  const options = { allowH2: false, bodyTimeout: 0, headersTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS };
  if (proxy === undefined) return new Agent({ ...options, connect });
  return new ProxyAgent({ ...options, uri: proxy.href, requestTls: connect });
}

function tlsOptions({ ca, cert, key, serverName, insecure }: CurrentTls): object {
  const authorities = ca ?? systemAuthorities();
  return {
    ...(authorities === undefined ? {} : { ca: authorities }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...nameToCheck(serverName),
    minVersion: "TLSv1.2",
    // Always set, so that NODE_TLS_REJECT_UNAUTHORIZED has no effect.
    rejectUnauthorized: !insecure,
  };
}

function nameToCheck(serverName: string | undefined): object {
  if (serverName === undefined) return {};
  // SNI does not allow addresses, but certificates are checked against them.
  if (isIP(serverName) === 0) return { servername: serverName };
  return { checkServerIdentity: (_host: string, certificate: never) => checkServerIdentity(serverName, certificate) };
}
