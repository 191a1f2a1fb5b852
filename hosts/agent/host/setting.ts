// One number that the kernel keeps in a file of /proc or /sys. It is read before it is written, and the result is data.
import { access, constants, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Diagnostic, diagnostic } from "../../shared/diagnostics.ts";

export type SettingAction =
  /** It is as wanted, or better. */
  | "kept"
  | "written"
  /** It has to be written, and nothing was (`Machine.readOnly`). */
  | "to be written"
  | "not permitted"
  /** The kernel has no such setting (yet): its module is not loaded. */
  | "absent"
  /** The kernel does not take the value. */
  | "refused";

export interface Setting {
  /** `net.netfilter.nf_conntrack_max`, or the file's path where it is no sysctl. */
  readonly name: string;
  readonly wanted: number;
  /** Before. */
  readonly found: number | undefined;
  readonly action: SettingAction;
  /** What the kernel said; empty if it has it. */
  readonly reason: string;
  /** What to do about it; empty if nothing. */
  readonly hint: string;
}

/** Where to look: tests have /proc and /sys in a directory. */
export interface Machine {
  /** What stands before `/proc` and `/sys`; empty on a real machine. */
  readonly root: string;
  /** Writes nothing, and says what would be. */
  readonly readOnly: boolean;
}

export const thisMachine: Machine = { root: "", readOnly: false };

export interface Wish {
  readonly name: string;
  /** `/proc/sys/…` */
  readonly path: string;
  readonly wanted: number;
  /** Leaves what is greater. */
  readonly atLeast?: boolean;
  /** What to do if it can't be written. */
  readonly hint: string;
}

/** Never throws for what the file system or the kernel says. */
export async function ensureSetting(machine: Machine, wish: Wish): Promise<Setting> {
  const { name, path, wanted, atLeast = false, hint } = wish;
  const file = join(machine.root, path);
  const result = (action: SettingAction, found?: number, reason = ""): Setting => {
    const isFine = action === "kept" || action === "written" || action === "to be written";
    return { name, wanted, found, action, reason, hint: isFine ? "" : hint };
  };
  let found: number | undefined;
  try {
    found = parse(await readFile(file, "utf8"));
  } catch (error) {
    return isMissing(error)
      ? result("absent", undefined, `there is no ${path}`)
      : result("not permitted", undefined, messageOf(error));
  }
  if (found === wanted || (atLeast && found !== undefined && found > wanted)) return result("kept", found);
  try {
    if (machine.readOnly) {
      await access(file, constants.W_OK);
      return result("to be written", found);
    }
    await write(file, wanted);
    return result("written", found);
  } catch (error) {
    return result(isForbidden(error) ? "not permitted" : "refused", found, messageOf(error));
  }
}

/** What is there, undefined if it can't be read or is no number. */
export async function readSetting({ root }: Machine, path: string): Promise<number | undefined> {
  try {
    return parse(await readFile(join(root, path), "utf8"));
  } catch {
    // Absent or not readable: in both cases the value is unknown, and callers can deal with that.
    return undefined;
  }
}

/** Warnings about the settings that are not as wanted. */
export function settingDiagnostics(settings: readonly Setting[]): Diagnostic[] {
  return settings
    .filter(({ hint }) => hint !== "")
    .map(({ name, wanted, found, action, reason, hint }) => {
      const is = found === undefined ? "" : `, and is ${found}`;
      const message = `${name} should be ${wanted}${is}: ${action}${reason === "" ? "" : ` (${reason})`}`;
      return diagnostic("warning", `setting-${action.replaceAll(" ", "-")}`, message, { hint });
    });
}

function parse(text: string): number | undefined {
  return /^-?\d+$/.test(text.trim()) ? Number(text) : undefined;
}

/** Without O_CREAT and O_TRUNC: only what is there is written. */
async function write(file: string, value: number): Promise<void> {
  const handle = await open(file, constants.O_WRONLY);
  try {
    await handle.write(`${value}\n`);
  } finally {
    await handle.close();
  }
}

const code = (error: unknown): string => (error instanceof Error && "code" in error ? String(error.code) : "");
const isMissing = (error: unknown): boolean => ["ENOENT", "ENOTDIR"].includes(code(error));
/** EOPNOTSUPP: hashsize outside the initial network namespace. */
const isForbidden = (error: unknown): boolean =>
  ["EACCES", "EPERM", "EROFS", "EOPNOTSUPP", "ENOTSUP"].includes(code(error));
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
