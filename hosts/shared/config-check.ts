// Checks a configuration against its fields, as kube-proxy's strict decoder does.
import type { Fields, FieldType } from "./config-fields.ts";

export interface Misfit {
  code: "unknown-field" | "wrong-type";
  path: (string | number)[];
  message: string;
  hint: string;
}

/** Go's time.ParseDuration. */
const duration = /^[-+]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$/;

const digits = "write it in digits, without quotes";
const units = "write a number and its unit, one of: ms, s, m, h";

export function* misfits(value: unknown, fields: Fields): Generator<Misfit> {
  yield* checkFields(value as object, fields, []);
}

function* checkFields(object: object, fields: Fields, path: (string | number)[]): Generator<Misfit> {
  for (const [name, value] of Object.entries(object)) {
    const at = [...path, name];
    if (Object.hasOwn(fields, name)) yield* check(value, fields[name] as FieldType, at);
    else {
      const near = nearest(name, Object.keys(fields));
      const hint = near === undefined ? "remove it, or move it where it belongs" : `did you mean \`${near}\`?`;
      yield { code: "unknown-field", path: at, message: "KubeProxyConfiguration has no such field", hint };
    }
  }
}

function* check(value: unknown, type: FieldType, path: (string | number)[]): Generator<Misfit> {
  // Go reads null as "not given".
  if (value === null) return;
  const wrong = (wanted: string, hint: string): Misfit => ({
    code: "wrong-type",
    path,
    message: `${wanted} is wanted, and this is ${describe(value)}`,
    hint,
  });
  if (typeof type === "object") {
    if ("list" in type) {
      if (!Array.isArray(value)) return yield wrong("a list", "write `- VALUE` in a line for each");
      for (const [index, item] of value.entries()) yield* check(item, type.list, [...path, index]);
      return;
    }
    if (typeof value !== "object" || Array.isArray(value))
      return yield wrong("a mapping", "write `NAME: VALUE` in a line for each, further to the right");
    if ("fields" in type) yield* checkFields(value, type.fields, path);
    else for (const [key, item] of Object.entries(value)) yield* check(item, type.map, [...path, key]);
    return;
  }
  const isInteger = typeof value === "number" && Number.isInteger(value);
  switch (type) {
    case "string":
      if (typeof value !== "string")
        yield wrong("text", typeof value === "object" ? "write one value" : "put it in quotes");
      return;
    case "bool":
      if (typeof value !== "boolean") yield wrong("true or false", "write one of these words, without quotes");
      return;
    case "int32":
      if (!isInteger || Math.abs(value) > 0x7fffffff) yield wrong("a whole number", digits);
      return;
    case "uint32":
      if (!isInteger || value < 0 || value > 0xffffffff) yield wrong("a whole number from 0 on", digits);
      return;
    case "float":
      if (typeof value !== "number") yield wrong("a number", digits);
      return;
    case "duration":
      if (typeof value !== "string" || !duration.test(value)) yield wrong("a duration such as 30s or 1m", units);
      return;
    case "durationOrNumber":
      if (!isInteger && (typeof value !== "string" || !duration.test(value)))
        yield wrong("a duration such as 5s", units);
      return;
    case "quantity":
      if (typeof value !== "string" && !isInteger)
        yield wrong("a quantity such as 64Ki", "write a number and its unit");
  }
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** The name that was probably meant: the same in other case, or with at most two letters changed. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const lower = name.toLowerCase();
  const same = names.find((candidate) => candidate.toLowerCase() === lower);
  if (same !== undefined || name.length > 60) return same;
  return names.find((candidate) => distance(lower, candidate.toLowerCase()) <= 2);
}

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
