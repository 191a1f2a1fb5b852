// Another process that commits about once a millisecond: it adds and deletes one element of a set. Run as a program with
// the table's name and the set's; `startWriter` starts it.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { sendBatch } from "../batches/batch.ts";
import { BatchWriter } from "../messages/batch-writer.ts";
import { NFPROTO_IPV4, NLM_F_ACK, NLM_F_CREATE } from "../messages/uapi.ts";
import { NetlinkSocket } from "../sockets/socket.ts";
import { ipv4 } from "./bytes.ts";

const FILE = fileURLToPath(import.meta.url);

/** Resolves when the first commit is made. Kill the process when done. */
export async function startWriter(table: string, set: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["--import", "tsx", FILE, table, set], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (child.stdout !== null) await once(child.stdout, "data");
  return child;
}

async function write(table: string, set: string): Promise<never> {
  const socket = NetlinkSocket.open();
  for (let n = 0; ; n++) {
    const batch = new BatchWriter(NFPROTO_IPV4, table);
    const element = [{ key: ipv4("192.0.2.1") }];
    if (n % 2 === 0) batch.addElements(set, element, NLM_F_CREATE | NLM_F_ACK);
    else batch.deleteElements(set, element, NLM_F_ACK);
    const result = await sendBatch(socket, batch.end());
    if (result.outcome !== "acknowledged") throw new Error(JSON.stringify(result));
    if (n === 0) process.stdout.write("ready\n");
    await sleep(1);
  }
}

const [, program, table, set] = process.argv;
if (program === FILE && table !== undefined && set !== undefined) await write(table, set);
