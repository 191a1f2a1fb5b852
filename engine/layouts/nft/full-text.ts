// Whether the full text of a table is being written, as `render` shows it, and not a plan.

/** The full text is being written: what the kernel holds does not matter, and each key is written once. */
export let fullText: bool = false;
/** Number of the full text that is being written, or was written last. */
export let textNumber: u32 = 0;

export function beginFullText(): void {
  fullText = true;
  textNumber++;
}

export function endFullText(): void {
  fullText = false;
}
