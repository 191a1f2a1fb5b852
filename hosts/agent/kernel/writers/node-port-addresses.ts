// On which addresses the rules that the kernel has let node ports answer: what a process before this one has written.
import type { Family } from "../../../shared/contract.ts";
import { FAMILIES } from "../../../shared/families.ts";
import { addressText } from "../../host/address-list.ts";
import type { NetlinkSocket } from "../../netlink/sockets/socket.ts";
import type { IptablesTools } from "../commands/iptables-tools.ts";
import type { RunCommand } from "../commands/run-command.ts";
import { listKeys } from "../listing/nft-listing.ts";

/** Without it node ports answer on every address. */
const SET = "nodeport-ips";
/** `-A KUBE-SERVICES -d 192.0.2.1/32 -m comment --comment "…" -j KUBE-NODEPORTS` */
const JUMP = /^-A KUBE-SERVICES -d ([\d.]+|[\da-f:]+)\/(?:32|128) .*-j KUBE-NODEPORTS$/;

/** Of modes flat and nftables. @throws {NetlinkError} */
export async function readNftNodePortAddresses(socket: NetlinkSocket, table: string): Promise<string[]> {
  const found: string[] = [];
  for (const family of FAMILIES) {
    for (const key of await listKeys(socket, family, table, SET)) {
      const text = addressText(key);
      if (text !== undefined) found.push(text);
    }
  }
  return found;
}

/** Of mode iptables. `timeout`: milliseconds. None where the command fails: the next write says why. */
export async function readIptablesNodePortAddresses(
  { commands, wait, unusable }: IptablesTools,
  run: RunCommand,
  timeout: number,
): Promise<string[]> {
  const found: string[] = [];
  const onLine = (line: string) => {
    const address = JUMP.exec(line)?.[1];
    if (address !== undefined) found.push(address);
  };
  const list = (family: Family) =>
    run(commands[family].iptables, [...wait, "-t", "nat", "-S", "KUBE-SERVICES"], { timeout, onLine });
  for (const family of FAMILIES) if (unusable[family] === undefined) await list(family);
  return found;
}
