// Reads the chunks of a body. An API server sends each event in a chunk of its own, so one read of the socket brings many.
// `for await` would copy all waiting chunks into one; this does not.
import { finished, type Readable } from "node:stream";

/** The body is paused once so much waits. */
const MOST_WAITING_BYTES = 64 * 1024;

/**
 * Gives each chunk to `take` as it comes (valid during the call), and yields once for all chunks that came together. Ends with
 * the body. If the body fails, the last chunks may not be yielded.
 *
 * @throws what the body fails with, or `take` throws
 */
export async function* bodyChunks(body: Readable, take: (chunk: Uint8Array) => void): AsyncGenerator<void> {
  let waiting = 0;
  let end: { readonly error: unknown } | undefined;
  let wake = (): void => {};
  finished(body, { writable: false }, (error) => {
    end ??= { error };
    wake();
  });
  body.on("data", (chunk: Uint8Array) => {
    try {
      take(chunk);
    } catch (error) {
      end ??= { error };
      body.destroy();
    }
    waiting += chunk.length;
    if (waiting >= MOST_WAITING_BYTES) body.pause();
    wake();
  });
  try {
    while (end?.error == null) {
      if (waiting > 0) {
        waiting = 0;
        body.resume();
        yield;
      } else if (end === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      } else {
        return;
      }
    }
    throw end.error;
  } finally {
    body.destroy();
  }
}
