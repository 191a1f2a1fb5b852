// --report FORMAT[=FILE]: where a command's result goes, and how it is written. May be given several times.
import { UsageError } from "../exit-codes.ts";
import { type Io, write } from "../io.ts";
import { UnwritableFileError, writeFileAtomically } from "./files.ts";

export interface ReportTarget {
  readonly format: string;
  /** Undefined: stdout. */
  readonly file: string | undefined;
}

/** Without any: text to stdout. Throws a UsageError. */
export function reportTargets(values: readonly string[] | undefined, formats: readonly string[]): ReportTarget[] {
  if (values === undefined) return [{ format: "text", file: undefined }];
  const targets = values.map((value) => {
    const [, format = "", file] = /^([^=]*)(?:=(.*))?$/s.exec(value) ?? [];
    if (!formats.includes(format)) {
      throw new UsageError(
        `--report: ${JSON.stringify(format)} is no format`,
        `use ${formats.join(" or ")}, or FORMAT=FILE`,
      );
    }
    if (file === "") throw new UsageError(`--report ${format}= is given an empty name`, "is a shell variable empty?");
    return { format, file };
  });
  if (targets.filter(({ file }) => file === undefined).length > 1) {
    throw new UsageError("two reports can't go to stdout", "give all but one a file: --report json=FILE");
  }
  return targets;
}

/** Writes each report; `texts` makes it by format. Throws an UnwritableFileError. */
export async function writeReports(
  targets: readonly ReportTarget[],
  texts: Readonly<Record<string, () => string>>,
  io: Io,
): Promise<void> {
  for (const { format, file } of targets) {
    const text = texts[format]?.() ?? "";
    if (file === undefined) {
      await write(io.stdout, text);
      continue;
    }
    try {
      await writeFileAtomically(file, [new TextEncoder().encode(text)]);
    } catch (error) {
      throw new UnwritableFileError(file, error);
    }
  }
}
