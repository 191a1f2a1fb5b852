// Reads a long YAML list (`kubectl get -o yaml` of a whole cluster) item by item.
import type { Chunk } from "./yaml-documents.ts";

/** What a list says about its items. */
export interface ListHead {
  kind: string;
  apiVersion: string;
}

export interface ListPart {
  chunk: Chunk;
  /** Set if the chunk is a sequence of items of that list; else it is a document. */
  list: ListHead | undefined;
}

/** Shorter documents are parsed whole, and may have anchors in one item and aliases in another. */
const worthSplitting = 200_000;

/**
 * The items of a list in block style, each with its own lines; any other document as it is. Needs an `items:` line at
 * the left margin, and no aliases (kubectl writes none).
 */
export function* splitList(document: Chunk): Generator<ListPart> {
  const { bytes, firstLine } = document;
  const whole = { chunk: document, list: undefined };
  if (bytes.length < worthSplitting) return yield whole;
  // As Latin-1 a character is a byte, so offsets agree.
  const text = new TextDecoder("latin1").decode(bytes);
  const items = /^items:[ \t]*\r?\n/m.exec(text);
  if (items === null || /[:\-,[{][ \t]+\*[A-Za-z0-9]/.test(text)) return yield whole;

  const start = items.index + items[0].length;
  const indent = /^( *)- /.exec(text.slice(start, start + 100))?.[1];
  if (indent === undefined) return yield whole;
  // The list ends at the first line that is neither an item, nor deeper, nor empty, nor a comment.
  const end = indexOfMatch(
    text,
    new RegExp(`^(?! {${indent.length + 1}}|${indent}-[ \\r\\n]|[ \\t]*(#|\\r?$))`, "gm"),
    start,
  );
  const around = `${text.slice(0, items.index)}\n${text.slice(end)}`;
  const kind = topLevel(around, "kind");
  if (!kind.endsWith("List")) return yield whole;

  const list = { kind, apiVersion: topLevel(around, "apiVersion") };
  const itemStart = new RegExp(`^${indent}-[ \\r\\n]`, "gm");
  let line = firstLine + countLines(text, 0, start);
  for (let at = start; at < end; ) {
    const next = Math.min(indexOfMatch(text, itemStart, at + 1), end);
    yield { chunk: { bytes: bytes.subarray(at, next), firstLine: line }, list };
    line += countLines(text, at, next);
    at = next;
  }
}

function indexOfMatch(text: string, pattern: RegExp, from: number): number {
  pattern.lastIndex = from;
  return pattern.exec(text)?.index ?? text.length;
}

function topLevel(text: string, key: string): string {
  return new RegExp(`^${key}:[ \\t]*["']?([^"'\\s#]*)`, "m").exec(text)?.[1] ?? "";
}

function countLines(text: string, from: number, to: number): number {
  let count = 0;
  for (let at = text.indexOf("\n", from); at !== -1 && at < to; at = text.indexOf("\n", at + 1)) count++;
  return count;
}
