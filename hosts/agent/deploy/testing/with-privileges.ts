// Run by a test with the privileges that manifests and unit give: does what the agent needs them for, prints what came of it
// as JSON.
import { readFileSync, writeFileSync } from "node:fs";
import { probeKernel } from "../../netlink/probe/probe.ts";
import { NetlinkSocket } from "../../netlink/sockets/socket.ts";

const timeout = "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_close_wait";

function write(path: string, text: string): string {
  try {
    writeFileSync(path, text);
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

const socket = NetlinkSocket.open();
const { outcome } = await probeKernel(socket);
socket.close();
const score = readFileSync("/proc/self/oom_score_adj", "utf8").trim();
console.log(
  JSON.stringify({
    rules: outcome,
    sysctl: write(timeout, "3600"),
    sameScore: write("/proc/self/oom_score_adj", score) === score,
    file: write("/etc/sluice-test", ""),
  }),
);
