import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Diagnostic } from "../diagnostics.ts";
import type { Input } from "./input.ts";
import { parseSource } from "./parse.ts";

function parse(text: string | Uint8Array): { inputs: Input[]; diagnostics: Diagnostic[]; json: unknown[] } {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  const inputs: Input[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const parsed of parseSource({ name: "a.yaml", bytes })) {
    if ("input" in parsed) inputs.push(parsed.input);
    else diagnostics.push(parsed.diagnostic);
  }
  const json = inputs.flatMap((input) => {
    const lines = new TextDecoder().decode(input.json).split("\n");
    return lines.flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
  });
  return { inputs, diagnostics, json };
}

const where = ({ code, line, column }: Diagnostic) => `${code} ${line}:${column}`;

/** Position in the file of a text in the JSON that the engine gets. */
function positionOf(input: Input | undefined, wanted: string): string {
  assert.ok(input);
  const offset = new TextDecoder().decode(input?.json).indexOf(wanted);
  assert.ok(offset >= 0, `${wanted} is in the JSON`);
  const position = input?.position(offset);
  return `${position?.line}:${position?.column}`;
}

test("documents, comments, empty documents and end markers", () => {
  const { json, diagnostics } = parse(
    "# first\n---\nkind: A\n---\n# nothing\n---\nkind: B\n...\n---\n{kind: C}\n--- {kind: D}\n",
  );
  assert.equal(json, [{ kind: "A" }, { kind: "B" }, { kind: "C" }, { kind: "D" }]);
  assert.equal(diagnostics, []);
});

test("directives belong to the document after them", () => {
  const { json, diagnostics } = parse("%YAML 1.1\n# why\n---\nkind: A\n");
  assert.equal(json, [{ kind: "A" }]);
  assert.equal(diagnostics, []);
});

test("a marker within a block scalar's content is indented and does not cut", () => {
  assert.equal(parse("kind: A\ntext: |\n  ---\n  x\n").json, [{ kind: "A", text: "---\nx\n" }]);
});

test("positions of values lead back to the file", () => {
  const { inputs } = parse(
    "---\nkind: A\n---\n# second\nkind: Service\nspec:\n  ports:\n  - name: wéb\n    port: 70000\n",
  );
  assert.is(positionOf(inputs[0], "70000"), "9:11");
  assert.is(positionOf(inputs[0], '"port"'), "9:5");
  assert.is(positionOf(inputs[0], '{"name"'), "8:5");
  assert.is(positionOf(inputs[0], '"A"'), "2:7");
});

test("List items are handed over one by one, typed lists keep their kind", () => {
  const list = parse("kind: List\nitems:\n- kind: A\n- kind: B\n");
  assert.equal(list.json, [{ kind: "A" }, { kind: "B" }]);
  const typed = parse("apiVersion: v1\nkind: ServiceList\nitems:\n- metadata: {name: a}\n");
  assert.equal(typed.json, [{ apiVersion: "v1", kind: "ServiceList", items: [{ metadata: { name: "a" } }] }]);
  assert.is(positionOf(typed.inputs[0], '"a"'), "4:20");
});

test("anchors, aliases and merge keys", () => {
  const { json, diagnostics } = parse("x: &x {a: 1, b: 2}\nq: *x\nz:\n  <<: *x\n  b: 3\nw:\n  <<: [{a: 9}, *x]\n");
  assert.equal(diagnostics, []);
  assert.equal(json, [{ x: { a: 1, b: 2 }, q: { a: 1, b: 2 }, z: { a: 1, b: 3 }, w: { a: 9, b: 2 } }]);
});

test("an alias means the last anchor before it", () => {
  assert.equal(parse("a: &x 1\nb: *x\nc: &x 2\nd: *x\n").json, [{ a: 1, b: 1, c: 2, d: 2 }]);
});

test("keys that are no text become text, as in sigs.k8s.io/yaml", () => {
  assert.equal(parse("{1: a, yes: b, 1.50: c}").json, [{ 1: "a", true: "b", "1.5": "c" }]);
});

const bad: [name: string, yaml: string, expected: string][] = [
  ["a list as key", "? [a, b]\n: 1\n", "yaml-key 1:3"],
  ["an empty key", ": 1\n", "yaml-key 1:1"],
  ["a template", "a: {{ .Values.x }}\n", "yaml-key 1:5"],
  ["a tab", "a:\n\tb: 1\n", "yaml-syntax 2:1"],
  ["an open bracket", "a: [1, 2\nb: 3\n", "yaml-syntax 1:8"],
  ["an open quote", 'a: "x\n', "yaml-syntax 2:1"],
  ["an alias to nothing", "a: *x\n", "yaml-alias 1:4"],
  ["an alias within itself", "a: &x [*x]\n", "yaml-alias 1:8"],
  ["a merge of no mapping", "a: 1\n<<: 3\n", "yaml-merge 2:1"],
  ["text", "hello\n", "not-an-object 1:1"],
  ["a list", "- a\n", "not-an-object 1:1"],
  ["an empty item", "kind: List\nitems:\n-\n", "not-an-object 3:2"],
  ["an item that is text", "kind: PodList\nitems:\n- x\n", "not-an-object 3:3"],
  ["a control character", "a: b\nc: \u0007\n", "yaml-character 2:4"],
  ["infinity", "a: .inf\n", "yaml-value 1:4"],
  ["a list in a list", "kind: List\nitems:\n- kind: List\n  items: []\n", "list-in-list 3:3"],
];

const templates: [name: string, yaml: string, expected: string][] = [
  ["a condition", "{{- if .Values.rbac }}\nkind: Role\n{{- end }}\n", "yaml-syntax 1:3"],
  ["labels", 'metadata:\n  name: x\n  {{- include "labels" . }}\n', "yaml-syntax 3:3"],
  ["text after a value", 'name: {{ template "name" . }}:view\n', "yaml-syntax 1:30"],
];

for (const [name, yaml, expected] of templates) {
  test(`a template is known as one: ${name}`, () => {
    const { diagnostics } = parse(yaml);
    assert.equal(diagnostics.map(where), [expected]);
    assert.match(diagnostics[0]?.hint ?? "", "template");
  });
}

test("an item that is null is called empty, one of text plain text", () => {
  const { diagnostics } = parse('kind: List\nitems:\n- null\n- ~\n- "null"\n');
  const said = diagnostics.map(({ message }) => /^this is (.*),/.exec(message)?.[1]);
  assert.equal(said, ["empty", "empty", "plain text"]);
});

test("an error before the first template says what is wrong itself", () => {
  assert.is(parse("a:\n\tb: {{ .x }}\n").diagnostics[0]?.hint, "indent with spaces");
});

for (const [name, yaml, expected] of bad) {
  test(`${name} is located, and the documents round it are read`, () => {
    const { diagnostics, json } = parse(yaml);
    assert.equal(diagnostics.map(where), [expected]);
    assert.equal(json, []);
    const around = parse(`kind: A\n---\n${yaml}---\nkind: B\n`);
    assert.equal(around.json, [{ kind: "A" }, { kind: "B" }]);
    assert.is(around.diagnostics.length, 1);
    assert.is(around.diagnostics[0]?.line, Number(/ (\d+):/.exec(expected)?.[1]) + 2);
  });
}

test("an error in one item of a list leaves the others", () => {
  const { json, diagnostics } = parse("kind: List\nitems:\n- kind: A\n- kind: .inf\n- kind: D\n");
  assert.equal(json, [{ kind: "A" }, { kind: "D" }]);
  assert.equal(diagnostics.map(where), ["yaml-value 4:9"]);
});

test("of a key that is given twice the last one counts, with a warning in kinds that are read", () => {
  const twice = (kind: string) => parse(`kind: ${kind}\nspec:\n  a: 1\n  b: 2\n  a: 3\n`);
  const { json, diagnostics } = twice("Service");
  assert.equal(json, [{ kind: "Service", spec: { a: 3, b: 2 } }]);
  assert.equal(diagnostics.map(where), ["yaml-duplicate-key 5:3"]);
  assert.equal([diagnostics[0]?.severity, diagnostics[0]?.message], ["warning", 'key "a" is given twice']);
  assert.equal(twice("ConfigMap").json, [{ kind: "ConfigMap", spec: { a: 3, b: 2 } }]);
  assert.equal(twice("ConfigMap").diagnostics, []);
});

test("a key that is given twice is said once, however often an alias repeats it", () => {
  const { diagnostics } = parse("kind: Service\nx: &x {a: 1, a: 2}\ny: *x\nz: *x\n");
  assert.equal(diagnostics.map(where), ["yaml-duplicate-key 2:14"]);
});

test("of keys that are given twice in items of lists those of kinds that are read are said", () => {
  const list = parse("kind: List\nitems:\n- {kind: A, b: 1, b: 2}\n- {kind: Node, b: 1, b: 2}\n");
  assert.equal(list.diagnostics.map(where), ["yaml-duplicate-key 4:22"]);
  assert.equal(parse("kind: NodeList\nitems:\n- {b: 1, b: 2}\n").diagnostics.map(where), ["yaml-duplicate-key 3:10"]);
});

test("a byte order mark after a separator is none of the document's", () => {
  const { inputs, json } = parse("kind: A\n---\n\ufeffkind: B\nport: 70000\n--- \n\ufeffkind: C\n");
  assert.equal(json, [{ kind: "A" }, { kind: "B", port: 70000 }, { kind: "C" }]);
  assert.is(positionOf(inputs[0], "70000"), "4:7");
  assert.is(positionOf(inputs[0], '"B"'), "3:7");
});

test("an alias bomb stops early", () => {
  const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"];
  for (let i = 1; i < 12; i++)
    lines.push(
      `a${i}: &a${i} [${Array(9)
        .fill(`*a${i - 1}`)
        .join(", ")}]`,
    );
  const { diagnostics, json } = parse(`${lines.join("\n")}\n---\nkind: B\n`);
  assert.equal(
    diagnostics.map(({ code }) => code),
    ["yaml-alias-bomb"],
  );
  assert.equal(json, [{ kind: "B" }]);
});

test("a bomb of merges stops early", () => {
  const lines = ["a0: &a0 {k: v}"];
  for (let i = 1; i < 30; i++) lines.push(`a${i}: &a${i} {<<: [*a${i - 1}, *a${i - 1}]}`);
  assert.equal(
    parse(lines.join("\n")).diagnostics.map(({ code }) => code),
    ["yaml-alias-bomb"],
  );
});

for (const deep of [
  "[".repeat(50_000),
  "{a: ".repeat(50_000),
  "- ".repeat(50_000),
  `${"[".repeat(200)}${"]".repeat(200)}`,
]) {
  test(`deep nesting (${deep.slice(0, 8)}…) is refused, not followed`, () => {
    const { diagnostics } = parse(`kind: A\nx: 1\n---\n${deep}`);
    assert.equal(
      diagnostics.map(({ code }) => code),
      ["yaml-depth"],
    );
  });
}

test("deep block mappings are refused", () => {
  let text = "";
  for (let i = 0; i < 300; i++) text += `${" ".repeat(i)}a:\n`;
  assert.equal(
    parse(text).diagnostics.map(({ code }) => code),
    ["yaml-depth"],
  );
});

test("bytes that are not UTF-8 are located, and the other documents are read", () => {
  const bytes = new TextEncoder().encode("kind: A\n---\nkind: é\u0001X\n---\nkind: B\n");
  const at = bytes.indexOf(1);
  bytes[at] = 0xff;
  const { diagnostics, json } = parse(bytes);
  assert.equal(diagnostics.map(where), ["utf-8 3:8"]);
  assert.equal(json, [{ kind: "A" }, { kind: "B" }]);
});

test("empty files and files of comments", () => {
  assert.equal(
    parse("").diagnostics.map(({ code, severity }) => [code, severity]),
    [["empty-file", "error"]],
  );
  assert.equal(
    parse(" \n\t\n").diagnostics.map(({ code }) => code),
    ["empty-file"],
  );
  assert.equal(
    parse("# x\n---\n# y\n").diagnostics.map(({ code, severity }) => [code, severity]),
    [["no-objects", "warning"]],
  );
});

test("JSON goes through untouched, also if it is broken or several values", () => {
  for (const text of [
    '{"kind":"A"}',
    ' {"kind":"A"}\n{"kind":"B"}',
    '{"kind":"A", "x":',
    '[{"kind":"A"}]',
    '{"a":1,"a":2}',
  ]) {
    const bytes = new TextEncoder().encode(text);
    const parsed = [...parseSource({ name: "a.json", bytes })];
    assert.is(parsed.length, 1);
    assert.is((parsed[0] as { input: Input }).input.json, bytes);
  }
});

test("YAML's flow style is no JSON", () => {
  assert.equal(parse("{kind: A}").json, [{ kind: "A" }]);
  assert.equal(parse('{"kind": A, "x": [1,],}').json, [{ kind: "A", x: [1] }]);
});

test("positions in JSON count characters, after a byte order mark too", () => {
  const bytes = new TextEncoder().encode('\ufeff{"é": 1,\n "x": "ü", "y": 2}');
  const [parsed] = [...parseSource({ name: "a.json", bytes })];
  const { input } = parsed as { input: Input };
  assert.equal(input.position(0), { line: 1, column: 1 });
  assert.equal(input.position(input.json.indexOf(0x31)), { line: 1, column: 7 });
  assert.equal(input.position(input.json.lastIndexOf(0x32)), { line: 2, column: 17 });
});

test("UTF-16 is converted", () => {
  const text = "kind: Ä\n";
  const bytes = new Uint8Array(2 + text.length * 2);
  bytes.set([0xff, 0xfe]);
  for (const [index, char] of [...text].entries()) bytes[2 + index * 2] = char.charCodeAt(0);
  assert.equal(parse(bytes).json, [{ kind: "Ä" }]);
});

test("unquoted words that are booleans get a hint", () => {
  const { inputs } = parse("kind: A\nname: on\nother: true\n");
  const json = new TextDecoder().decode(inputs[0]?.json);
  assert.match(inputs[0]?.hint(json.indexOf("true")) ?? "", 'write "on"');
  assert.is(inputs[0]?.hint(json.lastIndexOf("true")), "");
});

test("a long list is read item by item, with right lines", () => {
  const item = (i: number) => `- kind: A\n  metadata:\n    name: a${i}\n  text: |\n    - no item\n\n    x\n# comment\n`;
  let text = "# head\napiVersion: v1\nitems:\n";
  for (let i = 0; text.length < 300_000; i++) text += i === 2 ? "- kind: A: B\n" : item(i);
  text += '- kind: Last\nkind: List\nmetadata:\n  resourceVersion: ""\n';
  const { json, diagnostics, inputs } = parse(text);
  assert.equal(diagnostics.map(where), ["yaml-syntax 20:9"]);
  assert.equal(json[1], { kind: "A", metadata: { name: "a1" }, text: "- no item\n\nx\n" });
  assert.equal(json[2], { kind: "A", metadata: { name: "a3" }, text: "- no item\n\nx\n" });
  assert.equal(json.at(-1), { kind: "Last" });
  assert.is(positionOf(inputs[0], '"a3"'), "23:11");
  assert.not(json.some((object) => (object as { kind: string }).kind === "List"));
});

test("random bytes give an error and nothing else", () => {
  let seed = 12345;
  for (let round = 0; round < 300; round++) {
    const bytes = new Uint8Array(1 + (round % 97));
    for (let i = 0; i < bytes.length; i++) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      bytes[i] = seed >>> 24;
    }
    if (bytes[0] === 0x7b || bytes[0] === 0x5b) bytes[0] = 0x80;
    const { diagnostics, json } = parse(bytes);
    assert.ok(diagnostics.length > 0, `seed 12345, round ${round}`);
    assert.equal(json, []);
  }
});

test.run();
