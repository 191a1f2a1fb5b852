// The process of the command: its streams, its exit code.
import { loadEngine } from "../shared/engine-node.ts";
import { exitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { run } from "./run.ts";

for (const stream of [process.stdout, process.stderr]) {
  // `| head` closes the pipe when it has seen enough: that is no failure.
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") return;
    process.exitCode = exitCode.failure;
    if (stream !== process.stderr) process.stderr.write(`sluice: cannot write: ${error.message}\n`);
  });
}

const io: Io = {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  loadEngine: () => loadEngine(),
  async readStdin() {
    const chunks: Uint8Array[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array);
    return Buffer.concat(chunks);
  },
};

const args = process.argv.slice(2);
const code = await run(args, io);
process.exitCode ||= code;
// What an agent could not close in its time must not keep the process, which others wait for.
if (args[0] === "agent") setTimeout(() => process.exit(), 250).unref();
