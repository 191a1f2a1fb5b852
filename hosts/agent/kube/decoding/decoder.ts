// Hands bytes to a store in slices, yields in between, and checks whether the store could read them.
import type { ApplyResult } from "../../../shared/contract.ts";
import { step, yieldIfDue } from "../../time/yield.ts";
import { StoreError, UnreadableError } from "./decoding-errors.ts";
import { slicesOf } from "./line-splitter.ts";
import { PIECE_VERSION } from "./list-splitter.ts";
import type { ReflectorStore } from "./reflector-store.ts";

const SLICE_BYTES = 256 * 1024;

/** Problems that lose a whole document. Others lose an object or a part of one, which is no reason to list again. */
const lostDocuments: ReadonlySet<string> = new Set([
  "json-syntax",
  "json-truncated",
  "json-too-deep",
  "not-an-object",
  "unknown-watch-type",
  "missing-kind",
  "missing-api-version",
]);

export class Decoder {
  readonly #store: ReflectorStore;

  constructor(store: ReflectorStore) {
    this.#store = store;
  }

  /** Waits until the store can take more. */
  async ready(): Promise<void> {
    for (let wait = this.#store.ready?.(); wait !== undefined; wait = this.#store.ready?.()) await wait;
  }

  beginList(): void {
    this.#guarded(() => this.#store.beginList());
  }

  endList(): void {
    this.#guarded(() => this.#store.endList());
  }

  /** Objects of a page, as `ListSplitter` hands them on. */
  piece(data: Uint8Array): ApplyResult {
    const result = this.page(data);
    if (result.resourceVersion === PIECE_VERSION) return result;
    throw new UnreadableError(`the list can't be read${problemText(result)}`);
  }

  /** A whole page of a list, or one without its objects. */
  page(data: Uint8Array): ApplyResult {
    const result = this.#guarded(() => this.#store.apply(data));
    if (result.status === undefined && result.resourceVersion === "") {
      throw new UnreadableError(`the list can't be read${problemText(result)}`);
    }
    if (result.skipped.length > 0) {
      throw new UnreadableError(`the list has objects of another kind: ${result.skipped[0]?.kind}`);
    }
    return result;
  }

  /** Whole lines of a watch, in slices. `each` gets the result of a slice before the next one is taken. */
  async lines(data: Uint8Array, each: (result: ApplyResult) => void): Promise<void> {
    for (const slice of slicesOf(data, SLICE_BYTES)) {
      await yieldIfDue();
      await this.ready();
      const result = this.#guarded(() => this.#store.apply(slice));
      const lost = result.problems.find(({ code }) => lostDocuments.has(code));
      if (lost !== undefined) throw new UnreadableError(`a line of the watch can't be read: ${lost.message}`);
      each(result);
    }
  }

  #guarded<T>(run: () => T): T {
    try {
      return step(run);
    } catch (error) {
      throw new StoreError(error);
    }
  }
}

function problemText({ problems }: ApplyResult): string {
  const [first] = problems;
  return first === undefined ? "" : `: ${first.message}`;
}
