// Writes an engine's netlink batches into the kernel of the test's namespace.
import * as assert from "uvu/assert";
import type { Batch } from "../../../shared/contract.ts";
import { type EngineInstance, joinPieces } from "../../../shared/engine.ts";
import { sendBatch } from "../../netlink/batches/batch.ts";
import { NetlinkSocket } from "../../netlink/sockets/socket.ts";

export async function sendBatches(engine: EngineInstance, batches: readonly Batch[], now: number): Promise<void> {
  const socket = NetlinkSocket.open();
  try {
    for (const { id, data, notBeforeMs } of batches) {
      const result = await sendBatch(socket, joinPieces(data));
      assert.is(result.outcome, "acknowledged", JSON.stringify(result));
      engine.committed(id, now + notBeforeMs);
    }
  } finally {
    await socket.close();
  }
}
