// Objects that the engine can't stand: found by halves, left out, and tried again when they come later, at intervals that
// grow. Nothing valid should do that to it; but if something does, it costs nobody else his Services.
import type { Kind } from "../../shared/contract.ts";
import { type RecordedObject, without } from "./object-record.ts";

/** An object that is left out. */
export interface TrappingObject {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
}

/** So many are looked for in one search: an engine that can't stand more has another problem. */
const MOST = 100;
/** One that comes again is tried after so long, and after twice as long each time that it traps again. */
const FIRST_WAIT_MS = 5 * 60_000;
const LONGEST_WAIT_MS = 24 * 60 * 60_000;

interface LeftOut extends TrappingObject {
  readonly since: number;
  readonly waitMs: number;
}

/**
 * The objects that have to go for `traps` to become false: the last one of the shortest beginning of the list that traps, and
 * so on without it. Empty if all of them together do not trap, or if that is due to no object.
 */
export async function findTrapping(
  objects: readonly RecordedObject[],
  traps: (objects: readonly RecordedObject[]) => Promise<boolean>,
): Promise<RecordedObject[]> {
  const found: RecordedObject[] = [];
  let rest = [...objects];
  while (found.length < MOST && (await traps(rest))) {
    let passing = 0; // so many at the beginning do not trap
    let trapping = rest.length;
    if (await traps([])) return [];
    while (trapping - passing > 1) {
      const middle = (passing + trapping) >> 1;
      if (await traps(rest.slice(0, middle))) trapping = middle;
      else passing = middle;
    }
    const culprit = rest[passing];
    if (culprit === undefined) break;
    found.push(culprit);
    rest = rest.filter((object) => object !== culprit);
  }
  return found;
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

  /** What of `data` the engine is given. One that is gone, or has waited for long enough, is left out no longer. */
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
