// A process that has a form of the name @sluice-agent and meets whoever connects in its own way: an agent of an earlier version,
// or a stranger. Also one that only connects, 40 times to each form. Prints "ready".
//   node --import tsx name-holder.ts own|padded|exact|both greets|is-silent|hangs-up|says-else|is-bound
//   node --import tsx name-holder.ts flood
import { createServer, type Socket } from "node:net";
import { AF_UNIX, SOCK_STREAM } from "../../../netlink/messages/uapi.ts";
import { loadLibc } from "../../../netlink/sockets/libc.ts";
import { LOCK_ADDRESSES } from "../lock-name.ts";

const libc = loadLibc();
const [form = "", manner = ""] = process.argv.slice(2);
const manners: Record<string, (socket: Socket) => void> = {
  greets: (socket) => void socket.write("sluice agent, mode flat\n"),
  "is-silent": () => {},
  "hangs-up": (socket) => void socket.destroy(),
  "says-else": (socket) => void socket.write("220 mail.example\n"),
};

if (form === "flood") {
  for (const address of LOCK_ADDRESSES) {
    for (let each = 0; each < 40; each++) libc.connect(libc.socket(AF_UNIX, SOCK_STREAM, 0), address);
  }
} else if (form === "own") {
  // As earlier versions did: which form it is, is the runtime's choice.
  const server = listener();
  await new Promise<void>((resolve) => server.listen({ path: "\0sluice-agent" }, resolve));
} else {
  for (const [index, address] of LOCK_ADDRESSES.entries()) {
    if (form !== "both" && form !== ["padded", "exact"][index]) continue;
    const fd = libc.socket(AF_UNIX, SOCK_STREAM, 0);
    if (libc.bind(fd, address) < 0) throw new Error("the name is taken");
    // It has the name and does not listen.
    if (manner === "is-bound") continue;
    await new Promise<void>((resolve) => void listener().listen({ fd }, resolve));
  }
}
setInterval(() => {}, 1_000_000);
console.log("ready");

function listener() {
  const server = createServer((socket) => manners[manner]?.(socket.on("error", () => {})));
  // As earlier versions had it.
  server.maxConnections = 16;
  return server;
}
