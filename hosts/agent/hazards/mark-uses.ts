// Who else uses bits of the packet mark? WireGuard, tailscale, Calico and others keep a number there, as we keep one bit.
// Read from routing rules, nf_tables (iptables-nft's extensions among it) and legacy iptables.
import { FAMILIES } from "../../shared/families.ts";
import { type LegacyExtension, type LegacyRule, readLegacyTable } from "../kernel/listing/legacy-table.ts";
import { listOthersRules } from "../kernel/listing/nft-listing.ts";
import {
  type Attribute,
  findAttribute,
  readHostU32,
  readString,
  readU32,
  viewOf,
} from "../netlink/messages/attributes.ts";
import { NetlinkError } from "../netlink/messages/errno.ts";
import type { Message } from "../netlink/messages/messages.ts";
import * as uapi from "../netlink/messages/uapi.ts";
import { dumpRtnetlink } from "../netlink/sockets/rtnetlink.ts";
import type { NetlinkSocket } from "../netlink/sockets/socket.ts";
import { step, yieldIfDue } from "../time/yield.ts";

export interface MarkUse {
  /** "ip rule 32764", "ip mangle PREROUTING". */
  readonly place: string;
  readonly value: number;
  /** The bits that it looks at or sets. */
  readonly mask: number;
}

const ALL_BITS = 0xffffffff;
const NFT_META_MARK = 3;
/** Our own chains, and those of kubelet and kube-proxy, which use the same bit for the same purpose. */
const OUR_TABLES: readonly string[] = ["sluice", "kube-proxy"];
const isOurs = (table: string, chain: string) => OUR_TABLES.includes(table) || chain.startsWith("KUBE-");
/** Rules that are read before the event loop is yielded. */
const RULES_IN_A_STEP = 2_000;
/** Tables of legacy iptables in which packets are marked. */
const LEGACY_TABLES = ["raw", "mangle", "nat", "filter"] as const;

/** `socket`: of NETLINK_ROUTE. @throws {NetlinkError} */
export async function routingRuleMarks(socket: NetlinkSocket): Promise<MarkUse[]> {
  const found: MarkUse[] = [];
  const end = await dumpRtnetlink(socket, uapi.RTM_GETRULE, uapi.FIB_RULE_HEADER, (message) => {
    const use = markOfRoutingRule(message);
    if (use !== undefined) found.push(use);
    return true;
  });
  if (end.errno !== 0) throw new NetlinkError("dump of routing rules", end.errno);
  return found;
}

/** `socket`: of NETLINK_NETFILTER. @throws {NetlinkError} */
export async function netfilterMarks(socket: NetlinkSocket): Promise<MarkUse[]> {
  const found: MarkUse[] = [];
  for await (const { place, expressions } of listOthersRules(socket, isOurs)) {
    for (const { value, mask } of marksOf(expressions)) found.push({ place, value, mask });
  }
  return [...found, ...(await legacyMarks())];
}

async function legacyMarks(): Promise<MarkUse[]> {
  const found: MarkUse[] = [];
  for (const family of FAMILIES) {
    for (const table of LEGACY_TABLES) {
      const place = `${family === "ipv4" ? "iptables" : "ip6tables"}-legacy ${table}`;
      const rules = (await readLegacyTable(family, table))?.rules(["mark", "MARK"]);
      for (let more = true; rules !== undefined && more; ) {
        await yieldIfDue();
        more = step(() => addMarks(found, place, rules));
      }
    }
  }
  return found;
}

/** Of the next rules; false: there are no more. */
function addMarks(found: MarkUse[], place: string, rules: Iterator<LegacyRule>): boolean {
  for (let looked = 0; looked < RULES_IN_A_STEP; looked++) {
    const next = rules.next();
    if (next.done === true) return false;
    const { chain, extensions } = next.value;
    if (isOurs("", chain)) continue;
    for (const each of extensions()) {
      const mark = ofExtension(each);
      if (mark !== undefined) found.push({ place, ...mark });
    }
  }
  return true;
}

interface Mark {
  readonly value: number;
  readonly mask: number;
}

/** struct xt_mark_tginfo2 { u32 mark, mask }: mark = (mark & ~mask) ^ value. struct xt_mark_mtinfo1 begins alike. */
function ofExtension({ name, data }: LegacyExtension): Mark | undefined {
  if ((name !== "MARK" && name !== "mark") || data.length < 8) return undefined;
  const view = viewOf(data);
  const value = view.getUint32(0, true);
  const mask = view.getUint32(4, true);
  return { value, mask: (name === "MARK" ? mask | value : mask) >>> 0 };
}

/** What a register holds: a constant, or the mark with bits taken out and turned over. */
type Held = { readonly kind: "constant"; readonly value: number } | ({ readonly kind: "mark" } & Bits);
interface Bits {
  readonly kept: number;
  readonly flipped: number;
}

function marksOf(expressions: readonly Attribute[]): Mark[] {
  const registers = new Map<number, Held>();
  const found: Mark[] = [];
  for (const { payload } of expressions) {
    const data = findAttribute(payload, uapi.NFTA_EXPR.DATA) ?? new Uint8Array();
    const number = (type: number) => readU32(findAttribute(data, type)) ?? -1;
    const value = (type: number) =>
      readHostU32(findAttribute(findAttribute(data, type) ?? new Uint8Array(), uapi.NFTA_DATA.VALUE));
    switch (readString(findAttribute(payload, uapi.NFTA_EXPR.NAME))) {
      case "match":
      case "target": {
        const extension = {
          name: readString(findAttribute(data, uapi.NFTA_TARGET.NAME)) ?? "",
          data: findAttribute(data, uapi.NFTA_TARGET.INFO) ?? new Uint8Array(),
        };
        found.push(...[ofExtension(extension)].filter((mark) => mark !== undefined));
        break;
      }
      case "immediate": {
        const constant = value(uapi.NFTA_IMMEDIATE.DATA);
        if (constant === undefined) registers.delete(number(uapi.NFTA_IMMEDIATE.DREG));
        else registers.set(number(uapi.NFTA_IMMEDIATE.DREG), { kind: "constant", value: constant });
        break;
      }
      case "meta": {
        const isMark = number(uapi.NFTA_META.KEY) === NFT_META_MARK;
        const into = number(uapi.NFTA_META.DREG);
        if (into >= 0 && isMark) registers.set(into, { kind: "mark", kept: ALL_BITS, flipped: 0 });
        else if (into >= 0) registers.delete(into);
        else if (isMark) found.push(...set(registers.get(number(uapi.NFTA_META.SREG))));
        break;
      }
      case "bitwise": {
        const from = registers.get(number(uapi.NFTA_BITWISE.SREG));
        const into = number(uapi.NFTA_BITWISE.DREG);
        const mask = value(uapi.NFTA_BITWISE.MASK);
        const xor = value(uapi.NFTA_BITWISE.XOR);
        if (from?.kind !== "mark" || mask === undefined || xor === undefined) registers.delete(into);
        else
          registers.set(into, {
            kind: "mark",
            kept: (from.kept & mask) >>> 0,
            flipped: ((from.flipped & mask) ^ xor) >>> 0,
          });
        break;
      }
      case "cmp": {
        const compared = registers.get(number(uapi.NFTA_CMP.SREG));
        const constant = value(uapi.NFTA_CMP.DATA);
        if (compared?.kind === "mark" && constant !== undefined) found.push({ value: constant, mask: compared.kept });
        break;
      }
      default:
    }
  }
  return found;
}

/** What `meta mark set` does. */
function set(held: Held | undefined): Mark[] {
  if (held === undefined) return [];
  if (held.kind === "constant") return [{ value: held.value, mask: ALL_BITS }];
  return [{ value: held.flipped, mask: (~held.kept | held.flipped) >>> 0 }];
}

function markOfRoutingRule({ type, bytes }: Message): MarkUse | undefined {
  if (type !== uapi.RTM_NEWRULE) return undefined;
  const attribute = (which: number) =>
    readHostU32(findAttribute(bytes, which, uapi.NLMSG_HEADER + uapi.FIB_RULE_HEADER));
  const value = attribute(uapi.FRA.FWMARK);
  if (value === undefined) return undefined;
  const priority = attribute(uapi.FRA.PRIORITY) ?? 0;
  return { place: `ip rule ${priority}`, value, mask: attribute(uapi.FRA.FWMASK) ?? ALL_BITS };
}
