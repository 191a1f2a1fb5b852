// Asks the kernel for one table.

import { ENOENT, NetlinkError } from "../messages/errno.ts";
import { request } from "../messages/messages.ts";
import { NFT_MSG_GETTABLE, NFTA_TABLE } from "../messages/uapi.ts";
import { requestOne } from "../sockets/requests.ts";
import type { NetlinkSocket } from "../sockets/socket.ts";
import type { TableName } from "./monitor.ts";

/**
 * The kernel's NEWTABLE message of the table; undefined: there is no such table.
 *
 * @throws {NetlinkError}
 */
export async function readTable(socket: NetlinkSocket, { family, table }: TableName): Promise<Uint8Array | undefined> {
  const sequence = socket.nextSequence();
  const bytes = request({ type: NFT_MSG_GETTABLE, flags: 0, sequence, family }, (w) =>
    w.string(NFTA_TABLE.NAME, table),
  );
  const answer = await requestOne(socket, bytes, sequence);
  if ("message" in answer) return answer.message.bytes;
  if (answer.errno === ENOENT) return undefined;
  throw new NetlinkError("GETTABLE", answer.errno);
}
