// Arguments → flags with their texts, as kube-proxy reads its command line: --flag=value, --flag value, --switch,
// --switch=false, _ for -, -v 4.
import { parseArgs } from "node:util";
import { type Diagnostic, diagnostic } from "../../shared/diagnostics.ts";
import { nearest } from "../../shared/nearest.ts";
import { typeOf } from "./flag-values.ts";
import { type Flag, flags, spelled } from "./flags.ts";

export interface GivenFlag {
  readonly flag: Flag;
  readonly text: string;
}

const byName = new Map(flags.map((flag) => [flag.name, flag]));

export function isSwitch(flag: Flag): boolean {
  const [field] = flag.fields ?? [];
  return field === undefined ? flag.type === "bool" : typeOf(field) === "bool";
}

/** In the order given. What is wrong is added to `diagnostics`. */
export function readCommandLine(argv: readonly string[], diagnostics: Diagnostic[]): GivenFlag[] {
  const options: Record<string, { type: "boolean" | "string"; short?: string }> = {};
  for (const flag of flags) options[flag.name] = { type: isSwitch(flag) ? "boolean" : "string" };
  // -v and --v are the same flag of one letter.
  Object.assign(options, { v: { type: "string", short: "v" }, help: { type: "boolean", short: "h" } });
  const args = argv.map((arg) => {
    const name = /^--[^=]+/.exec(arg)?.[0] ?? "";
    return name.replaceAll("_", "-") + arg.slice(name.length);
  });

  const error = (code: string, message: string, hint = "") =>
    diagnostics.push(diagnostic("error", code, message, { hint }));
  const given: GivenFlag[] = [];
  const { tokens } = parseArgs({ args, options, strict: false, allowPositionals: true, tokens: true });
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      if (token.value === "") continue;
      error("arguments", `what is ${quote(token.value)} for? Only flags are taken`, "write --FLAG or --FLAG=VALUE");
      continue;
    }
    const flag = byName.get(token.name);
    if (flag === undefined) {
      const near = nearest(token.name, [...byName.keys()]);
      const hint = near === undefined ? "--help lists all" : `did you mean ${spelled(near)}?`;
      error("unknown-flag", `${token.rawName.slice(0, 60)} is no flag`, hint);
    } else if (isSwitch(flag)) {
      given.push({ flag, text: token.value ?? "true" });
    } else if (token.value === undefined) {
      error("flag-value", `${spelled(flag.name)} needs a value`, `write ${spelled(flag.name)}=VALUE`);
    } else {
      // -v=4: to node:util the value of -v is `=4`.
      given.push({ flag, text: token.rawName === "-v" ? token.value.replace(/^=/, "") : token.value });
    }
  }
  return given;
}

/** True if the command line itself is wrong: an argument, a flag, or its value. False: the configuration file is. */
export function isUsageError({ severity, code, field }: Diagnostic): boolean {
  const isFlag = field.startsWith("-") || ["arguments", "unknown-flag", "flag-value"].includes(code);
  return severity === "error" && isFlag;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
