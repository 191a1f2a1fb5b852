// Files of /proc that not every kernel has, or not every process may read.
import { readFileSync } from "node:fs";

/** A file's text; undefined if it is not there or may not be read. For files of /proc. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
