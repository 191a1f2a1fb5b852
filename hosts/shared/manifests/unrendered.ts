// Files of a directory that are no manifests as they stand: other programs make manifests from them, or they are something else.
import { parse } from "yaml";
import { type Diagnostic, diagnostic } from "../diagnostics.ts";
import { plural } from "../plural.ts";
import type { Source } from "./input.ts";
import { objectsOf } from "./objects.ts";
import { parseSource } from "./parse.ts";
import { toUtf8 } from "./text.ts";

export interface SortedSources {
  readonly manifests: readonly Source[];
  readonly diagnostics: readonly Diagnostic[];
}

type FileKind =
  | "manifest"
  | "helm-template"
  | "ytt-template"
  | "helm-values"
  | "kustomization"
  | "kustomize-patch"
  | "other";

/** Names in one message. */
const NAMES = 3;

/** Tells them apart; what is left out is said once for each kind. */
export function sortSources(sources: readonly Source[]): SortedSources {
  const patches = new Set(sources.flatMap(patchesNamedBy));
  const charts = sources.map(({ name }) => /^(.*\/)?Chart\.ya?ml$/.exec(name)).filter((found) => found !== null);
  const templates = charts.map(([, directory = ""]) => `${directory}templates/`);
  const byKind = new Map<FileKind, Source[]>();
  for (const source of sources) {
    const kind = kindAmong(source, patches, templates);
    const list = byKind.get(kind);
    if (list === undefined) byKind.set(kind, [source]);
    else list.push(source);
  }
  return { manifests: byKind.get("manifest") ?? [], diagnostics: [...said(byKind)] };
}

const templateDirectory = /^(?:(.*?)\/)?templates\//;
/** Helm's objects and functions, in an action of a template. Others write `{{ … }}` for themselves, and into strings. */
const helmAction =
  /\{\{-?\s*(?:\/\*|(?:if|with|range)\s.*[.$](?:Values|Release|Chart|Capabilities)\b|[$.]+(?:Values|Release|Chart|Capabilities|Template|Files)\b|(?:include|template|define|tpl|toYaml)\s)/;

/** What its neighbours say of a file, or else what is in it. */
function kindAmong(source: Source, patches: ReadonlySet<string>, templates: readonly string[]): FileKind {
  const { name, isWalked = false } = source;
  if (isWalked && patches.has(name)) return "kustomize-patch";
  // Also if it has no action: it goes with those that have.
  if (isWalked && templates.some((directory) => name.startsWith(directory))) return "helm-template";
  return kindOf(source);
}

/** A larger file is a dump. */
const LARGEST = 2_000_000;

function kindOf({ name, bytes, isWalked = false }: Source): FileKind {
  const base = name.slice(name.lastIndexOf("/") + 1);
  if (isKustomization(base)) return "kustomization";
  if (bytes.length > LARGEST) return "manifest";
  const text = new TextDecoder().decode(toUtf8(bytes));
  const hasActions = text.includes("{{");
  if (hasActions && templateDirectory.test(name) && helmAction.test(text)) return "helm-template";
  if (isWalked) {
    if (helmFile.test(base) && !hasKey(text, "kind")) return "helm-values";
    if (isSomethingElse(text)) return "other";
  }
  if (hasActions && isTemplate(name, bytes, text)) return "helm-template";
  return /^#@ /m.test(text) ? "ytt-template" : "manifest";
}

/** What Helm itself reads: of a chart, its values, and of a repository of charts. */
const helmFile = /^(Chart|index|(.*[-._])?values([-._].*)?)\.ya?ml$/;

/** A mapping on purpose, or a list, and not of an object. Whatever is no text, or empty, is looked at as a manifest. */
function isSomethingElse(text: string): boolean {
  const json = jsonKeys(text);
  if (json !== undefined) return !json.some((key) => objectKeys.includes(key));
  if (text.includes("\0") || objectKeys.some((key) => hasKey(text, key))) return false;
  if (/^["']?[^\s#"'{[-][^\n:]*:(\s|$)/m.test(text)) return true;
  return /^- /m.test(text) && !/^- *["']?(kind|apiVersion)["']?[ \t]*:/m.test(text);
}

const objectKeys = ["kind", "apiVersion", "metadata", "items"];

/** Keys of the JSON object that the text is. Undefined: it is none. */
function jsonKeys(text: string): string[] | undefined {
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    return Object.keys(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function isKustomization(base: string): boolean {
  return /^kustomization\.ya?ml$/i.test(base);
}

function isTemplate(name: string, bytes: Uint8Array, text: string): boolean {
  if (!helmAction.test(text)) return false;
  for (const parsed of parseSource({ name, bytes })) {
    if ("input" in parsed) {
      for (const object of objectsOf(parsed.input)) if (object.name.includes("{{")) return true;
    } else if (parsed.diagnostic.severity === "error") return true;
  }
  return false;
}

/** At the left margin, where a document's own keys stand, or in braces that begin there. */
function hasKey(text: string, key: string): boolean {
  return new RegExp(`^["']?${key}["']?[ \\t]*:|^\\{.*\\b${key}["']?[ \\t]*:`, "m").test(text);
}

/** Files that a kustomization patches others with: they hold parts of objects. */
function patchesNamedBy({ name, bytes }: Source): string[] {
  const slash = name.lastIndexOf("/");
  if (!isKustomization(name.slice(slash + 1))) return [];
  let fields: unknown;
  try {
    fields = parse(new TextDecoder().decode(bytes), { logLevel: "silent" });
  } catch {
    return [];
  }
  const { patches, patchesStrategicMerge, patchesJson6902 } = (fields ?? {}) as Record<string, unknown>;
  return [patches, patchesStrategicMerge, patchesJson6902]
    .flatMap((list) => (Array.isArray(list) ? list : []))
    .map((each) => (typeof each === "string" ? each : (each as { path?: unknown } | null)?.path))
    .filter((path) => typeof path === "string")
    .map((path) => joined(name.slice(0, slash + 1), path));
}

/** `a/b/` and `../c.yaml` → `a/c.yaml` */
function joined(directory: string, path: string): string {
  const parts: string[] = [];
  for (const part of `${directory}${path}`.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "." && (part !== "" || parts.length === 0)) parts.push(part);
  }
  return parts.join("/");
}

function* said(byKind: ReadonlyMap<FileKind, readonly Source[]>): Generator<Diagnostic> {
  const templates = byKind.get("helm-template") ?? [];
  if (templates.length > 0) {
    const message = `${plural(templates.length, "Helm template")} not rendered, so what they make is unknown: ${listOf(templates)}`;
    const charts = [...new Set(templates.map(({ name }) => templateDirectory.exec(name)?.[1] ?? "CHART"))];
    const hint = `\`helm template ${charts[0]} | sluice render -f -\`${charts.length > 1 ? `, and so for each of ${charts.length} charts` : ""}`;
    yield diagnostic(severityOf(templates), "helm-templates", message, { hint });
  }
  const ytt = byKind.get("ytt-template") ?? [];
  if (ytt.length > 0) {
    const message = `${plural(ytt.length, "ytt template")} not rendered, so what they make is unknown: ${listOf(ytt)}`;
    yield diagnostic(severityOf(ytt), "ytt-templates", message, { hint: "`ytt -f DIRECTORY | sluice render -f -`" });
  }
  const kustomizations = byKind.get("kustomization") ?? [];
  if (kustomizations.length > 0) {
    const patches = byKind.get("kustomize-patch")?.length ?? 0;
    const left = patches === 0 ? "" : `, and ${plural(patches, "file")} with patches left out`;
    const message = `${plural(kustomizations.length, "kustomization")} not built${left}: ${listOf(kustomizations)}`;
    const { name = "" } = kustomizations[0] ?? {};
    const directory = name.includes("/") ? name.slice(0, name.lastIndexOf("/")) : ".";
    const hint = `the other files are read as they stand; \`kustomize build ${directory} | sluice render -f -\` reads what it makes of them`;
    yield diagnostic(severityOf(kustomizations), "kustomizations", message, { hint });
  }
  const others = byKind.get("other") ?? [];
  if (others.length > 0) {
    const message = `${plural(others.length, "file")} without Kubernetes objects (neither kind nor apiVersion): ${listOf(others)}`;
    yield diagnostic("note", "no-kubernetes-objects", message);
  }
}

/** What somebody has named was to be read. */
function severityOf(sources: readonly Source[]): "error" | "warning" {
  return sources.some(({ isWalked = false }) => !isWalked) ? "error" : "warning";
}

function listOf(sources: readonly Source[]): string {
  const shown = sources.slice(0, NAMES).map(({ name }) => name);
  return `${shown.join(", ")}${sources.length > NAMES ? `, and ${sources.length - NAMES} more` : ""}`;
}
