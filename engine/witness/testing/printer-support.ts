// The printer's component for tests: what the witness has read, as text.
import { readFileSync } from "node:fs";
import { joinPieces } from "../../../hosts/shared/engine.ts";

type Printing = typeof import("../../../build/witness-printer/interfaces/sluice-witness-printer-printer.js");
type Instantiate = (
  core: (name: string) => WebAssembly.Module,
  imports: Record<string, never>,
) => { printer: Printing };

const base = new URL("../../../build/witness-printer/", import.meta.url);
const { instantiate } = (await import(new URL("witness-printer.js", base).href)) as { instantiate: Instantiate };
const modules = new Map<string, WebAssembly.Module>();

function core(name: string): WebAssembly.Module {
  const module = modules.get(name) ?? new WebAssembly.Module(readFileSync(new URL(name, base)));
  modules.set(name, module);
  return module;
}

const parts = ["iptables", "ip6tables", "nft"] as const;

export interface Printed {
  /** Not empty parts only. */
  readonly texts: Partial<Record<(typeof parts)[number], string>>;
  /** Rules and elements that are not understood, and 1,000,000 for each error. */
  readonly unknown: number;
}

/** Reads texts of one rule set, by what they are, and prints what was understood. */
export function printed(texts: Printed["texts"]): Printed {
  const { printer } = instantiate(core, {});
  let unknown = 0;
  for (const part of parts) {
    const text = texts[part];
    if (text !== undefined) unknown += printer.load(0, new TextEncoder().encode(text), part === "ip6tables");
  }
  const results = parts.map((part) => [part, new TextDecoder().decode(joinPieces(printer.print(0, part)))] as const);
  return { texts: Object.fromEntries(results.filter(([, text]) => text !== "")), unknown };
}
