// What a command reads with -f.
import { type Found, readSources } from "../../shared/manifests/files.ts";
import type { Input, Source } from "../../shared/manifests/input.ts";
import { Origins } from "../../shared/manifests/origins.ts";
import { parseSource } from "../../shared/manifests/parse.ts";
import { sortSources } from "../../shared/manifests/unrendered.ts";
import type { Io } from "../io.ts";
import type { Reporter } from "../output/diagnostics.ts";
import { Progress } from "../output/progress.ts";

export interface ReadManifests {
  readonly inputs: Input[];
  readonly origins: Origins;
}

/** Of a reporter what reading needs. */
export type ReadReporter = Pick<Reporter, "report" | "beforePrint" | "originOf">;

/** What can be read of the files; the rest is reported. What is reported from then on leads to the files that people edit. */
export function readManifests(files: readonly string[], io: Io, reporter: ReadReporter): Promise<ReadManifests> {
  return readFound(
    readSources(files, () => io.readStdin()),
    io,
    reporter,
  );
}

/** The same of files that were found in another way. */
export async function readFound(
  files: AsyncIterable<Found> | Iterable<Found>,
  io: Io,
  reporter: ReadReporter,
): Promise<ReadManifests> {
  const progress = new Progress(io);
  reporter.beforePrint = () => progress.clear();
  const sources: Source[] = [];
  for await (const found of files) {
    if ("diagnostic" in found) reporter.report(found.diagnostic);
    else sources.push(found.source);
  }
  const { manifests, diagnostics } = sortSources(sources);
  for (const found of diagnostics) reporter.report(found);
  const origins = new Origins();
  for (const source of manifests) origins.add(source);
  reporter.originOf = (file, line) => origins.of(file, line);
  const inputs: Input[] = [];
  for (const source of manifests) {
    for (const parsed of parseSource(source)) {
      if ("diagnostic" in parsed) {
        reporter.report(parsed.diagnostic);
        continue;
      }
      progress.reading(source.name, source.bytes.length);
      inputs.push(parsed.input);
    }
  }
  progress.clear();
  return { inputs, origins };
}
