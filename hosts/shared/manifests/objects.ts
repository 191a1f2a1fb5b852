// The objects of an input as values, with the way back to its file.
import { type Diagnostic, diagnostic } from "../diagnostics.ts";
import type { Input } from "./input.ts";
import { endOfValue, fieldAt, maxDepth, type ObjectAt, objectsIn, parsePath } from "./scan.ts";

export type Value = unknown;
export type Fields = Readonly<Record<string, Value>>;

/** One object, with the way back to its file. */
export interface ManifestObject {
  /** Empty where neither the object nor a list around it says it. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly fields: Fields;
  /** Of a watch: it may come again and again. */
  readonly isEvent: boolean;
  /** Which of its input's objects it is, as `objectsIn` counts them. */
  readonly index: number;
  /** A diagnostic about it, at that field. Without a hint it gets the one that the file has for the value there, if any. */
  about(severity: Diagnostic["severity"], code: string, field: string, message: string, hint: string): Diagnostic;
  /** The same at the field's value. */
  aboutValue: ManifestObject["about"];
}

function isObject(value: Value): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function fieldsOf(value: Value): Fields {
  return isObject(value) ? value : {};
}

export function listOf(value: Value): readonly Value[] {
  return Array.isArray(value) ? value : [];
}

export function textOf(value: Value): string {
  return typeof value === "string" ? value : "";
}

/** An API server has sent it, and has checked it before. */
export function isFromCluster({ fields }: ManifestObject): boolean {
  return textOf(fieldsOf(fields.metadata).resourceVersion) !== "";
}

export function isService({ apiVersion, kind }: ManifestObject): boolean {
  return kind === "Service" && groupOf(apiVersion) === "";
}

export function isEndpointSlice({ apiVersion, kind }: ManifestObject): boolean {
  return kind === "EndpointSlice" && groupOf(apiVersion) === "discovery.k8s.io";
}

function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf("/");
  return slash === -1 ? "" : apiVersion.slice(0, slash);
}

/** In the order in which they stand, without those that are nested too deeply; what is no JSON ends it. */
export function* objectsOf(input: Input): Generator<ManifestObject> {
  const places = new Places(input);
  for (const value of remembered(input, knownDocuments, (json) => [...documentsIn(json)]))
    yield* namedIn(value, { apiVersion: "", kind: "", isEvent: false }, places, 0);
}

/** Several steps look at the same inputs. Of what is larger, memory is dearer than time. */
const REMEMBERED_BYTES = 8_000_000;
const knownDocuments = new WeakMap<Input, readonly Value[]>();
const knownPlaces = new WeakMap<Input, readonly ObjectAt[]>();

function remembered<T>(input: Input, known: WeakMap<Input, T>, make: (json: Uint8Array) => T): T {
  const found = known.get(input);
  if (found !== undefined) return found;
  const made = make(input.json);
  if (input.json.length <= REMEMBERED_BYTES) known.set(input, made);
  return made;
}

/** Where its objects stand, in the order of `objectsOf`. */
export function placesIn(input: Input): readonly ObjectAt[] {
  return remembered(input, knownPlaces, (json) => [...objectsIn(json)]);
}

/** Most inputs have a document on each line, as YAML becomes, or are one document. */
function* documentsIn(json: Uint8Array): Generator<Value> {
  const text = new TextDecoder().decode(json);
  const lines = text.split("\n");
  const first = parsed(lines[0] ?? "");
  if (first === undefined) {
    const whole = parsed(text);
    if (whole === undefined) yield* scannedDocuments(json);
    else yield whole.value;
    return;
  }
  for (const [index, line] of lines.entries()) {
    if (line.trim() === "") continue;
    const document = index === 0 ? first : parsed(line);
    if (document === undefined) {
      yield* scannedDocuments(new TextEncoder().encode(lines.slice(index).join("\n")));
      return;
    }
    yield document.value;
  }
}

function parsed(text: string): { readonly value: Value } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function* scannedDocuments(json: Uint8Array): Generator<Value> {
  const decoder = new TextDecoder();
  for (let at = 0; at < json.length; ) {
    const end = endOfValue(json, at);
    const text = decoder.decode(json.subarray(at, end)).trim();
    at = Math.max(end, at + 1);
    if (text === "") continue;
    const document = parsed(text);
    if (document === undefined) return;
    yield document.value;
  }
}

/** What a list or an event says of the object in it. */
interface Around {
  readonly apiVersion: string;
  readonly kind: string;
  readonly isEvent: boolean;
}

/** As `objectsIn` finds them: the n-th here is the n-th there. */
function* namedIn(value: Value, around: Around, places: Places, depth: number): Generator<ManifestObject> {
  if (depth > maxDepth) return;
  if (Array.isArray(value)) {
    for (const each of value) yield* namedIn(each, around, places, depth + 1);
    return;
  }
  const fields = fieldsOf(value);
  const kind = typeof fields.kind === "string" ? fields.kind : around.kind;
  const apiVersion = typeof fields.apiVersion === "string" ? fields.apiVersion : around.apiVersion;
  const { namespace, name } = fieldsOf(fields.metadata);
  if (Array.isArray(fields.items) && kind.endsWith("List")) {
    const of = { ...around, apiVersion: kind === "List" ? "" : apiVersion, kind: kind.slice(0, -"List".length) };
    for (const item of fields.items) yield* namedIn(item, of, places, depth + 1);
  } else if (kind === "" && isObject(fields.object)) {
    yield* namedIn(fields.object, { apiVersion: "", kind: "", isEvent: true }, places, depth + 1);
  } else if (textOf(name) !== "") {
    const { isEvent } = around;
    const known = { apiVersion, kind, namespace: textOf(namespace), name: textOf(name), fields, isEvent };
    const object = places.object(known);
    if (!isDeeper(fields, maxDepth)) yield object;
  }
}

/** Whether it has more than so many levels: to walk or to print it could take more stack than there is. */
function isDeeper(value: Value, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  // Without lists of values: all objects of large dumps come by here.
  for (const key in value) if (isDeeper((value as Fields)[key], levels - 1)) return true;
  return false;
}

/** Where the objects of an input stand: scanned once something is to be said of one. */
class Places {
  readonly #input: Input;
  #count = 0;

  constructor(input: Input) {
    this.#input = input;
  }

  object(known: Omit<ManifestObject, "about" | "aboutValue" | "index">): ManifestObject {
    const index = this.#count++;
    const { kind, namespace, name } = known;
    const aboutThe =
      (part: "key" | "value"): ManifestObject["about"] =>
      (severity, code, field, message, hint) => {
        const place = this.#place(index, field, part);
        const more = { ...place, kind, namespace, name, field, hint: hint || (place.hint ?? "") };
        return diagnostic(severity, code, message, more);
      };
    return { ...known, index, about: aboutThe("key"), aboutValue: aboutThe("value") };
  }

  #place(index: number, field: string, part: "key" | "value"): Partial<Diagnostic> {
    const { file, json } = this.#input;
    const object = placesIn(this.#input)[index];
    if (object === undefined) return { file };
    const at = fieldAt(json, object.start, parsePath(field));
    const hint = at.found ? this.#input.hint(at.value) : "";
    return { file, ...this.#input.position(at.found ? at[part] : at.value), hint };
  }
}
