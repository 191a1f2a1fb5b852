// What a command has of the world outside, so that tests can give it another one.
import type { Writable } from "node:stream";
import type { EngineModule } from "../shared/engine.ts";

export interface Io {
  stdout: Writable & { isTTY?: boolean };
  stderr: Writable & { isTTY?: boolean };
  readStdin(): Promise<Uint8Array>;
  env: Readonly<Record<string, string | undefined>>;
  loadEngine(): Promise<EngineModule>;
}

/** Writes and waits for room. After EPIPE (`| head` has seen enough) it does nothing. */
export async function write(stream: Writable, data: string | Uint8Array): Promise<void> {
  if (stream.destroyed || stream.errored || data.length === 0) return;
  if (stream.write(data)) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      for (const event of ["drain", "close", "error"]) stream.off(event, done);
      resolve();
    };
    for (const event of ["drain", "close", "error"]) stream.once(event, done);
  });
}
