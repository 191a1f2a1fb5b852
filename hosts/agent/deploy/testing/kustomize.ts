// Renders our own kustomizations as `kubectl kustomize` would: the few fields that they use, and no others.
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
  configMapGenerator?: { name: string; namespace: string; behavior: "replace"; files: string[] }[];
  patches?: { target: { kind: string; name: string }; patch: string }[];
}

interface Operation {
  op: "add";
  path: string;
  value: unknown;
}

const fields = ["apiVersion", "kind", "resources", "components", "configMapGenerator", "patches"];

/** Names of generated ConfigMaps are left without the hash of their contents. */
export function kustomize(directory: string): Manifest[] {
  return applied(directory, []);
}

export function manifestsIn(file: string): Manifest[] {
  return parseAllDocuments(readFileSync(file, "utf8")).map((document) => document.toJS() as Manifest);
}

function applied(directory: string, before: Manifest[]): Manifest[] {
  const kustomization = parse(readFileSync(join(directory, "kustomization.yaml"), "utf8")) as Kustomization;
  const unknown = Object.keys(kustomization).filter((field) => !fields.includes(field));
  if (unknown.length > 0) throw new Error(`${directory}: this renderer does not know ${unknown.join(", ")}`);

  let manifests = [...before];
  for (const resource of kustomization.resources ?? []) {
    const path = join(directory, resource);
    manifests.push(...(resource.endsWith(".yaml") ? manifestsIn(path) : kustomize(path)));
  }
  for (const component of kustomization.components ?? []) manifests = applied(join(directory, component), manifests);
  for (const { name, namespace, files } of kustomization.configMapGenerator ?? []) {
    const data = Object.fromEntries(files.map((file) => [file, readFileSync(join(directory, file), "utf8")]));
    Object.assign(find(manifests, "ConfigMap", name, namespace), { data });
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
