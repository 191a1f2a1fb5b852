// What a YAML scalar means. Kubernetes reads YAML with sigs.k8s.io/yaml (go-yaml v2, YAML 1.1 with exceptions), so the
// cluster that these manifests are for reads an unquoted `on` as a boolean and 010 as 8: so do we, value by value.
// Source: resolve.go of sigs.k8s.io/yaml/goyaml.v2.

/** JSON text of a scalar, and what kind of value it is. */
export interface ScalarValue {
  json: string;
  type: "string" | "number" | "boolean" | "null";
}

const booleans = new Map<string, boolean>();
for (const [value, words] of [
  [true, "y Y yes Yes YES true True TRUE on On ON"],
  [false, "n N no No NO false False FALSE off Off OFF"],
] as const) {
  for (const word of words.split(" ")) booleans.set(word, value);
}
const nulls = new Set(["", "~", "null", "Null", "NULL"]);
const notInJson = /^(\.nan|\.NaN|\.NAN|[-+]?\.(inf|Inf|INF))$/;
const integer = /^([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)$/;
const float = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/;

/**
 * Value of a scalar. `plain`: written without quotes and not as a block. `tag`: its explicit tag, in full; "" if none.
 * Throws a RangeError with the reason if the tag contradicts the text or JSON cannot say the value.
 */
export function resolveScalar(text: string, plain: boolean, tag: string): ScalarValue {
  const name = tag.startsWith("tag:yaml.org,2002:") ? tag.slice("tag:yaml.org,2002:".length) : tag;
  switch (name) {
    case "":
      return plain ? resolvePlain(text) : asString(text);
    case "int":
    case "float":
    case "bool":
    case "null": {
      const value = resolvePlain(text);
      const wanted = { int: "number", float: "number", bool: "boolean", null: "null" }[name];
      if (value.type !== wanted || (name === "int" && !/^-?[0-9]+$/.test(value.json))) {
        throw new RangeError(`\`${text.slice(0, 40)}\` is no !!${name}`);
      }
      return value;
    }
    case "binary":
      try {
        return asString(new TextDecoder().decode(Uint8Array.from(atob(text), (char) => char.charCodeAt(0))));
      } catch {
        throw new RangeError("!!binary is not valid base64");
      }
    default:
      return asString(text);
  }
}

function resolvePlain(text: string): ScalarValue {
  const boolean = booleans.get(text);
  if (boolean !== undefined) return { json: String(boolean), type: "boolean" };
  if (nulls.has(text)) return { json: "null", type: "null" };
  const first = text.charCodeAt(0);
  const startsNumber = (first >= 0x30 && first <= 0x39) || first === 0x2b || first === 0x2d || first === 0x2e;
  if (!startsNumber) return asString(text);
  if (notInJson.test(text))
    throw new RangeError(`\`${text}\` is a number that JSON cannot say; quote it if it is text`);
  const digits = first === 0x2e ? text : text.replaceAll("_", "");
  const whole = digits.length <= 1000 ? integer.exec(digits) : null;
  if (whole !== null) return { json: wholeNumber(whole[1] === "-", whole[2] ?? "0"), type: "number" };
  if (float.test(digits)) {
    const value = Number(digits);
    if (Number.isFinite(value)) return { json: String(value), type: "number" };
  }
  return asString(text);
}

function wholeNumber(negative: boolean, digits: string): string {
  const octal = /^0[0-7]/.test(digits) ? `0o${digits.slice(1)}` : digits;
  const value = BigInt(octal.toLowerCase());
  return String(negative ? -value : value);
}

function asString(text: string): ScalarValue {
  return { json: jsonString(text), type: "string" };
}

/** What stands in a JSON string of ASCII as an escape. */
const toEscape = /[^ !#-[\]-~]/;

/** A JSON string in ASCII only, so that its length in characters is its length in bytes. */
export function jsonString(text: string): string {
  if (!toEscape.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
