// Where a reflector stores what it reads. Unlike client-go's store it gets bytes, unparsed.
import type { ApplyResult } from "../../../shared/contract.ts";

/**
 * Takes the objects of one kind as the API server sent them. The store knows the progress markers: the resourceVersion,
 * the continue token, bookmarks, the end of the initial events and Status objects all come back in `ApplyResult`.
 *
 * Between `beginList` and `endList` nothing is removed; a `beginList` after another starts the list anew. Any function
 * may throw (the engine was lost): the reflector then drops its connection and lists again, after its back-off.
 */
export interface ReflectorStore {
  /** Resolves when the store can take more; undefined: it can now. A caller who does not wait makes plans begin anew. */
  ready?(): Promise<void> | undefined;
  beginList(): void;
  /** One page of a list (whole), or whole lines of a watch. Valid until the call returns. */
  apply(data: Uint8Array): ApplyResult;
  /** The list is complete: what was not in it is gone. */
  endList(): void;
}
