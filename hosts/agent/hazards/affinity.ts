// Session affinity keeps a list of clients for each endpoint, which packets fill. If a list is full, nf_tables leaves out new
// clients, and xt_recent forgets the client that has been quiet for longest. The kernel tells nobody.
import { readdirSync } from "node:fs";
import type { Family, Mode } from "../../shared/contract.ts";
import { FAMILIES } from "../../shared/families.ts";
import { countElements, listDynamicSets } from "../kernel/listing/nft-listing.ts";
import { readIfThere } from "../kernel/listing/read-if-there.ts";
import type { NetlinkSocket } from "../netlink/sockets/socket.ts";
import type { Hazard } from "./hazard.ts";

const TABLES: Readonly<Record<Exclude<Mode, "iptables">, string>> = { flat: "sluice", nftables: "kube-proxy" };
/** `affinity-HASH-namespace/name/protocol/port__address/port` */
const PREFIX = "affinity-";
/** The size that the kernel gives a dynamic set without one. */
const DEFAULT_SIZE = 65_535;
/** Lists that are read element by element in one look: before Linux 6.16 there is no other way. */
const COUNTED_AT_ONCE = 16;
/** Each list is said once, with a hazard of its own; so many of them. */
const NAMED_AT_MOST = 5;
/** A full list counts as full until a tenth of it is free: clients come and time out all the time. */
const STILL_FULL = 0.9;
const RECENT = "/proc/net/xt_recent";
const RECENT_SIZE = "/sys/module/xt_recent/parameters/ip_list_tot";

/** Looks one after the other. If lists have to be counted element by element, each look takes some of them. */
export class AffinityWatch {
  readonly #mode: Mode;
  /** Full when they were counted last, and how many clients they take; the ones that have been so for longest first. */
  readonly #full = new Map<string, number>();
  #next = 0;

  constructor(mode: Mode) {
    this.#mode = mode;
  }

  /** @throws {NetlinkError} */
  async look(socket: NetlinkSocket): Promise<Hazard[]> {
    return this.#mode === "iptables" ? this.#lookIntoFiles() : this.#lookIntoSets(socket, this.#mode);
  }

  async #lookIntoSets(socket: NetlinkSocket, mode: Exclude<Mode, "iptables">): Promise<Hazard[]> {
    const uncounted: { family: Family; name: string; size: number }[] = [];
    const names = new Set<string>();
    for (const family of FAMILIES) {
      for (const set of await listDynamicSets(socket, family, TABLES[mode])) {
        if (!set.name.startsWith(PREFIX)) continue;
        const size = set.size === 0 ? DEFAULT_SIZE : set.size;
        names.add(set.name);
        if (set.count === undefined) uncounted.push({ family, name: set.name, size });
        else this.#note(set.name, set.count, size);
      }
    }
    for (const { family, name, size } of this.#turn(uncounted)) {
      this.#note(name, await countElements(socket, family, TABLES[mode], name), size);
    }
    for (const name of this.#full.keys()) if (!names.has(name)) this.#full.delete(name);
    const hint =
      "use fewer clients for each endpoint (more endpoints), a shorter sessionAffinityConfig.clientIP.timeoutSeconds, or no affinity";
    return this.#hazards(endpointIn, "new ones get no affinity", hint);
  }

  /** Files of xt_recent, which have a line for each client. */
  #lookIntoFiles(): Hazard[] {
    const limit = Number(readIfThere(RECENT_SIZE) ?? Number.NaN);
    const lists = recentLists();
    if (Number.isNaN(limit) || limit === 0) return [];
    for (const name of this.#full.keys()) if (!lists.includes(name)) this.#full.delete(name);
    for (const name of this.#turn(lists)) {
      this.#note(name, (readIfThere(`${RECENT}/${name}`) ?? "").split("\n").length - 1, limit);
    }
    const hint = `give the module xt_recent more room (ip_list_tot, ${limit} now, in /etc/modprobe.d; it has to be loaded anew), or use mode flat or nftables, which take ${DEFAULT_SIZE}`;
    return this.#hazards((name) => name, "for each new one the quietest loses its affinity", hint);
  }

  #note(name: string, clients: number, size: number): void {
    const isFull = clients >= (this.#full.has(name) ? size * STILL_FULL : size);
    if (!isFull) this.#full.delete(name);
    else if (!this.#full.has(name)) this.#full.set(name, size);
  }

  #hazards(endpointOf: (name: string) => string, consequence: string, hint: string): Hazard[] {
    const subject = "session affinity";
    const hazards = [...this.#full].slice(0, NAMED_AT_MOST).map(([name, size]) => ({
      subject,
      message: `the list of clients is full for ${endpointOf(name)}, with ${size} clients: ${consequence}`,
      hint,
    }));
    // Without their number, which changes.
    if (this.#full.size > NAMED_AT_MOST) {
      hazards.push({ subject, message: `the lists of clients of more endpoints are full: ${consequence}`, hint });
    }
    return hazards;
  }

  /** So many of them as are looked at this time. */
  #turn<T>(all: readonly T[]): T[] {
    const start = all.length <= COUNTED_AT_ONCE ? 0 : this.#next % all.length;
    this.#next = start + COUNTED_AT_ONCE;
    return [...all.slice(start), ...all.slice(0, start)].slice(0, COUNTED_AT_ONCE);
  }
}

function recentLists(): string[] {
  try {
    return readdirSync(RECENT).filter((name) => name.startsWith("KUBE-SEP-"));
  } catch {
    // The module is not loaded: there is no affinity.
    return [];
  }
}

/** Without hash: a Service's port and an endpoint. */
function endpointIn(set: string): string {
  return set.replace(/^affinity-[A-Z2-7]+-/, "").replace("__", " -> ");
}
