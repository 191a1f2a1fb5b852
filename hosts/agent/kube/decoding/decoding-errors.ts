// Why bytes of the API server were not taken.

/** The store threw: nobody knows what it holds. */
export class StoreError extends Error {
  override readonly name = "StoreError";

  constructor(cause: unknown) {
    super(`what was read could not be taken: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** What came is not what an API server sends: an event may have been lost. */
export class UnreadableError extends Error {
  override readonly name = "UnreadableError";
}
