// Returning values as the canonical ABI wants them: in one static area, read by the host before the post-return call.
import { arenaAlloc, arenaReset } from "../bytes/memory";
import { outReset, resultPieces, resultStart } from "../bytes/out";
import { problemCount, problemTable, resetProblems } from "./problems";

/** Where results of more than one word are returned. The largest is `apply-result`. */
export const RESULT: usize = memory.data(104, 16);

export function setString(at: usize, bytes: usize, length: usize): void {
  store<usize>(at, bytes);
  store<usize>(at, length, 4);
}

/** A list of `count` records at `at`. */
export function listResult(at: usize, count: u32): usize {
  setString(RESULT, at, <usize>count);
  return RESULT;
}

/** All pieces of output as list<list<u8>>. */
export function outResult(): usize {
  return listResult(resultPieces(0), resultStart());
}

/** All problems of the call. */
export function problemsResult(): usize {
  return listResult(problemTable(), problemCount());
}

let holds: bool = false;

/** Whether what calls have been given and have written stays until further notice: for work that takes several calls. */
export function holdMemory(hold: bool): void {
  holds = hold;
}

/** Ends a call: drops arguments, output, problems and scratch memory. */
export function finish(): void {
  resetProblems();
  if (holds) return;
  outReset();
  arenaReset();
}

/** Called by the host to make room for arguments: in the arena, so that they go when the call ends. */
export function cabi_realloc(old: usize, oldSize: usize, align: usize, size: usize): usize {
  if (size == 0) return align;
  const at = arenaAlloc(size, align);
  if (oldSize != 0) memory.copy(at, old, min(oldSize, size));
  return at;
}
