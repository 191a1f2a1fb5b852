// The real libc in front of the real kernel, but some batches it does not pass on, or not as they are.
import { type Libc, loadLibc } from "../sockets/libc.ts";

/** What becomes of a batch: the errno that send() returns, other bytes, or (undefined) nothing. */
export type Refusing = (batch: Uint8Array) => number | Uint8Array | undefined;

export interface RefusingLibc extends Libc {
  /** Batches that were not passed on as they were. */
  refused: number;
}

export function refusingLibc(refusing: Refusing): RefusingLibc {
  const real = loadLibc();
  const libc: RefusingLibc = {
    ...real,
    refused: 0,
    sendOnThread: async (fd, bytes, flags) => {
      const decided = refusing(bytes);
      if (decided === undefined) return real.sendOnThread(fd, bytes, flags);
      libc.refused++;
      if (typeof decided === "number") return -decided;
      const sent = await real.sendOnThread(fd, decided, flags);
      return sent < 0 ? sent : bytes.length;
    },
  };
  return libc;
}
