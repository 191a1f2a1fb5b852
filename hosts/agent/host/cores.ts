// How many processors the machine has. Limits of this process don't count: conntrack's table is the machine's.
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Machine } from "./setting.ts";

/** Online processors by /sys/devices/system/cpu/online (`0-3,8`); without it, those that this process may use. */
export async function onlineCores({ root }: Machine): Promise<number> {
  try {
    return countRanges(await readFile(join(root, "/sys/devices/system/cpu/online"), "utf8")) ?? availableParallelism();
  } catch {
    // Not every sandbox shows /sys.
    return availableParallelism();
  }
}

function countRanges(text: string): number | undefined {
  let count = 0;
  for (const range of text.trim().split(",")) {
    const [, first, last] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? [];
    if (first === undefined) return undefined;
    count += Number(last ?? first) - Number(first) + 1;
  }
  return count > 0 ? count : undefined;
}
