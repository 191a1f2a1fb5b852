// Run by a test as root: gives up all capabilities, tries everything, and prints what it was told as JSON.
import { sendBatch } from "../batches/batch.ts";
import { probeKernel } from "../probe/probe.ts";
import { dumpTable } from "../ruleset/dump.ts";
import { RulesetMonitor } from "../ruleset/monitor.ts";
import { NetlinkSocket } from "../sockets/socket.ts";
import { stock, TABLE } from "./flat.ts";

NetlinkSocket.open(); // loads koffi, which the other user may not be able to read
process.setgroups?.([]);
process.setgid?.(65534);
process.setuid?.(65534);

const socket = NetlinkSocket.open();
const sent = await sendBatch(socket, stock());
const told = async (work: () => unknown): Promise<string> => {
  try {
    return JSON.stringify(await work());
  } catch (error) {
    return (error as Error).message;
  }
};
console.log(
  JSON.stringify({
    send: sent.outcome === "refused" ? sent.errors[0]?.message : sent.outcome,
    dump: await told(() => dumpTable(TABLE)),
    monitor: await told(() => RulesetMonitor.open()),
    probe: await told(() => probeKernel(socket)),
  }),
);
process.exit(0);
