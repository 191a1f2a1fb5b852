// The addresses of all interfaces, by rtnetlink. os.networkInterfaces() leaves out interfaces that are down, but the kernel
// treats packets to their addresses as local.
import { SocketAddress } from "node:net";
import { findAttribute } from "../netlink/messages/attributes.ts";
import { NetlinkError } from "../netlink/messages/errno.ts";
import type { Message } from "../netlink/messages/messages.ts";
import * as uapi from "../netlink/messages/uapi.ts";
import { dumpRtnetlink } from "../netlink/sockets/rtnetlink.ts";
import type { NetlinkSocket } from "../netlink/sockets/socket.ts";

/** How often a dump is repeated if addresses change meanwhile. */
const attempts = 5;

/**
 * Sorted, each once, without prefix length and zone. `socket`: of NETLINK_ROUTE.
 *
 * @throws {NetlinkError} the kernel did not answer, or refused
 */
export async function listAddresses(socket: NetlinkSocket): Promise<string[]> {
  const found = new Set<string>();
  for (let attempt = 1; ; attempt++) {
    found.clear();
    const end = await dumpRtnetlink(socket, uapi.RTM_GETADDR, uapi.IFADDRMSG, (message) => {
      const address = addressOf(message);
      if (address !== undefined) found.add(address);
      return true;
    });
    if (end.errno !== 0) throw new NetlinkError("dump of addresses", end.errno);
    if ((!end.interrupted && !end.lost) || attempt === attempts) return [...found].sort();
  }
}

/** The address that a message of rtnetlink is about; undefined: about none. */
export function addressOf({ type, bytes }: Message): string | undefined {
  if (type !== uapi.RTM_NEWADDR && type !== uapi.RTM_DELADDR) return undefined;
  const start = uapi.NLMSG_HEADER + uapi.IFADDRMSG;
  // On a point-to-point interface IFA_ADDRESS is the other end, and IFA_LOCAL is ours.
  const raw = findAttribute(bytes, uapi.IFA.LOCAL, start) ?? findAttribute(bytes, uapi.IFA.ADDRESS, start);
  return raw === undefined ? undefined : addressText(raw);
}

/** Of four or sixteen bytes. Undefined: there are others. */
export function addressText(raw: Uint8Array): string | undefined {
  if (raw.length === 4) return raw.join(".");
  if (raw.length !== 16) return undefined;
  const groups = Array.from({ length: 8 }, (_, i) => (((raw[2 * i] ?? 0) << 8) | (raw[2 * i + 1] ?? 0)).toString(16));
  return new SocketAddress({ address: groups.join(":"), family: "ipv6" }).address;
}
