// Writes results so that a reader never sees half of one.
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Diagnostic, diagnostic } from "../../shared/diagnostics.ts";

/**
 * Writes beside the file and renames; an existing device or pipe (/dev/null) is written to as it is.
 *
 * @param mode of the file, such as 0o600; absent: that of the file that is there, or what the umask leaves
 */
export async function writeFileAtomically(path: string, pieces: Iterable<Uint8Array>, mode?: number): Promise<void> {
  const existing = await statOrUndefined(path);
  const inPlace = existing !== undefined && !existing.isFile();
  const target = inPlace ? path : join(dirname(path), `.sluice-${process.pid}-${Date.now().toString(36)}.tmp`);
  try {
    const file = await open(target, inPlace ? "w" : "wx", mode ?? existing?.mode ?? 0o666);
    try {
      for (const piece of pieces) await file.writeFile(piece);
      if (!inPlace) await file.sync();
    } finally {
      await file.close();
    }
    if (!inPlace) await rename(target, path);
  } catch (error) {
    if (!inPlace) await rm(target, { force: true });
    throw error;
  }
}

/** A file that can't be written, for people. */
export function unwritable(file: string, error: unknown): Diagnostic {
  const code = error instanceof Error && "code" in error ? error.code : "";
  const hint = code === "ENOENT" ? "make the directory first" : "check the path and who may write there";
  const message = `cannot be written: ${error instanceof Error ? error.message : error}`;
  return diagnostic("error", "unwritable-file", message, { file, hint });
}

/** Thrown where nothing can be reported; ends the command as a failure. */
export class UnwritableFileError extends Error {
  override readonly name = "UnwritableFileError";
  readonly diagnostic: Diagnostic;

  constructor(file: string, error: unknown) {
    super(`${file} cannot be written`, { cause: error });
    this.diagnostic = unwritable(file, error);
  }
}

/** Is `-o PATH` a directory? It is if there is one, or if its name says so. */
export async function isDirectory(path: string): Promise<boolean> {
  return path.endsWith("/") || ((await statOrUndefined(path))?.isDirectory() ?? false);
}

export async function makeDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
}

async function statOrUndefined(path: string) {
  try {
    return await stat(path);
  } catch {
    return undefined;
  }
}
