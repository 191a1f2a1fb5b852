// The addresses of this machine's interfaces, for the engine's option `interface-addresses`, and when they change.
import { networkInterfaces } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { NetlinkSocket } from "../netlink/socket.ts";
import { NETLINK_ROUTE, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR } from "../netlink/uapi.ts";
import { listAddresses } from "./address-list.ts";

export interface InterfaceWatch {
  /** "os": netlink could not be used. Looks every 10 s, and does not see interfaces that are down. */
  readonly source: "netlink" | "os";
  /** Why it is not netlink; empty if it is. */
  readonly reason: string;
  /** Sorted, each once, as text without prefix length and zone. */
  readonly addresses: readonly string[];
  close(): Promise<void>;
}

export interface InterfaceWatchOptions {
  /** Other addresses than before. */
  changed(addresses: readonly string[]): void;
  /** For tests. */
  readonly open?: typeof NetlinkSocket.open;
  readonly pollMs?: number;
}

const defaultPoll = 10_000;
/** A pod that starts changes several addresses at once. */
const settle = 50;

/** Does not keep the process alive. Never throws: without netlink it polls. */
export async function watchInterfaces(options: InterfaceWatchOptions): Promise<InterfaceWatch> {
  const watch = new AddressWatch(options);
  await watch.start();
  return watch;
}

class AddressWatch implements InterfaceWatch {
  source: "netlink" | "os" = "netlink";
  reason = "";
  addresses: readonly string[] = [];
  readonly #options: InterfaceWatchOptions;
  readonly #sockets: NetlinkSocket[] = [];
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  readonly #closing = new AbortController();

  constructor(options: InterfaceWatchOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    try {
      const open = this.#options.open ?? NetlinkSocket.open;
      const small = { protocol: NETLINK_ROUTE, sendBuffer: 4096, receiveBuffer: 256 << 10 };
      // In this order: what changes between the two is noticed.
      const news = open({ ...small, groups: [RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR] });
      this.#sockets.push(news);
      const asking = open(small);
      this.#sockets.push(asking);
      this.addresses = await listAddresses(asking);
      this.#running = this.#listen(news, asking);
    } catch (error) {
      await this.#poll(error);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#timer);
    await Promise.all(this.#sockets.map((socket) => socket.close()));
    await this.#running;
  }

  async #listen(news: NetlinkSocket, asking: NetlinkSocket): Promise<void> {
    try {
      while (await news.waitReadable(Number.POSITIVE_INFINITY, false)) {
        await sleep(settle, undefined, { ref: false, signal: this.#closing.signal });
        // What the messages say does not matter, nor if some were lost: all is read again.
        news.discardQueued();
        this.#tell(await listAddresses(asking));
      }
    } catch (error) {
      if (!this.#closing.signal.aborted) await this.#poll(error);
    }
  }

  async #poll(error: unknown): Promise<void> {
    this.source = "os";
    this.reason = error instanceof Error ? error.message : String(error);
    await Promise.all(this.#sockets.splice(0).map((socket) => socket.close()));
    if (this.#closing.signal.aborted) return;
    if (this.addresses.length === 0) this.addresses = addressesByOs();
    else this.#tell(addressesByOs());
    this.#timer = setInterval(() => this.#tell(addressesByOs()), this.#options.pollMs ?? defaultPoll);
    this.#timer.unref();
  }

  #tell(addresses: readonly string[]): void {
    if (this.#closing.signal.aborted || addresses.join() === this.addresses.join()) return;
    this.addresses = addresses;
    this.#options.changed(addresses);
  }
}

function addressesByOs(): string[] {
  const found = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  return [...new Set(found.map(({ address }) => address.replace(/%.*/, "")))].sort();
}
