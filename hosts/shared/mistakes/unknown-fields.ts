// Fields that Kubernetes does not know: it leaves them out without a word (or with one, since kubectl 1.27), and what they
// were to do does not happen.
import type { Diagnostic } from "../diagnostics.ts";
import { fieldsOf, isFromCluster, type ManifestObject, type Value } from "../manifests/objects.ts";
import { nearest } from "../nearest.ts";
import { plural } from "../plural.ts";
import { endpointSliceFields, type Fields, formerFields, serviceFields } from "./known-fields.ts";

interface Found {
  readonly diagnostic: Diagnostic;
  /** Further objects with a field of that name in that place. */
  more: number;
}

export class UnknownFields {
  readonly #found = new Map<string, Found>();

  look(object: ManifestObject): void {
    const known = knownFields(object);
    if (known === undefined || isFromCluster(object)) return;
    const seen = new Set<string>();
    for (const { path, field, name, siblings } of unknownIn(object.fields, known, "", "")) {
      const key = `${object.kind} ${path}`;
      if (seen.has(key)) continue;
      seen.add(key);
      const found = this.#found.get(key);
      if (found !== undefined) found.more++;
      else this.#found.set(key, { diagnostic: diagnosticOf(object, { path, field, name, siblings }, known), more: 0 });
    }
  }

  *diagnostics(): Generator<Diagnostic> {
    for (const { diagnostic, more } of this.#found.values()) {
      const message = more === 0 ? diagnostic.message : `${diagnostic.message} (and ${plural(more, "object")} more)`;
      yield { ...diagnostic, message };
    }
  }
}

function knownFields({ apiVersion, kind }: ManifestObject): Fields | undefined {
  if (kind === "Service" && apiVersion === "v1") return serviceFields;
  return kind === "EndpointSlice" && apiVersion === "discovery.k8s.io/v1" ? endpointSliceFields : undefined;
}

interface Unknown {
  /** Without indices: `spec.ports.hostPort`. */
  readonly path: string;
  /** With them: `spec.ports[0].hostPort`. */
  readonly field: string;
  readonly name: string;
  /** What is known in its place. */
  readonly siblings: Fields;
}

function* unknownIn(value: Value, known: Fields, path: string, field: string): Generator<Unknown> {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* unknownIn(item, known, path, `${field}[${index}]`);
    return;
  }
  for (const [name, member] of Object.entries(fieldsOf(value))) {
    const at = path === "" ? name : `${path}.${name}`;
    const fieldHere = field === "" ? name : `${field}.${/[."[\]]/.test(name) ? JSON.stringify(name) : name}`;
    if (!Object.hasOwn(known, name)) {
      yield { path: at, field: fieldHere, name, siblings: known };
    } else {
      const below = known[name];
      if (below !== undefined) yield* unknownIn(member, below, at, fieldHere);
    }
  }
}

/** Where a field has that name, as `spec.ports.port`: the highest place, and outside of metadata. */
function placeOf(name: string, known: Fields): string | undefined {
  const waiting: (readonly [path: string, fields: Fields])[] = [["", known]];
  for (const [path, fields] of waiting) {
    if (Object.hasOwn(fields, name)) return `${path}${name}`;
    for (const [each, below] of Object.entries(fields)) {
      if (below !== undefined && each !== "metadata") waiting.push([`${path}${each}.`, below]);
    }
  }
  return undefined;
}

function diagnosticOf(object: ManifestObject, { path, field, name, siblings }: Unknown, known: Fields): Diagnostic {
  const about = (severity: "warning" | "note", message: string, hint: string) =>
    object.about(severity, "unknown-field", field, message, hint);
  const message = `${object.kind} has no such field, and it has no effect`;
  const former = Object.hasOwn(formerFields, path) ? formerFields[path] : undefined;
  if (former !== undefined)
    return about("warning", `the field has no effect: not known since Kubernetes ${former}`, "remove it");
  const near =
    nearest(name, Object.keys(siblings), Math.min(2, Math.floor(name.length / 3))) ??
    Object.keys(siblings).find((each) => name.length > 3 && each.startsWith(name));
  if (near !== undefined) return about("warning", message, `did you mean ${near}?`);
  const elsewhere = placeOf(name, known);
  if (elsewhere !== undefined) return about("warning", message, `it belongs to ${elsewhere}`);
  if (!/^[a-z][A-Za-z0-9]*$/.test(name)) return about("warning", message, "remove it");
  return about("note", "Kubernetes 1.37 has no such field; if a later version has it, it is not looked at here", "");
}
