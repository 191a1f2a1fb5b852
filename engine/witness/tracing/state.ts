// How far a packet has come on one path, and what has been done to it. Where chance decides, the state is saved, one branch
// followed to its end, and the next one begun from what was saved.
import { sizeOf } from "../../bytes/sizes";

@unmanaged
export class State {
  /** Weight of the path. */
  numerator: u64 = 1;
  denominator: u64 = 1;
  /** Stage of the way through the hooks (stages.ts), and which of its base chains is next. */
  stage: u32 = 0;
  nextBase: u32 = 0;
  /** Chain and position of the next rule; ABSENT: between base chains. */
  chain: u32 = 0;
  position: u32 = 0;
  /** The base chain that the packet is in. */
  base: u32 = 0;
  /** Where RETURN leads to (frames.ts); 0: out of the base chain. */
  frame: u32 = 0;
  /** Chains entered, against loops. */
  hops: u32 = 0;
  /** Destination after DNAT: rank, literal (ABSENT: none), port; and whether they are its own no more. */
  daddr: u32 = 0;
  literal: u32 = 0;
  dport: u32 = 0;
  isAddressNew: bool = false;
  isPortNew: bool = false;
  isTranslated: bool = false;
  isMasqueraded: bool = false;
  isUntracked: bool = false;
  /** Source after SNAT: literal plus one. */
  snat: u32 = 0;
  mark: u32 = 0;
  /** Bits of the mark that nobody knows: they were restored from a connection's. */
  unknownMark: u32 = 0;
  /** Mark of the connection, and what of it is not known: what its first packet has left. */
  ctMark: u32 = 0;
  unknownCtMark: u32 = 0;
  /** Seconds that the client sticks to the endpoint from now on; ABSENT: it does not. */
  affinity: u32 = 0;
  /** Line of the rule that has decided last. */
  line: u32 = 0;
  /** Line of the rule or element that has chosen the endpoint. */
  endpointLine: u32 = 0;
  /** How many steps were noted (steps.ts). */
  steps: u32 = 0;
}

const SIZE: usize = offsetof<State>();
export const state = new State();

/** So many branches within branches are followed. */
const DEEPEST: u32 = 200;
const saved: usize = heap.alloc(sizeOf(DEEPEST, SIZE));
let depth: u32 = 0;

/** False: too deep. */
export function saveState(): bool {
  if (depth == DEEPEST) return false;
  memory.copy(saved + <usize>depth * SIZE, changetype<usize>(state), SIZE);
  depth++;
  return true;
}

/** The state as it was saved last, which stays saved. */
export function restoreState(): void {
  memory.copy(changetype<usize>(state), saved + <usize>(depth - 1) * SIZE, SIZE);
}

export function dropState(): void {
  depth--;
}
