// Text of the command line → values as a KubeProxyConfiguration has them.
import { configFields, type FieldType } from "../../shared/config/fields.ts";

/** The type of the field at a path. */
export function typeOf(field: string): FieldType {
  let type: FieldType = { fields: configFields };
  for (const step of field.split(".")) {
    if (typeof type !== "object" || !("fields" in type) || !Object.hasOwn(type.fields, step)) {
      throw new Error(`KubeProxyConfiguration has no field ${field}`);
    }
    type = type.fields[step] as FieldType;
  }
  return type;
}

/**
 * The value that a flag gives a field. `before`: the value that an earlier use of the same flag gave it. Text that does not fit
 * stays text, and the check of types reports it.
 */
export function flagValue(field: string, text: string, before: unknown): unknown {
  const type = typeOf(field);
  if (field === "logging.vmodule") return vmodule(text);
  if (typeof type === "object") {
    const parts = text === "" ? [] : text.split(",");
    if ("list" in type) return [...((before as unknown[] | undefined) ?? []), ...parts];
    return { ...(before as object | undefined), ...Object.fromEntries(parts.map(gate)) };
  }
  switch (type) {
    case "bool":
      return parseBool(text) ?? text;
    case "int32":
    case "uint32":
      return /^[-+]?\d+$/.test(text) ? Number(text) : text;
    case "float":
      return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
    default:
      return text;
  }
}

/** Go's strconv.ParseBool. */
export function parseBool(text: string): boolean | undefined {
  if (["1", "t", "T", "true", "TRUE", "True"].includes(text)) return true;
  return ["0", "f", "F", "false", "FALSE", "False"].includes(text) ? false : undefined;
}

/** `Name=true` */
function gate(part: string): [name: string, value: unknown] {
  const [name = "", value = ""] = part.split("=", 2);
  return [name.trim(), parseBool(value.trim()) ?? value];
}

/** `pattern=N,…` */
function vmodule(text: string): unknown[] {
  return text
    .split(",")
    .filter((part) => part !== "")
    .map((part) => {
      const [filePattern = "", verbosity = ""] = part.split("=", 2);
      return { filePattern, verbosity: /^\d+$/.test(verbosity) ? Number(verbosity) : verbosity };
    });
}
