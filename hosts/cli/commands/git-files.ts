// Files as a commit has them, read through git without touching the work tree.
import { type ChildProcess, spawn } from "node:child_process";
import { posix } from "node:path";
import { diagnostic } from "../../shared/diagnostics.ts";
import type { Found } from "../../shared/manifests/files.ts";
import { printable } from "../../shared/printable.ts";

/** Files of a directory that are taken for manifests, as elsewhere. */
const manifestFile = /\.(ya?ml|json)$/i;

interface Entry {
  readonly mode: string;
  readonly object: string;
  /** From the directory where git runs. */
  readonly path: string;
}

/**
 * The manifests below the paths, sorted by name; a path that is named itself counts whatever its name is. What the commit does not
 * have is no error: it came or went since.
 *
 * @param directory where git runs, and what paths start from
 */
export async function filesOfCommit(ref: string, paths: readonly string[], directory: string): Promise<Found[]> {
  const commit = await git(directory, ["rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`]);
  if (typeof commit === "string") return [failure(commit, "is git installed, and is this a repository?")];
  if (commit.code !== 0) {
    const message = commit.stderr.trim() || `there is no commit ${printable(ref)} in this repository`;
    return [failure(message, "fetch it first: a shallow clone has only the last commit (git fetch origin REF)")];
  }
  const id = commit.stdout.toString().trim();
  const wanted = paths.length === 0 ? ["."] : paths;
  const args = ["--literal-pathspecs", "ls-tree", "-r", "-z", id, "--", ...wanted];
  const listed = await git(directory, args);
  if (typeof listed === "string" || listed.code !== 0) {
    return [failure(typeof listed === "string" ? listed : listed.stderr.trim(), "name paths in this repository")];
  }
  const named = new Set(wanted.map((path) => posix.normalize(path)));
  const entries = entriesOf(listed.stdout).filter(({ path }) => named.has(path) || isManifest(path));
  entries.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const contents = await blobs(
    directory,
    entries.filter(({ mode }) => mode.startsWith("100")).map(({ object }) => object),
  );
  return entries.flatMap(({ mode, object, path }): Found[] => {
    if (mode === "160000") return [];
    if (mode === "120000") {
      const message = "a link: what it leads to is not read from a commit";
      return [{ diagnostic: diagnostic("warning", "link-in-commit", message, { file: path }) }];
    }
    const bytes = contents.get(object);
    if (bytes !== undefined) return [{ source: { name: path, bytes, ...(named.has(path) ? {} : { isWalked: true }) } }];
    return [{ diagnostic: diagnostic("error", "unreadable-file", "git does not have it", { file: path }) }];
  });
}

function failure(message: string, hint: string): Found {
  return { diagnostic: diagnostic("error", "git", `git: ${printable(message)}`, { hint }) };
}

/** As in directories, names that start with a dot are left out. */
function isManifest(path: string): boolean {
  const parts = path.split("/").filter((part) => part !== "..");
  return manifestFile.test(path) && !parts.some((part) => part.startsWith(".") && part !== ".");
}

/** `100644 blob 3b18… TAB path NUL …` */
function entriesOf(listing: Buffer): Entry[] {
  return listing
    .toString()
    .split("\0")
    .filter((line) => line !== "")
    .map((line) => {
      const tab = line.indexOf("\t");
      const [mode = "", , object = ""] = line.slice(0, tab).split(" ");
      return { mode, object, path: line.slice(tab + 1) };
    });
}

/** Contents by object name, all from one process. */
async function blobs(directory: string, objects: readonly string[]): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  if (objects.length === 0) return found;
  const wanted = [...new Set(objects)];
  const result = await git(directory, ["cat-file", "--batch"], `${wanted.join("\n")}\n`);
  if (typeof result === "string" || result.code !== 0) return found;
  const { stdout } = result;
  // `3b18… blob 123 LF`, the bytes, LF
  for (let at = 0; at < stdout.length; ) {
    const end = stdout.indexOf(0x0a, at);
    if (end === -1) break;
    const [object = "", type, size = ""] = stdout.subarray(at, end).toString().split(" ");
    at = end + 1;
    if (type === "missing") continue;
    found.set(object, stdout.subarray(at, at + Number(size)));
    at += Number(size) + 1;
  }
  return found;
}

interface Result {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** A text: it could not be started. */
function git(directory: string, args: readonly string[], input = ""): Promise<Result | string> {
  return new Promise((resolve) => {
    let child: ChildProcess;
    try {
      child = spawn("git", args, { cwd: directory, stdio: ["pipe", "pipe", "pipe"] });
    } catch (error) {
      resolve(String(error));
      return;
    }
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr?.on("data", (chunk: Buffer) => stderr.push(chunk));
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code) => {
      resolve({ code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() });
    });
    // It may have ended before it has read all: its exit code tells why.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}
