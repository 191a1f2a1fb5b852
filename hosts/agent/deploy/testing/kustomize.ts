// Renders our own kustomizations as kustomize does (renderings.json has the answers of the real one): the few fields that they use,
// and no others.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
  [field: string]: unknown;
}

interface Kustomization {
  apiVersion: string;
  kind: string;
  resources?: string[];
  components?: string[];
  configMapGenerator?: { name: string; namespace: string; behavior?: "replace"; files: string[] }[];
  patches?: { target: { kind: string; name: string }; patch: string }[];
}

interface Operation {
  op: "add";
  path: string;
  value: unknown;
}

const fields = ["apiVersion", "kind", "resources", "components", "configMapGenerator", "patches"];

/** In the order in which they are given; kustomize orders by kind. */
export function kustomize(directory: string): Manifest[] {
  return withHashes(applied(directory, []));
}

export function manifestsIn(file: string): Manifest[] {
  return parseAllDocuments(readFileSync(file, "utf8")).map((document) => document.toJS() as Manifest);
}

/** ConfigMaps are generated: their names, and what refers to them, get a hash of their contents. */
function withHashes(manifests: Manifest[]): Manifest[] {
  const names = new Map<string, string>();
  for (const manifest of manifests.filter(({ kind }) => kind === "ConfigMap")) {
    const { name } = manifest.metadata;
    const hashed = `${name}-${contentHash(manifest.data as Record<string, string>)}`;
    names.set(name, hashed);
    manifest.metadata.name = hashed;
  }
  for (const { configMap } of manifests.flatMap(volumesOf)) {
    if (configMap !== undefined) configMap.name = names.get(configMap.name) ?? configMap.name;
  }
  return manifests;
}

interface Volume {
  configMap?: { name: string };
}

function volumesOf({ spec }: Manifest): Volume[] {
  return (spec as { template?: { spec: { volumes?: Volume[] } } } | undefined)?.template?.spec.volumes ?? [];
}

/**
 * sigs.k8s.io/kustomize/api/hasher: SHA-256 of JSON with sorted keys as Go writes it, without what spells words. It leaves the
 * name out (findings/kustomize-hash-leaves-out-the-name.sh).
 */
function contentHash(data: Record<string, string>): string {
  const sorted = Object.fromEntries(Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1)));
  const json = JSON.stringify({ data: sorted, kind: "ConfigMap", name: "" }).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const letters: Readonly<Record<string, string>> = { "0": "g", "1": "h", "3": "k", a: "m", e: "t" };
  const digits = createHash("sha256").update(json).digest("hex").slice(0, 10);
  return digits.replace(/[013ae]/g, (digit) => letters[digit] ?? digit);
}

function applied(directory: string, before: Manifest[]): Manifest[] {
  const kustomization = parse(readFileSync(join(directory, "kustomization.yaml"), "utf8")) as Kustomization;
  const unknown = Object.keys(kustomization).filter((field) => !fields.includes(field));
  if (unknown.length > 0) throw new Error(`${directory}: this renderer does not know ${unknown.join(", ")}`);

  let manifests = [...before];
  for (const resource of kustomization.resources ?? []) {
    const path = join(directory, resource);
    manifests.push(...(resource.endsWith(".yaml") ? manifestsIn(path) : applied(path, [])));
  }
  for (const component of kustomization.components ?? []) manifests = applied(join(directory, component), manifests);
  for (const { name, namespace, behavior, files } of kustomization.configMapGenerator ?? []) {
    const data = Object.fromEntries(files.map((file) => [file, readFileSync(join(directory, file), "utf8")]));
    if (behavior === "replace") Object.assign(find(manifests, "ConfigMap", name, namespace), { data });
    else manifests.push({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace }, data });
  }
  for (const { target, patch } of kustomization.patches ?? []) {
    const manifest = find(manifests, target.kind, target.name);
    for (const operation of parse(patch) as Operation[]) apply(manifest, operation);
  }
  return manifests;
}

function find(manifests: Manifest[], kind: string, name: string, namespace?: string): Manifest {
  const found = manifests.filter(
    (manifest) =>
      manifest.kind === kind &&
      manifest.metadata.name === name &&
      (namespace === undefined || manifest.metadata.namespace === namespace),
  );
  if (found.length !== 1) throw new Error(`${found.length} objects are ${kind} ${name}`);
  return found[0] as Manifest;
}

/** RFC 6902, "add" alone. */
function apply(manifest: Manifest, { op, path, value }: Operation): void {
  if (op !== "add") throw new Error(`this renderer does not know the operation ${op}`);
  const names = path.slice(1).split("/");
  const last = names.pop() as string;
  let parent: unknown = manifest;
  for (const name of names) {
    parent = (parent as Record<string, unknown>)[name];
    if (parent === undefined) throw new Error(`nothing is at ${name} of ${path}`);
  }
  if (Array.isArray(parent) && last === "-") parent.push(value);
  else (parent as Record<string, unknown>)[last] = value;
}
