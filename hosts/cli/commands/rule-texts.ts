// Rules as people have them: files of iptables-save and nft, directories of them, the nodes' rules of a snapshot, this node's kernel.
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { diagnostic } from "../../shared/diagnostics.ts";
import { fileError } from "../../shared/manifests/files.ts";
import { plural } from "../../shared/plural.ts";
import { RuleLines, type RuleText } from "../../shared/rule-lines.ts";
import type { Family, Witness } from "../../shared/witness.ts";
import type { Io } from "../io.ts";
import type { Reporter } from "../output/diagnostics.ts";
import { listNodeRules, NodeRulesError } from "../snapshot/node-rules.ts";

/** The texts under these paths; what can't be read is reported. `-` is stdin. */
export async function readRuleTexts(paths: readonly string[], io: Io, reporter: Reporter): Promise<RuleText[]> {
  const texts: RuleText[] = [];
  for (const path of paths) {
    try {
      if (path === "-") texts.push({ name: "stdin", bytes: await io.readStdin() });
      else for (const file of await filesOf(path)) texts.push({ name: file, bytes: await readFile(file) });
    } catch (error) {
      reporter.report(fileError(path, error));
    }
  }
  return texts.flatMap(listingsOf);
}

async function filesOf(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const entries = await readdir(path, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile() && !entry.name.startsWith(".")).map(({ name }) => name);
  return names.sort().map((name) => join(path, name));
}

/** The listings of a snapshot's NodeRules, or the text itself. */
function listingsOf(text: RuleText): RuleText[] {
  if (text.bytes[0] !== 0x7b) return [text];
  try {
    const { items } = JSON.parse(new TextDecoder().decode(text.bytes)) as {
      items?: { kind?: string; metadata?: { name?: string }; listings?: Record<string, string> }[];
    };
    // nft's own JSON has none.
    if (!Array.isArray(items)) return [text];
    const encoder = new TextEncoder();
    return items
      .filter(({ kind }) => kind === "NodeRules")
      .flatMap(({ metadata, listings = {} }) =>
        Object.entries(listings).map(([tool, listing]) => ({
          name: `${text.name}: ${tool} of ${metadata?.name ?? "the node"}`,
          bytes: encoder.encode(listing),
        })),
      );
  } catch {
    return [text];
  }
}

/** What this node's kernel holds; undefined: it can't be had, which is reported. */
export async function liveRuleTexts(reporter: Reporter): Promise<RuleText[] | undefined> {
  // Loaded when it runs: commands that read files must not pay for it.
  const { commandRunner } = await import("../../agent/kernel/commands/run-command.ts");
  try {
    const { listings } = await listNodeRules(commandRunner());
    const encoder = new TextEncoder();
    return Object.entries(listings).map(([tool, listing]) => ({ name: tool, bytes: encoder.encode(listing) }));
  } catch (error) {
    if (!(error instanceof NodeRulesError)) throw error;
    reporter.report(diagnostic("error", "no-node-rules", error.message, { hint: error.hint }));
    return undefined;
  }
}

/** The family that a file's name speaks of, where its text does not tell. */
function familyOf(name: string): Family {
  return /ip6|ipv6/i.test(name) ? "ipv6" : "ipv4";
}

/** Reads texts into a rule set; what is wrong with them is reported. Returns what the witness' line numbers mean. */
export function loadRuleTexts(
  witness: Witness,
  ruleset: number,
  texts: readonly RuleText[],
  reporter: Reporter,
  verbose: boolean,
): RuleLines {
  const lines = new RuleLines(texts);
  for (const [index, { name, bytes }] of texts.entries()) {
    const result = witness.load(ruleset, bytes, familyOf(name), lines.firstLine(index));
    for (const { severity, code, table, chain, line, message, hint } of result.problems) {
      if (severity === "warning" && !verbose) continue;
      const part = [table, chain].filter((word) => word !== "").join(" ");
      const text = part === "" ? message : `${part}: ${message}`;
      const place = line === 0 ? { line: 0, column: 0 } : { line: lines.at(line)?.line ?? 0, column: 1 };
      reporter.report(diagnostic(severity, code, text, { file: name, ...place, hint }));
    }
    if (result.unknown > 0 && !verbose) {
      reporter.say(
        `sluice: ${name}: ${plural(result.unknown, "rule")} with something that is not understood (-v lists them)`,
      );
    }
  }
  return lines;
}
