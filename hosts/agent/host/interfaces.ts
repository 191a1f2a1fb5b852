// The addresses of this machine's interfaces, for the engine's option `interface-addresses`, and when they change.
import { networkInterfaces } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { isLinkLocal } from "../../shared/config/addresses.ts";
import { readMessages } from "../netlink/messages/messages.ts";
import { NETLINK_ROUTE, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR } from "../netlink/messages/uapi.ts";
import { NetlinkSocket } from "../netlink/sockets/socket.ts";
import { addressOf, listAddresses } from "./address-list.ts";

export interface InterfaceWatch {
  /** "os": netlink could not be used. Looks every 10 s, and does not see interfaces that are down. */
  readonly source: "netlink" | "os";
  /** Why it is not netlink; empty if it is. */
  readonly reason: string;
  /** Sorted, each once, as text without prefix length and zone. Link-local ones only where they count. */
  readonly addresses: readonly string[];
  /** Reads all addresses anew, and does not call `changed`. For when it has changed which addresses count. */
  check(): Promise<void>;
  close(): Promise<void>;
}

export interface InterfaceWatchOptions {
  /** Other addresses than before. */
  changed(addresses: readonly string[]): void;
  /** Rules depend on link-local addresses. The veth of each pod has one, which comes and goes with the pod. */
  countsLinkLocal(): boolean;
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
  #asking: NetlinkSocket | undefined;
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
      // In this order, so that a change between the two is noticed.
      const news = open({ ...small, groups: [RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR] });
      this.#sockets.push(news);
      const asking = open(small);
      this.#sockets.push(asking);
      this.#asking = asking;
      this.addresses = await this.#list(asking);
      this.#running = this.#listen(news, asking);
    } catch (error) {
      await this.#poll(error);
    }
  }

  async check(): Promise<void> {
    try {
      this.addresses = this.#asking === undefined ? this.#byOs() : await this.#list(this.#asking);
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
        if (this.#mayChangeAddresses(news)) this.#report(await this.#list(asking));
      }
    } catch (error) {
      if (!this.#closing.signal.aborted) await this.#poll(error);
    }
  }

  /** Takes what is queued. True if it concerns addresses that count, or if notifications were lost: then all is read again. */
  #mayChangeAddresses(news: NetlinkSocket): boolean {
    let isWorth = this.#options.countsLinkLocal();
    for (;;) {
      const received = news.receive();
      if (received.kind === "empty") return isWorth;
      if (received.kind === "overrun") isWorth = true;
      else {
        for (const message of readMessages(received.bytes)) {
          const address = addressOf(message);
          isWorth ||= address === undefined || !isLinkLocal(address);
        }
      }
    }
  }

  async #list(asking: NetlinkSocket): Promise<readonly string[]> {
    return this.#counted(await listAddresses(asking));
  }

  #byOs(): readonly string[] {
    return this.#counted(addressesByOs());
  }

  #counted(addresses: readonly string[]): readonly string[] {
    return this.#options.countsLinkLocal() ? addresses : addresses.filter((address) => !isLinkLocal(address));
  }

  async #poll(error: unknown): Promise<void> {
    this.source = "os";
    this.reason = error instanceof Error ? error.message : String(error);
    this.#asking = undefined;
    await Promise.all(this.#sockets.splice(0).map((socket) => socket.close()));
    if (this.#closing.signal.aborted) return;
    if (this.addresses.length === 0) this.addresses = this.#byOs();
    else this.#report(this.#byOs());
    this.#timer = setInterval(() => this.#report(this.#byOs()), this.#options.pollMs ?? defaultPoll);
    this.#timer.unref();
  }

  #report(addresses: readonly string[]): void {
    if (this.#closing.signal.aborted || addresses.join() === this.addresses.join()) return;
    this.addresses = addresses;
    this.#options.changed(addresses);
  }
}

function addressesByOs(): string[] {
  const found = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  return [...new Set(found.map(({ address }) => address.replace(/%.*/, "")))].sort();
}
