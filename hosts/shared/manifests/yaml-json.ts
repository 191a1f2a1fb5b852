// Writes the nodes of a parsed YAML document as JSON and remembers where each value came from.
import { type Alias, isAlias, isMap, isScalar, isSeq, type Node, type Pair, type YAMLMap } from "yaml";
import { jsonString, resolveScalar, type ScalarValue } from "./scalars.ts";

/** Of errors that a Helm chart gives when it is read as if it were YAML. */
export const templateHint = "if this is a template (`{{ … }}`), render it first";

/** A document that cannot be read. `offset` counts characters in the text given to the parser. */
export class YamlError extends Error {
  readonly offset: number;
  readonly code: string;
  readonly hint: string;

  constructor(offset: number, code: string, message: string, hint = "") {
    super(message);
    this.offset = offset;
    this.code = code;
    this.hint = hint;
  }
}

/** More nested than anything Kubernetes accepts; the engine refuses from 64 on. */
export const maxDepth = 100;
/** Values that a document may gain by its aliases; a cluster's manifests have a handful. */
export const maxAliasedValues = 10_000;

/** JSON text and the origin of each key and value in it: `jsonOffsets` rises, `sourceOffsets[i]` belongs to it. */
export class MappedJson {
  text = "";
  readonly jsonOffsets: number[] = [];
  readonly sourceOffsets: number[] = [];
  /** Keys that stand twice in one mapping: the name, and where it stands the second time. The last one counts. */
  readonly repeatedKeys: { key: string; source: number }[] = [];
  /** Unquoted words that YAML 1.1 takes for booleans, by JSON offset: worth a hint where a string was wanted. */
  readonly booleanWords = new Map<number, string>();

  write(json: string, source: number): void {
    this.jsonOffsets.push(this.text.length);
    this.sourceOffsets.push(source);
    this.text += json;
  }
}

type MaybeNode = Node | null | undefined;

/** Writes the parts of one document. */
export class JsonWriter {
  readonly #targets = new Map<Alias, Node>();
  readonly #open = new Set<Node>();
  #out = new MappedJson();
  #aliasDepth = 0;
  #aliased = 0;

  /** Throws a YamlError if an alias stands for nothing. */
  constructor(root: Node) {
    this.#resolveAliases(root);
  }

  /** JSON of a node of the document; `at` is its offset if it is empty. `before` and `after` go round it. */
  json(node: MaybeNode, at: number, before = "", after = ""): MappedJson {
    this.#out = new MappedJson();
    this.#open.clear();
    this.#aliasDepth = 0;
    if (before !== "") this.#out.write(before, at);
    this.#write(node, at, 0);
    this.#out.text += after;
    return this.#out;
  }

  #resolveAliases(root: Node): void {
    const anchors = new Map<string, Node>();
    const walk = (node: MaybeNode): void => {
      if (isAlias(node)) {
        const target = anchors.get(node.source);
        if (target === undefined) {
          throw new YamlError(start(node), "yaml-alias", `nothing before this is named &${node.source.slice(0, 40)}`);
        }
        this.#targets.set(node, target);
        return;
      }
      if (!node) return;
      if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor) anchors.set(node.anchor, node);
      if (isMap(node)) {
        for (const pair of node.items) {
          walk(pair.key as MaybeNode);
          walk(pair.value as MaybeNode);
        }
      } else if (isSeq(node)) {
        for (const item of node.items) walk(item as MaybeNode);
      }
    };
    walk(root);
  }

  #write(node: MaybeNode, at: number, depth: number): void {
    if (depth > maxDepth) throw new YamlError(at, "yaml-depth", `nested deeper than ${maxDepth} levels`);
    if (this.#aliasDepth > 0 && ++this.#aliased > maxAliasedValues) {
      const hint = "write the values out, or give JSON (`kubectl get -o json`)";
      throw new YamlError(at, "yaml-alias-bomb", `aliases multiply this to more than ${maxAliasedValues} values`, hint);
    }
    if (!node) {
      this.#out.write("null", at);
      return;
    }
    const source = start(node, at);
    if (isAlias(node)) {
      const target = this.#target(node);
      if (this.#open.has(target))
        throw new YamlError(source, "yaml-alias", `*${node.source.slice(0, 40)} contains itself`);
      this.#aliasDepth++;
      // Problems within what an alias stands for are shown where it is written out.
      this.#write(target, start(target, source), depth);
      this.#aliasDepth--;
      return;
    }
    if (isScalar(node)) {
      const value = scalar(node, source);
      if (value.type === "boolean" && !/^(true|false)$/i.test(node.source ?? "")) {
        this.#out.booleanWords.set(this.#out.text.length, node.source ?? "");
      }
      this.#out.write(value.json, source);
      return;
    }
    this.#open.add(node);
    if (isMap(node)) this.#writeMap(node, source, depth);
    else if (isSeq(node)) {
      this.#out.write("[", source);
      node.items.forEach((item, index) => {
        if (index > 0) this.#out.text += ",";
        this.#write(item as MaybeNode, source, depth + 1);
      });
      this.#out.text += "]";
    }
    this.#open.delete(node);
  }

  #writeMap(map: YAMLMap, source: number, depth: number): void {
    const entries = this.#entries(map, source);
    this.#out.write("{", source);
    let first = true;
    for (const [key, entry] of entries) {
      if (!first) this.#out.text += ",";
      first = false;
      this.#out.write(jsonString(key), entry.keyAt);
      this.#out.text += ":";
      this.#write(entry.value, entry.keyAt, depth + 1);
    }
    this.#out.text += "}";
  }

  /** Members of a mapping, merge keys applied. As in go-yaml v2 a merge replaces what stands before it. */
  #entries(map: YAMLMap, source: number): Map<string, { value: MaybeNode; keyAt: number }> {
    const entries = new Map<string, { value: MaybeNode; keyAt: number }>();
    const written = new Set<string>();
    for (const pair of map.items as Pair<MaybeNode, MaybeNode>[]) {
      const keyAt = start(pair.key, source);
      if (isScalar(pair.key) && pair.key.type === "PLAIN" && pair.key.source === "<<") {
        this.#merge(pair.value, keyAt, entries);
        continue;
      }
      const key = this.#key(pair.key, keyAt);
      if (written.has(key)) this.#out.repeatedKeys.push({ key, source: keyAt });
      written.add(key);
      entries.set(key, { value: pair.value, keyAt });
    }
    return entries;
  }

  #merge(value: MaybeNode, at: number, into: Map<string, { value: MaybeNode; keyAt: number }>): void {
    const node = isAlias(value) ? this.#target(value) : value;
    // Of several, the first has the last word.
    const sources = isSeq(node) ? [...node.items].reverse() : [node];
    for (const item of sources as MaybeNode[]) {
      const map = isAlias(item) ? this.#target(item) : item;
      if (!isMap(map)) throw new YamlError(at, "yaml-merge", "`<<` merges mappings, and this is none");
      if (this.#open.has(map)) throw new YamlError(at, "yaml-alias", "a mapping is merged into itself");
      this.#open.add(map);
      for (const [key, entry] of this.#entries(map, at)) {
        if (++this.#aliased > maxAliasedValues) {
          throw new YamlError(at, "yaml-alias-bomb", `merges multiply this to more than ${maxAliasedValues} values`);
        }
        into.set(key, entry);
      }
      this.#open.delete(map);
    }
  }

  #key(node: MaybeNode, at: number): string {
    const key = isAlias(node) ? this.#target(node) : node;
    if (!key || !isScalar(key)) {
      throw new YamlError(at, "yaml-key", "keys must be text", templateHint);
    }
    const value = scalar(key, at);
    if (value.type === "null")
      throw new YamlError(at, "yaml-key", "a key is empty (null)", 'quote it if it is meant: ""');
    return value.type === "string" ? (key.source ?? "") : value.json;
  }

  #target(alias: Alias): Node {
    const target = this.#targets.get(alias);
    if (target === undefined) throw new YamlError(start(alias), "yaml-alias", `*${alias.source} stands for nothing`);
    return target;
  }
}

function scalar(
  node: { source?: string; type?: string; tag?: string; range?: [number, number, number] | null },
  at: number,
): ScalarValue {
  try {
    return resolveScalar(node.source ?? "", node.type === "PLAIN" || node.type === undefined, node.tag ?? "");
  } catch (error) {
    throw new YamlError(at, "yaml-value", error instanceof Error ? error.message : String(error));
  }
}

function start(node: MaybeNode, otherwise = 0): number {
  return node?.range?.[0] ?? otherwise;
}

/** A key in messages. */
export function shownKey(key: string): string {
  return JSON.stringify(key.length > 60 ? `${key.slice(0, 60)}…` : key);
}
