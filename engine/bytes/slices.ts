// Long plans are made in slices: a call does so much work, then the host has its turn and calls again.

let left: u32 = 0;

/** A call begins that is to do about so much work, in endpoints planned or elements compared. */
export function beginSlice(work: u32): void {
  left = work;
}

/** Counts work that has been done. True if it is enough for this call. */
export function isSpent(work: u32): bool {
  left = left > work ? left - work : 0;
  return left == 0;
}

/** What takes a hundredth part of what an endpoint takes is counted by sixteens; `done`: how many there were. */
export function isSpentOnOne(done: u32): bool {
  return (done & 15) == 0 && isSpent(1);
}
