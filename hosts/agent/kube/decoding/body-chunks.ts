// Reads a body as `for await` does, without the copy of everything waiting that a stream's read() makes: an API server sends
// each event in a chunk of its own, so one read of the socket brings many.
import { finished, type Readable } from "node:stream";

/** So much may come while the last is being worked on. */
const MOST_WAITING_BYTES = 64 * 1024;

/**
 * Gives each chunk to `take` as it comes, and yields once for all that came together. Chunks are valid during the call. Ends
 * with the body. What came right before a failure may not be yielded.
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
