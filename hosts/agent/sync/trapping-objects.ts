// Objects that the engine traps on: found by bisection, left out, and tried again when they come later, at growing intervals.
// No valid object should do that. If one does, no other Service suffers.
import type { Kind } from "../../shared/contract.ts";
import { searchTrapping } from "../../shared/trapping.ts";
import { type RecordedObject, without } from "./object-record.ts";

/** An object that is left out. */
export interface TrappingObject {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
}

/** When an object comes again, it is tried after so long; after each further trap twice as long. */
const FIRST_WAIT_MS = 5 * 60_000;
const LONGEST_WAIT_MS = 24 * 60 * 60_000;

interface LeftOut extends TrappingObject {
  readonly since: number;
  readonly waitMs: number;
}

/** The objects that have to go for `traps` to become false; empty if it is due to none. */
export async function findTrapping(
  objects: readonly RecordedObject[],
  traps: (objects: readonly RecordedObject[]) => Promise<boolean>,
): Promise<RecordedObject[]> {
  const search = searchTrapping(objects);
  let step = search.next();
  while (step.done !== true) step = search.next(await traps(step.value));
  return step.value;
}

export class TrappingObjects {
  readonly #leftOut = new Map<string, LeftOut>();
  /** Waits of objects that are being tried again. */
  readonly #tried = new Map<string, number>();
  readonly #now: () => number;

  /** @param now in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get list(): TrappingObject[] {
    return [...this.#leftOut.values()].map(({ kind, namespace, name }) => ({ kind, namespace, name }));
  }

  add({ kind, namespace, name }: TrappingObject): void {
    const key = keyOf(kind, namespace, name);
    const before = this.#tried.get(key);
    const waitMs = before === undefined ? FIRST_WAIT_MS : Math.min(before * 2, LONGEST_WAIT_MS);
    this.#tried.delete(key);
    this.#leftOut.set(key, { kind, namespace, name, since: this.#now(), waitMs });
  }

  /** `data` without the objects that are left out. One that is deleted, or has waited long enough, is no longer left out. */
  filter(kind: Kind, data: Uint8Array): Uint8Array {
    const names = [...this.#leftOut.values()].filter((each) => each.kind === kind);
    const view = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    if (!names.some(({ name }) => view.includes(`"${name}"`))) return data;
    return without(kind, data, (namespace, name, isGone) => {
      const key = keyOf(kind, namespace, name);
      const found = this.#leftOut.get(key);
      if (found === undefined) return false;
      const hasWaited = this.#now() - found.since >= found.waitMs;
      if (!isGone && !hasWaited) return true;
      this.#leftOut.delete(key);
      if (isGone) this.#tried.delete(key);
      else this.#tried.set(key, found.waitMs);
      return false;
    });
  }
}

const keyOf = (kind: Kind, namespace: string, name: string) => `${kind} ${namespace}/${name}`;
