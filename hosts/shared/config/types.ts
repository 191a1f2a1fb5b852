// Checks a configuration against its fields: names as kube-proxy's strict decoder does, types as all of its decoders do.

import { nearest } from "../nearest.ts";
import { configFields, type Fields, type FieldType } from "./fields.ts";
import { formerFields } from "./former-fields.ts";
import { shown } from "./shown.ts";

export interface Misfit {
  /** kube-proxy goes on without fields that it does not know, and ends for a wrong type. */
  code: "unknown-field" | "former-field" | "wrong-type";
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
    else yield unknown(name, fields, at);
  }
}

function unknown(name: string, fields: Fields, path: (string | number)[]): Misfit {
  const since = formerFields.get(path.join("."));
  if (since !== undefined) {
    const message = `not known since Kubernetes ${since}: it has no effect`;
    return { code: "former-field", path, message, hint: "remove it" };
  }
  const near = nearest(name, Object.keys(fields));
  const elsewhere = near === undefined ? sectionWith(name) : undefined;
  const hint =
    near !== undefined
      ? `did you mean \`${near}\`?`
      : elsewhere !== undefined
        ? `write it below \`${elsewhere}:\`, further to the right`
        : "remove it, or move it where it belongs";
  const message = "KubeProxyConfiguration has no such field: it has no effect";
  return { code: "unknown-field", path, message, hint };
}

/** The only section that has a field of this name: what stands under it has lost its indentation, maybe. */
function sectionWith(name: string): string | undefined {
  const found = Object.entries(configFields).filter(
    ([, type]) => typeof type === "object" && "fields" in type && Object.hasOwn(type.fields, name),
  );
  return found.length === 1 ? found[0]?.[0] : undefined;
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
  return typeof value === "string" ? shown(value) : JSON.stringify(value);
}
