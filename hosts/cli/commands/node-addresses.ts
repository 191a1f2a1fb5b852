// Which addresses are the node's own: what `ip -j addr` lists.
import { readFile } from "node:fs/promises";
import { diagnostic } from "../../shared/diagnostics.ts";
import { fileError } from "../../shared/manifests/files.ts";
import type { Io } from "../io.ts";
import type { Reporter } from "../output/diagnostics.ts";

/** Undefined: they can't be read, which is reported. */
export async function readNodeAddresses(path: string, io: Io, reporter: Reporter): Promise<string[] | undefined> {
  try {
    const bytes = path === "-" ? await io.readStdin() : await readFile(path);
    const links = JSON.parse(new TextDecoder().decode(bytes)) as unknown;
    if (Array.isArray(links)) {
      return links.flatMap((link: { addr_info?: { local?: unknown }[] } | null) =>
        (link?.addr_info ?? []).flatMap(({ local }) => (typeof local === "string" ? [local] : [])),
      );
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) {
      reporter.report(fileError(path, error));
      return undefined;
    }
  }
  const hint = "write it with `ip -j addr`";
  reporter.report(diagnostic("error", "no-addresses", "this is no list of interfaces", { file: path, hint }));
  return undefined;
}
