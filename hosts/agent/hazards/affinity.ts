// Session affinity is a list of clients for each endpoint, which the packets fill. When one is full, nf_tables leaves new clients
// out, and xt_recent forgets the one that has been quiet for longest; nobody says so.
import { readdirSync } from "node:fs";
import type { Family, Mode } from "../../shared/contract.ts";
import { FAMILIES } from "../../shared/families.ts";
import { countElements, listDynamicSets } from "../kernel/nft-listing.ts";
import { readIfThere } from "../kernel/read-if-there.ts";
import type { NetlinkSocket } from "../netlink/sockets/socket.ts";
import type { Hazard } from "./hazard.ts";

const TABLES: Readonly<Record<Exclude<Mode, "iptables">, string>> = { flat: "sluice", nftables: "kube-proxy" };
/** `affinity-HASH-namespace/name/protocol/port__address/port` */
const PREFIX = "affinity-";
/** What the kernel makes of a dynamic set without a size. */
const DEFAULT_SIZE = 65_535;
/** Lists that are read element by element in one look: before Linux 6.16 there is no other way. */
const COUNTED_AT_ONCE = 16;
const NAMED_AT_MOST = 5;
const RECENT = "/proc/net/xt_recent";
const RECENT_SIZE = "/sys/module/xt_recent/parameters/ip_list_tot";

/** One look after the other; where lists have to be counted, each takes some of them. */
export class AffinityWatch {
  readonly #mode: Mode;
  /** Full when they were counted last. */
  readonly #full = new Set<string>();
  #next = 0;

  constructor(mode: Mode) {
    this.#mode = mode;
  }

  /** @throws {NetlinkError} */
  async look(socket: NetlinkSocket): Promise<Hazard[]> {
    return this.#mode === "iptables"
      ? recentHazards(this.#turn.bind(this), this.#full)
      : this.#lookIntoSets(socket, this.#mode);
  }

  async #lookIntoSets(socket: NetlinkSocket, mode: Exclude<Mode, "iptables">): Promise<Hazard[]> {
    const uncounted: { family: Family; name: string; size: number }[] = [];
    const names = new Set<string>();
    let size = DEFAULT_SIZE;
    for (const family of FAMILIES) {
      for (const set of await listDynamicSets(socket, family, TABLES[mode])) {
        if (!set.name.startsWith(PREFIX)) continue;
        size = set.size === 0 ? DEFAULT_SIZE : set.size;
        names.add(set.name);
        if (set.count === undefined) uncounted.push({ family, name: set.name, size });
        else this.#note(set.name, set.count >= size);
      }
    }
    for (const { family, name, size } of this.#turn(uncounted)) {
      this.#note(name, (await countElements(socket, family, TABLES[mode], name)) >= size);
    }
    for (const name of this.#full) if (!names.has(name)) this.#full.delete(name);
    const hint =
      "use fewer clients for each endpoint (more endpoints), a shorter sessionAffinityConfig.clientIP.timeoutSeconds, or no affinity";
    return hazard([...this.#full].map(endpointIn), `${size} clients: new ones get no affinity`, hint);
  }

  #note(name: string, isFull: boolean): void {
    if (isFull) this.#full.add(name);
    else this.#full.delete(name);
  }

  /** So many of them as are looked at this time. */
  #turn<T>(all: readonly T[]): T[] {
    const start = all.length <= COUNTED_AT_ONCE ? 0 : this.#next % all.length;
    this.#next = start + COUNTED_AT_ONCE;
    return [...all.slice(start), ...all.slice(0, start)].slice(0, COUNTED_AT_ONCE);
  }
}

/** Files of xt_recent, which have a line for each client. */
function recentHazards(turn: <T>(all: readonly T[]) => T[], full: Set<string>): Hazard[] {
  const limit = Number(readIfThere(RECENT_SIZE) ?? Number.NaN);
  const lists = recentLists();
  if (Number.isNaN(limit) || limit === 0) return [];
  for (const name of full) if (!lists.includes(name)) full.delete(name);
  for (const name of turn(lists)) {
    const clients = (readIfThere(`${RECENT}/${name}`) ?? "").split("\n").length - 1;
    if (clients >= limit) full.add(name);
    else full.delete(name);
  }
  const hint = `give the module xt_recent more room (ip_list_tot, ${limit} now, in /etc/modprobe.d; it has to be loaded anew), or use mode flat or nftables, which take ${DEFAULT_SIZE}`;
  return hazard([...full], `${limit} clients: for each new one the quietest loses its affinity`, hint);
}

function recentLists(): string[] {
  try {
    return readdirSync(RECENT).filter((name) => name.startsWith("KUBE-SEP-"));
  } catch {
    // The module is not loaded: there is no affinity.
    return [];
  }
}

function hazard(endpoints: readonly string[], consequence: string, hint: string): Hazard[] {
  if (endpoints.length === 0) return [];
  const more = endpoints.length > NAMED_AT_MOST ? ` and ${endpoints.length - NAMED_AT_MOST} more` : "";
  const names = [...endpoints].sort().slice(0, NAMED_AT_MOST).join(", ");
  return [
    {
      subject: "session affinity",
      message: `the list of clients is full for ${names}${more}, with ${consequence}`,
      hint,
    },
  ];
}

/** Without hash: a Service's port and an endpoint. */
function endpointIn(set: string): string {
  return set.replace(/^affinity-[A-Z2-7]+-/, "").replace("__", " -> ");
}
