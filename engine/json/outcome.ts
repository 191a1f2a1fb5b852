/** What became of an object. */
export namespace Outcome {
  /** It has an error, which was reported; what is known of the object stays. */
  export const REFUSED: u32 = 0;
  /** Accepted; nothing is different. */
  export const SAME: u32 = 1;
  /** Accepted; it differs from what was known. */
  export const CHANGED: u32 = 2;
}

export function accepted(changed: bool): u32 {
  return changed ? Outcome.CHANGED : Outcome.SAME;
}
