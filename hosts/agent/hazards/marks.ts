// Others use our bit of the packet mark. Then their packets would be masqueraded, and their rules would match ours.
import type { AgentConfig } from "../config/agent-config.ts";
import { NETLINK_ROUTE } from "../netlink/messages/uapi.ts";
import { NetlinkSocket } from "../netlink/sockets/socket.ts";
import type { Hazard } from "./hazard.ts";
import { type MarkUse, netfilterMarks, routingRuleMarks } from "./mark-uses.ts";

const ALL_BITS = 0xffffffff;
/** The CNI's portmap has 13 and kubelet had 15. */
const TAKEN = (1 << 13) | (1 << 15);
/** Named in one line. */
const PLACES_AT_MOST = 5;

/** `socket`: of NETLINK_NETFILTER. @throws {NetlinkError} */
export async function markHazards(
  config: Pick<AgentConfig, "mode" | "rules">,
  socket: NetlinkSocket,
): Promise<Hazard[]> {
  const routing = NetlinkSocket.open({ protocol: NETLINK_ROUTE, sendBuffer: 4096, receiveBuffer: 256 << 10 });
  let uses: MarkUse[];
  try {
    uses = [...(await routingRuleMarks(routing)), ...(await netfilterMarks(socket))];
  } finally {
    await routing.close();
  }
  return clashes(config, uses);
}

/** Exported for its test. */
export function clashes({ mode, rules }: Pick<AgentConfig, "mode" | "rules">, uses: readonly MarkUse[]): Hazard[] {
  const bit = rules.masquerade[mode].bit;
  const clashing = uses.filter((use) => ((bitsOf(use) >>> bit) & 1) === 1);
  if (clashing.length === 0) return [];
  const texts = [...new Set(clashing.map(({ place, value, mask }) => `${place}: ${shown(value)}${maskText(mask)}`))];
  const more = texts.length > PLACES_AT_MOST ? ` and ${texts.length - PLACES_AT_MOST} more` : "";
  const field = `${mode === "iptables" ? "iptables" : "nftables"}.masqueradeBit`;
  const free = freeBit(uses);
  return [
    {
      subject: field,
      message: `bit ${bit} (${shown(2 ** bit)}) of packet marks is ours, and others use it too: ${texts.slice(0, PLACES_AT_MOST).join(", ")}${more}; their packets get masqueraded, or ours get lost`,
      hint: free === undefined ? "let them use fewer bits" : `set ${field} to ${free}, which nobody uses here`,
    },
  ];
}

/** The bits that a use claims. If it compares all 32 bits with a number: those that are set in it. Else: all that it looks at. */
function bitsOf({ value, mask }: MarkUse): number {
  return mask === ALL_BITS ? value : mask;
}

function freeBit(uses: readonly MarkUse[]): number | undefined {
  const used = uses.reduce((bits, use) => bits | bitsOf(use), TAKEN);
  return Array.from({ length: 32 }, (_, index) => (index + 14) % 32).find((bit) => ((used >>> bit) & 1) === 0);
}

const shown = (value: number): string => `0x${value.toString(16)}`;
const maskText = (mask: number): string => (mask === ALL_BITS ? "" : `/${shown(mask)}`);
