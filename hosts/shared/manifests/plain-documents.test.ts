// The reader of the plain form beside the `yaml` package, which is the judge: the same JSON, from the same places, or none.
// SEED=N and RUNS=N change texts at random in other ways and more often (npm run long -- yaml).
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Node } from "yaml";
import { manifestOf } from "../../../fixtures/bench/manifest-files.ts";
import { Random, seedFromEnvironment } from "../../../fixtures/random/random.ts";
import { variants } from "../../../fixtures/yaml-reader/variants.ts";
import { readPlainDocument } from "./plain-documents.ts";
import { chunkText, parseAnyDocuments, splitDocuments } from "./yaml-documents.ts";
import { JsonWriter, YamlError } from "./yaml-json.ts";

/** All that is read of a tree, or why none of it is. */
function readingOf(root: Node): unknown {
  try {
    return new JsonWriter(root).json(root, root.range?.[0] ?? 0);
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    return { code: error.code, offset: error.offset, message: error.message };
  }
}

/** Whether the text has the plain form. Throws if the package reads it in another way. */
function isPlain(text: string): boolean {
  const root = readPlainDocument(text);
  if (root === undefined) return false;
  const documents = [...parseAnyDocuments(text)];
  assert.is(documents.length, 1, `the package finds ${documents.length} documents in\n${text}`);
  for (const document of documents) {
    if ("error" in document) assert.unreachable(`the package says ${document.error.message} of\n${text}`);
    else assert.equal(readingOf(root), readingOf(document.root), `it is read in another way:\n${text}`);
  }
  return true;
}

const documentsOf = (file: string): string[] =>
  [...splitDocuments(new TextEncoder().encode(file))].map((chunk) => chunkText(chunk));

const ALL_FORMS = `# first
---   # a comment
apiVersion: v1   # another
kind: Service
metadata:
  name: web
  labels: {app: web, "tier": 'front', empty: {}}

  annotations:
    note: some text
      that goes on
      and on
    quoted: "x: # y"  # z
    single: ' # '
    script: |
      #!/bin/sh

        exec serve

      done
    stripped: |-
      one
    count: 010
    word: yes
    channel: team#1
spec:
  ports:
  - name: http
    port: 80
  -   name: https
      port: 443
  args:
    - --listen=:8080
    - -v
    - [a, "b", {c: 1, d: [2]}]
    - - x
      - y
    -
      z: 1
  url: http://x/y?z=1
  finalizers: []
  twice: 1
  twice: 2
`;

test("documents as people and tools write them have the plain form", () => {
  assert.ok(isPlain(ALL_FORMS));
  for (const text of documentsOf(manifestOf(7))) assert.ok(isPlain(text), text);
  assert.ok(isPlain("- a: 1\n  b: 2\n- c: 3\n"), "a list");
  assert.ok(isPlain("a: 1"), "no line end at the end");
  assert.ok(isPlain('a: "é 日本"\n'), "not only ASCII");
});

test("what has another form, or is wrong, is left to the package", () => {
  const texts = {
    "an anchor": "a: &x 1\nb: *x\n",
    "a tag": "a: !!str 1\n",
    "a merge": "a:\n  <<: {b: 1}\n",
    "an escape": 'a: "\\n"\n',
    "a quote in quotes": "a: 'it''s'\n",
    "an empty value": "a:\nb: 1\n",
    "a folded block": "a: >\n  b\n",
    "a tab": "a:\tb\n",
    CRLF: "a: b\r\n",
    "two mappings on a line": "a: b: c\n",
    "a value that ends with a colon": "a: b:\n",
    "deeper without a reason": "a: 1\n  b: 2\n",
    "less deep than anything": "a:\n    b: 1\n  c: 2\n",
    "a comment in a text of several lines": "a: one\n  # c\n  two\n",
    "a comment behind the first line of a text of several": "a: one # c\n  two\n",
    "a value that ends with blanks and a colon": "a: b :\n",
    "an empty line in a text of several lines": "a: one\n\n  two\n",
    "flow over two lines": "a: [1,\n  2]\n",
    "flow that is not closed": "a: [1\n",
    "a template": "a: {{ .Values.b }}\n",
    "another document": "a: 1\n---\nb: 2\n",
    "an end marker": "a: 1\n...\n",
    nothing: "# c\n",
    "thousands of levels": `${Array.from({ length: 5000 }, (_, i) => `${" ".repeat(i)}a:`).join("\n")} 1\n`,
    "thousands of levels in flow": `a: ${"[".repeat(5000)}${"]".repeat(5000)}\n`,
  };
  for (const [what, text] of Object.entries(texts)) assert.is(readPlainDocument(text), undefined, what);
});

test("of all recorded ways to write YAML, the plain ones are read as the package reads them", () => {
  const plain = variants().filter(({ text }) => isPlain(text));
  assert.ok(plain.length > 200, `${plain.length}`);
});

/** What is put into a line, or in place of one of its characters. */
const PIECES = [..."-:#{}[],'\"|>&*!%@?\\ ./~é", ...["  ", "- ", " #", ": ", "\n", "\n\n", "|-\n", "a b", "b: c", "<<: ", "{}", "---\n", "...\n"]]; // biome-ignore format: a table

function edited(text: string, random: Random): string {
  const lines = text.split("\n");
  const at = random.below(lines.length);
  const line = lines[at] ?? "";
  switch (random.below(7)) {
    case 0:
      lines.splice(at, 1);
      break;
    case 1:
      lines.splice(at, 0, random.pick(lines));
      break;
    case 2:
      lines[at] = " ".repeat(1 + random.below(3)) + line;
      break;
    case 3:
      lines[at] = line.replace(/^ {1,2}/, "");
      break;
    case 4:
      lines.splice(at, 0, random.pick(["", "# c", "   ", "  # d", "      "]));
      break;
    default: {
      const column = random.below(line.length + 1);
      lines[at] = line.slice(0, column) + random.pick(PIECES) + line.slice(column + random.below(2));
    }
  }
  return lines.join("\n");
}

/** Some of its lines, or all. */
function excerpt(text: string, random: Random): string {
  if (random.chance(0.3)) return text;
  const lines = text.split("\n");
  const from = random.below(lines.length);
  return `${lines.slice(from, from + 3 + random.below(12)).join("\n")}\n`;
}

test("texts that are changed at random are read as the package reads them, or left to it", () => {
  const seed = seedFromEnvironment();
  const runs = Number(process.env.RUNS ?? "6000");
  const random = new Random(seed);
  const texts = [ALL_FORMS, ...documentsOf(manifestOf(3)), ...variants().map(({ text }) => text)];
  let plain = 0;
  for (let run = 0; run < runs; run++) {
    let text = excerpt(random.chance(0.5) ? (texts[random.below(3)] ?? "") : random.pick(texts), random);
    for (let edits = 1 + random.below(4); edits > 0; edits--) text = edited(text, random);
    try {
      chunkText({ bytes: new TextEncoder().encode(text), firstLine: 1 });
    } catch {
      continue; // refused before it comes to this
    }
    if (isPlain(text)) plain++;
  }
  assert.ok(plain > runs / 8, `seed ${seed}: only ${plain} of ${runs} had the plain form`);
});

test.run();
