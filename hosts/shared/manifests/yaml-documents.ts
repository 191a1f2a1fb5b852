// Cuts a YAML file into documents and parses them one by one, so that an error in one leaves the others alone and a
// long file never sits in memory as one tree.
import { Composer, type Document, type Node, Parser } from "yaml";
import { readPlainDocument } from "./plain-documents.ts";
import { hasMark, invalidUtf8At, isBlank, skipBlanks } from "./text.ts";
import { maxDepth, templateHint, YamlError } from "./yaml-json.ts";
import { lenientLexer } from "./yaml-lexer.ts";

/** Some lines of a file that stand for themselves. */
export interface Chunk {
  bytes: Uint8Array;
  /** Number of its first line in the file. */
  firstLine: number;
}

/**
 * A tree takes 80 bytes and more for each byte of YAML. Lists as kubectl writes them are read in parts and may be of
 * any size; this is for documents that can't be.
 */
export const maxDocumentBytes = 16_000_000;

const newline = 0x0a;
const hyphen = 0x2d;

/**
 * Cuts at the lines that start with `---`, which stay with what follows. A byte order mark after such a line (files that
 * were joined) is left out with the line, as kubectl does.
 */
export function* splitDocuments(bytes: Uint8Array): Generator<Chunk> {
  let start = 0;
  let firstLine = 1;
  let line = 1;
  let onlyDirectives = true;
  for (let at = 0; at < bytes.length; ) {
    if (isMarker(bytes, at) && at > start && !onlyDirectives) {
      yield { bytes: bytes.subarray(start, at), firstLine };
      start = at;
      firstLine = line;
      onlyDirectives = true;
    }
    // Directives (%YAML 1.1) and comments before the marker belong to the document after it.
    const first = bytes[at];
    if (first !== 0x25 && first !== 0x23 && !isBlank(first)) onlyDirectives = false;
    if (isMarker(bytes, at)) onlyDirectives = false;
    const end = bytes.indexOf(newline, at);
    const isBare = end !== -1 && isMarker(bytes, at) && skipBlanks(bytes, at + 3) > end;
    at = end === -1 ? bytes.length : end + 1;
    line++;
    if (isBare && hasMark(bytes, at)) {
      at += 3;
      start = at;
      firstLine = line;
    }
  }
  if (start < bytes.length) yield { bytes: bytes.subarray(start), firstLine };
}

function isMarker(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at] === hyphen &&
    bytes[at + 1] === hyphen &&
    bytes[at + 2] === hyphen &&
    (at + 3 === bytes.length || isBlank(bytes[at + 3]))
  );
}

// YAML's printable characters; go-yaml refuses the others too.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unprintable = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\ufffe\uffff]/;

/** The chunk's text. Throws a YamlError if it is none, with an offset that counts bytes in `byteOffset`. */
export function chunkText(chunk: Chunk): string {
  const { bytes } = chunk;
  if (bytes.length > maxDocumentBytes) {
    const hint = "give it as JSON (`kubectl get … -o json`), which may be of any size, or in several documents";
    const limit = `${maxDocumentBytes / 1_000_000} MB`;
    throw new YamlError(0, "yaml-too-large", `a YAML document may have ${limit}, this has more`, hint);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    const before = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(0, invalidUtf8At(bytes)));
    throw new YamlError(before.length, "utf-8", "these bytes are not UTF-8", "save the file as UTF-8 text");
  }
  const bad = unprintable.exec(text);
  if (bad !== null) {
    const code = bad[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
    throw new YamlError(
      bad.index,
      "yaml-character",
      `character U+${code} is not allowed in YAML`,
      "is this a text file?",
    );
  }
  const separator = /^---(?=[^\s])/m.exec(text);
  if (separator !== null) {
    const hint = "put `---` on a line of its own between documents";
    throw new YamlError(
      separator.index,
      "yaml-separator",
      "a line begins with `---` and goes on without a blank",
      hint,
    );
  }
  return text;
}

/** A document's root node, or what is wrong with it. Empty documents are left out. */
export type ParsedDocument = { root: Node } | { error: YamlError };

export function* parseDocuments(text: string): Generator<ParsedDocument> {
  const root = readPlainDocument(text);
  if (root !== undefined) yield { root };
  else yield* parseAnyDocuments(text);
}

/** By the `yaml` package, in whatever form they are. */
export function* parseAnyDocuments(text: string): Generator<ParsedDocument> {
  const composer = new Composer({
    // Scalars stay text: scalars.ts says what they mean. Duplicate keys are found there too, in linear time.
    schema: "failsafe",
    uniqueKeys: false,
    prettyErrors: false,
    keepSourceTokens: false,
    logLevel: "silent",
  });
  const parser = new Parser();
  const lexer = lenientLexer();
  const template = text.indexOf("{{");
  try {
    for (const lexeme of lexer.lex(text)) {
      for (const token of parser.next(lexeme)) yield* documents(composer.next(token), template);
      // The parser keeps its own stack, but the composer recurses: deep nesting must not reach it.
      if (parser.stack.length > maxDepth + 2) {
        const at = Math.min(parser.offset, text.length);
        yield { error: new YamlError(at, "yaml-depth", `nested deeper than ${maxDepth} levels`) };
        return;
      }
    }
    for (const token of parser.end()) yield* documents(composer.next(token), template);
    yield* documents(composer.end(false, text.length), template);
  } catch (error) {
    if (error instanceof YamlError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    yield { error: new YamlError(0, "yaml-syntax", `this YAML cannot be read: ${message}`) };
  }
}

/** @param template where the text has its first `{{`; -1: it has none */
function* documents(parsed: Iterable<Document>, template: number): Generator<ParsedDocument> {
  for (const document of parsed) {
    const error = document.errors[0];
    if (error !== undefined) {
      const [at] = error.pos;
      // YAML has no use for `{{`, and what it says of a template is of no help.
      const hint = template >= 0 && template <= at ? templateHint : hintFor(error.code);
      yield { error: new YamlError(at, "yaml-syntax", error.message, hint) };
    } else if (document.contents) {
      yield { root: document.contents as Node };
    }
  }
}

function hintFor(code: string): string {
  switch (code) {
    case "TAB_AS_INDENT":
      return "indent with spaces";
    case "BAD_INDENT":
    case "MISSING_CHAR":
      return "check the indentation, quotes and brackets here and in the lines above";
    case "MULTIPLE_DOCS":
      return "put `---` on a line of its own between documents";
    default:
      return "";
  }
}
