// Which field is at an address? Only asked when there is a problem: the object is walked again from its start, so that
// readers need not keep a path. One walk serves all problems of an object that come in the order of the data.
import { arenaAlloc } from "../bytes/memory";
import { dataEnd, MAX_DEPTH, QUOTE } from "./scanner";
import { wellFormed, wellFormedBytes } from "./utf8";

/** An open container on the way to the address. */
@unmanaged
class Step {
  isObject: u32;
  /** The key whose value is being walked, as it is written in the data; 0 before a key. */
  key: usize;
  keyLength: usize;
  /** The element that is being walked. */
  index: u32;
}

const STEP_SIZE: usize = offsetof<Step>();
const steps: usize = heap.alloc(<usize>MAX_DEPTH * STEP_SIZE);

/** Longer paths are cut. */
const PATH_SIZE: usize = 1024;
/** Longer keys are cut. */
const KEY_SIZE: usize = 128;
const path: usize = heap.alloc(PATH_SIZE + KEY_SIZE + 16);

let start: usize = 0;
let at: usize = 0;
let level: u32 = 0;

function stepAt(index: u32): Step {
  return changetype<Step>(steps + <usize>index * STEP_SIZE);
}

/** Forgets the last walk: the data is another now. */
export function resetPaths(): void {
  start = 0;
}

/** Address after the closing quote of the string whose opening quote is at `from`; the end if there is none. */
function quotedEnd(from: usize, end: usize): usize {
  let p = from + 1;
  while (p < end) {
    const byte = load<u8>(p);
    if (byte == QUOTE) return p + 1;
    p += byte == 0x5c ? 2 : 1;
  }
  return end;
}

/** Walks on until `target` is reached; the data up to it may be anything, as long as it makes sense mostly. */
function walkTo(target: usize): void {
  const end = min(target, dataEnd());
  while (at < end) {
    const byte = <u32>load<u8>(at);
    if (byte == QUOTE) {
      const after = quotedEnd(at, dataEnd());
      if (level > 0) {
        const step = stepAt(level - 1);
        if (step.isObject != 0 && step.key == 0) {
          if (after > target) return; // the problem is in the key
          step.key = at + 1;
          step.keyLength = after - at - 2;
        }
      }
      at = after;
      continue;
    }
    if ((byte | 0x20) == 0x7b) {
      if (level == MAX_DEPTH) return;
      const step = stepAt(level++);
      step.isObject = byte == 0x7b ? 1 : 0;
      step.key = 0;
      step.index = 0;
    } else if ((byte | 0x20) == 0x7d) {
      if (level > 0) level--;
    } else if (byte == 0x2c && level > 0) {
      const step = stepAt(level - 1);
      step.key = 0;
      step.index++;
    }
    at++;
  }
}

/** Keys that can stand in a path as they are. */
function isPlain(key: usize, length: usize): bool {
  for (let i: usize = 0; i < length; i++) {
    const byte = <u32>load<u8>(key + i);
    const letter = (byte | 0x20) - 0x61 < 26;
    if (!letter && byte - 0x30 >= 10 && byte != 0x5f && byte != 0x2d) return false;
  }
  return length > 0;
}

function putKey(to: usize, key: usize, keyLength: usize): usize {
  const length = wellFormed(key, min(keyLength, KEY_SIZE));
  memory.copy(to, wellFormedBytes, length);
  return to + length;
}

function putIndex(to: usize, index: u32): usize {
  let digits: usize = 1;
  for (let rest = index; rest >= 10; rest /= 10) digits++;
  let rest = index;
  for (let i = digits; i > 0; i--) {
    store<u8>(to + i - 1, <u8>(0x30 + (rest % 10)));
    rest /= 10;
  }
  return to + digits;
}

/** Address of the path that `pathTo` has returned the length of. */
export let pathBytes: usize = 0;

/**
 * Path of the value at `target` (or around it) in the object that begins at `object`, such as `spec.ports[0].port` or
 * `metadata.labels[kubernetes.io/service-name]`. Returns its length and sets `pathBytes`, which is in the arena.
 */
export function pathTo(object: usize, target: usize): usize {
  if (object != start || target < at) {
    start = object;
    at = object;
    level = 0;
  }
  walkTo(target);
  let to = path;
  for (let i: u32 = 0; i < level && to < path + PATH_SIZE; i++) {
    const step = stepAt(i);
    const isObject = step.isObject != 0;
    if (isObject && step.key == 0) break;
    if (isObject && isPlain(step.key, step.keyLength)) {
      if (to > path) store<u8>(to++, 0x2e);
      to = putKey(to, step.key, step.keyLength);
      continue;
    }
    store<u8>(to++, 0x5b);
    to = isObject ? putKey(to, step.key, step.keyLength) : putIndex(to, step.index);
    store<u8>(to++, 0x5d);
  }
  const length = to - path;
  pathBytes = arenaAlloc(length, 1);
  memory.copy(pathBytes, path, length);
  return length;
}
