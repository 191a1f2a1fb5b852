// Finds and reads the files that the user names. Node only.
import { type Dirent, readFileSync, statSync } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Diagnostic, diagnostic } from "../diagnostics.ts";
import type { Source } from "./input.ts";

export type Found = { source: Source } | { diagnostic: Diagnostic };

/** Files of a directory that are taken for manifests, as kubectl does. */
const manifestFile = /\.(ya?ml|json)$/i;

/**
 * Reads what `-f` names, in that order: files, `-` for standard input, and directories with all below them in sorted
 * order. Names that start with a dot are left out. A directory reached a second time through links is not read again.
 */
export async function* readSources(
  paths: readonly string[],
  readStdin: () => Promise<Uint8Array>,
): AsyncGenerator<Found> {
  for (const path of paths) {
    if (path === "-") {
      yield await reading("stdin", readStdin);
      continue;
    }
    let isDirectory: boolean;
    try {
      isDirectory = (await stat(path)).isDirectory();
    } catch (error) {
      yield { diagnostic: fileError(path, error) };
      continue;
    }
    if (!isDirectory) {
      yield await reading(path, () => readFileSync(path));
      continue;
    }
    let files = 0;
    for await (const found of walk(path, new Set())) {
      files++;
      yield found;
    }
    if (files === 0) {
      const hint = "manifests are files named *.yaml, *.yml or *.json";
      yield { diagnostic: diagnostic("error", "no-manifests", "no manifests in this directory", { file: path, hint }) };
    }
  }
}

async function* walk(directory: string, seen: Set<string>): AsyncGenerator<Found> {
  let entries: Dirent[];
  try {
    const real = await realpath(directory);
    if (seen.has(real)) {
      const message = "this directory was read already (a link leads back to it), and is not read again";
      yield { diagnostic: diagnostic("note", "directory-loop", message, { file: directory }) };
      return;
    }
    seen.add(real);
    entries = await readdir(directory, { withFileTypes: true });
  } catch (error) {
    yield { diagnostic: fileError(directory, error) };
    return;
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  for (const entry of entries) {
    if (entry.name.startsWith(".")) continue;
    const path = join(directory, entry.name);
    const sort = sortOf(entry, path);
    if (sort === "directory") yield* walk(path, seen);
    else if (!manifestFile.test(entry.name)) continue;
    else if (sort === "file") yield await reading(path, () => readFileSync(path), true);
    else yield { diagnostic: diagnostic("error", "unreadable-file", notRegular, { file: path, hint: "remove it" }) };
  }
}

/** To open it would wait until somebody writes there. Where `-f` names it itself, as `<(…)` of a shell, that is meant. */
const notRegular = "this is a pipe, a socket or a device, and should be a file";

function sortOf(entry: Dirent, path: string): "directory" | "file" | "other" {
  let found: Pick<Dirent, "isDirectory" | "isFile"> = entry;
  try {
    if (entry.isSymbolicLink()) found = statSync(path);
  } catch {
    return "file"; // a link to nothing or in a circle: reading it will say so
  }
  return found.isDirectory() ? "directory" : found.isFile() ? "file" : "other";
}

/** Files are read synchronously: of thousands, each promise would cost more than its file. */
async function reading(name: string, read: () => Uint8Array | Promise<Uint8Array>, isWalked = false): Promise<Found> {
  try {
    return { source: { name, bytes: await read(), ...(isWalked ? { isWalked } : {}) } };
  } catch (error) {
    return { diagnostic: fileError(name, error) };
  }
}

export function fileError(file: string, error: unknown): Diagnostic {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const [message, hint] = reasons[code] ?? [`cannot be read: ${error instanceof Error ? error.message : error}`, ""];
  return diagnostic("error", "unreadable-file", message, { file, hint });
}

const reasons: Record<string, [message: string, hint: string]> = {
  ENOENT: ["there is no such file or directory", "check the path"],
  EACCES: ["permission denied", "check who may read it"],
  EISDIR: ["this is a directory, and should be a file", ""],
  ELOOP: ["the link leads in a circle", ""],
  ERR_FS_FILE_TOO_LARGE: ["the file is larger than 2 GiB", "split it by kind or namespace"],
};
