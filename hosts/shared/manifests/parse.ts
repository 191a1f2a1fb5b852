// One file → inputs for the engine, and what could not be read.
import { isMap, isScalar, isSeq, type Node } from "yaml";
import { type Diagnostic, diagnostic } from "../diagnostics.ts";
import { formatVersion, formatVersionOf } from "../snapshot/document.ts";
import { type Input, jsonInput, type Source, YamlInputBuilder } from "./input.ts";
import { type ListHead, splitList } from "./list-items.ts";
import { jsonString } from "./scalars.ts";
import { Lines, skipBlanks, toUtf8 } from "./text.ts";
import { type Chunk, chunkText, parseDocuments, splitDocuments } from "./yaml-documents.ts";
import { JsonWriter, type MappedJson, shownKey, YamlError } from "./yaml-json.ts";

export type Parsed = { input: Input } | { diagnostic: Diagnostic };

/** YAML is handed on in pieces of about this many bytes of JSON. */
const inputSize = 1_000_000;
/** Up to this size a file that looks like JSON and isn't is also tried as YAML. */
const smallFile = 1_000_000;

export function* parseSource(source: Source): Generator<Parsed> {
  const bytes = toUtf8(source.bytes);
  const first = skipBlanks(bytes);
  if (first === bytes.length) {
    const hint = "was it written completely? Leave it out if it is meant to be empty";
    yield { diagnostic: diagnostic("error", "empty-file", "the file is empty", { file: source.name, hint }) };
  } else if ((formatVersionOf(bytes) ?? 0) > formatVersion) {
    const message = `this snapshot has form ${formatVersionOf(bytes)}, and forms up to ${formatVersion} are known here`;
    const hint = "read it with the sluice that wrote it, or a newer one";
    yield { diagnostic: diagnostic("error", "snapshot-form", message, { file: source.name, hint }) };
  } else if (looksLikeJson(bytes, first)) {
    yield { input: jsonInput(source.name, bytes) };
  } else {
    yield* parseYaml(source.name, bytes);
  }
}

/**
 * JSON goes to the engine as it is, and never through the YAML parser. YAML's flow style looks alike: `{a: b}` is told
 * by its second character, `{"a": b}` (in small files) by trying.
 */
function looksLikeJson(bytes: Uint8Array, first: number): boolean {
  const opening = bytes[first];
  if (opening !== 0x7b && opening !== 0x5b) return false;
  const second = bytes[skipBlanks(bytes, first + 1)];
  const slash = 0x2f;
  if (opening === 0x7b ? second !== 0x22 && second !== 0x7d && second !== slash : second !== 0x7b && second !== 0x5d) {
    return false;
  }
  if (bytes.length > smallFile) return true;
  const text = new TextDecoder().decode(bytes);
  try {
    JSON.parse(text);
    return true;
  } catch {
    // Broken JSON, several objects one after the other, or YAML.
  }
  if (hasComment(text)) return true;
  for (const parsed of parseYaml("", bytes)) if ("diagnostic" in parsed) return true;
  return false;
}

/** JSON with `// …` or a comment between stars, which YAML would take for part of a key or value. */
function hasComment(text: string): boolean {
  return /(^|[\s,{[])\/[/*]/.test(text.replace(/"(\\.|[^"\\])*"/g, '""'));
}

/** Also for JSON, which is YAML too. */
export function* parseYaml(file: string, bytes: Uint8Array): Generator<Parsed> {
  const builder = new YamlInputBuilder(file);
  let seen = 0;
  for (const document of splitDocuments(bytes)) {
    for (const { chunk, list } of splitList(document)) {
      for (const result of readChunk(chunk, list)) {
        seen++;
        if (result instanceof YamlError) {
          yield { diagnostic: located(file, result, linesOf(chunk)) };
        } else {
          if (isRead(result.kind)) yield* repeatedKeys(file, result);
          builder.add(result.mapped, result.lines);
        }
        if (builder.size > inputSize) yield { input: builder.take() };
      }
    }
  }
  if (builder.size > 0) yield { input: builder.take() };
  if (seen === 0) {
    yield { diagnostic: diagnostic("warning", "no-objects", "the file holds no objects, only comments", { file }) };
  }
}

function linesOf(chunk: Chunk): Lines {
  return new Lines(new TextDecoder("utf-8", { ignoreBOM: true }).decode(chunk.bytes), chunk.firstLine);
}

function located(file: string, error: YamlError, lines: Lines): Diagnostic {
  const position = lines.position(error.offset);
  return diagnostic("error", error.code, error.message, { file, ...position, hint: error.hint });
}

type ReadDocument = { mapped: MappedJson; lines: Lines; kind: string };

/** What nobody reads is not worth a word. */
function isRead(kind: string): boolean {
  return /^((Service|EndpointSlice|Node|ServiceCIDR)(List)?|KubeProxyConfiguration)$/.test(kind);
}

/** Once for each place, however many aliases lead to it. */
function* repeatedKeys(file: string, { mapped, lines }: ReadDocument): Generator<Parsed> {
  const hint = "remove one of the two: the last one counts, as in a cluster";
  const places = new Map(mapped.repeatedKeys.map(({ source, key }) => [source, key]));
  for (const [source, key] of places) {
    const position = lines.position(source);
    const message = `key ${shownKey(key)} is given twice`;
    yield { diagnostic: diagnostic("warning", "yaml-duplicate-key", message, { file, ...position, hint }) };
  }
}

/** The chunk's documents. `list`: it holds items of that list. */
function* readChunk(chunk: Chunk, list: ListHead | undefined): Generator<ReadDocument | YamlError> {
  let text: string;
  try {
    text = chunkText(chunk);
  } catch (error) {
    yield asYamlError(error);
    return;
  }
  const lines = new Lines(text, chunk.firstLine);
  for (const document of parseDocuments(text)) {
    if ("error" in document) {
      yield document.error;
      continue;
    }
    try {
      yield* readRoot(document.root, new JsonWriter(document.root), lines, list);
    } catch (error) {
      yield asYamlError(error);
    }
  }
}

/** A document, or each item of a list: what is wrong in one item must not take the others with it. */
function* readRoot(
  root: Node,
  writer: JsonWriter,
  lines: Lines,
  list: ListHead | undefined,
): Generator<ReadDocument | YamlError> {
  if (isScalar(root) && (root.source ?? "") === "" && root.type === "PLAIN") return;
  const items = list !== undefined && isSeq(root) ? { ...list, items: root.items } : itemsOf(root);
  if (items !== undefined) {
    // Items of a typed list carry no kind: the list around them says it.
    const typed = items.kind !== "List";
    const head = `{"apiVersion":${jsonString(items.apiVersion)},"kind":${jsonString(items.kind)},"items":[`;
    for (const item of items.items as (Node | null)[]) {
      const at = item?.range?.[0] ?? root.range?.[0] ?? 0;
      try {
        const mapped = typed ? writer.json(item, at, head, "]}") : writer.json(item, at);
        const kind = typed ? items.kind : scalarText(item, "kind");
        if (!typed && itemsOf(item) !== undefined) {
          const hint = "put its objects into the list around it, or give it as a document of its own";
          yield new YamlError(at, "list-in-list", `a list (${kind}) stands where an object should be`, hint);
          continue;
        }
        yield mapped.text.startsWith("{", typed ? head.length : 0) ? { mapped, lines, kind } : notAnObject(item, at);
      } catch (error) {
        yield asYamlError(error);
      }
    }
  } else if (isMap(root)) {
    yield { mapped: writer.json(root, root.range?.[0] ?? 0), lines, kind: scalarText(root, "kind") };
  } else {
    yield notAnObject(root, root.range?.[0] ?? 0);
  }
}

function notAnObject(node: Node | null, at: number): YamlError {
  const found = isSeq(node)
    ? "a list"
    : node === null || (isScalar(node) && node.type === "PLAIN" && /^(~|null|Null|NULL)?$/.test(node.source ?? ""))
      ? "empty"
      : "plain text";
  const message = `this is ${found}, and should be an object with apiVersion and kind`;
  return new YamlError(at, "not-an-object", message, "is it a Kubernetes manifest?");
}

/** The items of a `List` or `ServiceList`; what else such a list has says nothing about the rules. */
function itemsOf(root: Node | null): (ListHead & { items: unknown[] }) | undefined {
  if (!isMap(root)) return undefined;
  const kind = scalarText(root, "kind");
  const items = root.get("items", true) as unknown;
  if (!kind.endsWith("List") || !isSeq(items)) return undefined;
  return { kind, apiVersion: scalarText(root, "apiVersion"), items: items.items };
}

function scalarText(map: Node | null, key: string): string {
  const node: unknown = isMap(map) ? map.get(key, true) : undefined;
  return isScalar(node) ? (node.source ?? "") : "";
}

function asYamlError(error: unknown): YamlError {
  if (error instanceof YamlError) return error;
  return new YamlError(0, "yaml-syntax", error instanceof Error ? error.message : String(error));
}
