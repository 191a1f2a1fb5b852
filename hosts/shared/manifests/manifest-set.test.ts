// Objects that are replaced, left out or added, and where what is said of them leads.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { placeText } from "../diagnostics.ts";
import type { Input } from "./input.ts";
import { ManifestSet } from "./manifest-set.ts";
import type { Fields } from "./objects.ts";
import { parseSource } from "./parse.ts";
import { fieldAt, objectsIn, parsePath } from "./scan.ts";

const test = suite("manifest set");

function inputsOf(...texts: string[]): Input[] {
  return texts.flatMap((text, index) => {
    const bytes = new TextEncoder().encode(text);
    return [...parseSource({ name: `f${index}`, bytes })].map((parsed) => {
      if (!("input" in parsed)) throw new Error(parsed.diagnostic.message);
      return parsed.input;
    });
  });
}

const textOf = ({ json }: Input) => new TextDecoder().decode(json);

/** `f0:3:4` for a field of the n-th object in what the engine gets. */
function place(input: Input, index: number, field: string): string {
  const object = [...objectsIn(input.json)][index];
  if (object === undefined) return "no object";
  const at = fieldAt(input.json, object.start, parsePath(field));
  return placeText({ file: input.file, ...input.position(at.found ? at.key : at.value) });
}

const YAML = `kind: A
metadata: {name: a}
spec: {x: 1}
---
kind: B
metadata:
  name: b
spec:
  x: 2
---
kind: C
metadata: {name: c}
`;

function namesIn(inputs: readonly Input[]): string[] {
  return inputs.flatMap(({ json }) => [...objectsIn(json)].map(({ kind, name }) => `${kind} ${name}`));
}

test("what is not changed is the input as it was", () => {
  const inputs = inputsOf(YAML);
  assert.is(new ManifestSet(inputs).inputs()[0], inputs[0]);
});

test("places in a replaced object are those of the fields in the file, or of what is above them", () => {
  const set = new ManifestSet(inputsOf(YAML));
  for (const object of set.objects()) {
    if (object.name === "b")
      set.replace(object, { kind: "B", new: [{ y: 1 }], metadata: { name: "b" }, spec: { x: 3 } });
  }
  const [input] = set.inputs() as [Input];
  assert.equal(namesIn([input]), ["A a", "B b", "C c"]);
  assert.match(textOf(input), '"spec":{"x":3}');
  assert.is(place(input, 0, "spec.x"), "f0:3:8", "before it");
  assert.is(place(input, 1, "spec.x"), "f0:9:3");
  assert.is(place(input, 1, "metadata.name"), "f0:7:3");
  const x = fieldAt(input.json, [...objectsIn(input.json)][1]?.start ?? 0, ["spec", "x"]).value;
  assert.equal(input.position(x), { line: 9, column: 6 }, "the value, not its key");
  assert.is(place(input, 1, "new[0].y"), "f0:5:1", "not in the file");
  assert.is(place(input, 2, "metadata.name"), "f0:12:12", "behind it");
  assert.equal(
    [...set.objects()].map(({ fields }) => (fields.spec as Fields | undefined)?.x),
    [1, 3, undefined],
    "the next step sees it so",
  );
});

test("objects are left out of lists, wherever they stand, and of documents", () => {
  const list = (names: string[]) =>
    `{"apiVersion": "v1", "kind": "List", "items": [${names.map((name) => `{"kind": "K", "metadata": {"name": "${name}"}}`).join(" , ")} ]}`;
  const names = ["a", "b", "c", "d"];
  for (let kept = 0; kept < 16; kept++) {
    const set = new ManifestSet(inputsOf(list(names)));
    const wanted = names.filter((_, index) => kept & (1 << index));
    for (const object of set.objects()) if (!wanted.includes(object.name)) set.leaveOut(object);
    const [input] = set.inputs() as [Input];
    assert.equal((JSON.parse(textOf(input)) as { items: Fields[] }).items.length, wanted.length, wanted.join());
    assert.equal(
      namesIn([input]),
      wanted.map((name) => `K ${name}`),
    );
    assert.equal(
      [...set.objects()].map(({ name }) => name),
      wanted,
    );
  }
  const set = new ManifestSet(inputsOf(YAML));
  for (const object of set.objects()) if (object.name !== "c") set.leaveOut(object);
  assert.equal(namesIn(set.inputs()), ["C c"]);
  assert.is(place(set.inputs()[0] as Input, 0, "metadata"), "f0:12:1");
});

test("an added object comes last, and leads to where it was put", () => {
  const set = new ManifestSet(inputsOf(YAML));
  set.add({ kind: "D", metadata: { name: "d" } }, { file: "f0", line: 5, column: 1 });
  const inputs = set.inputs();
  assert.equal(namesIn(inputs), ["A a", "B b", "C c", "D d"]);
  assert.is(place(inputs[1] as Input, 0, "metadata.name"), "f0:5:1");
});

test("hints of the file stay with their values", () => {
  const set = new ManifestSet(inputsOf("kind: A\nmetadata: {name: a}\nspec: {x: yes}\n"));
  for (const object of set.objects()) set.replace(object, { added: 1, ...object.fields });
  const [input] = set.inputs() as [Input];
  const at = fieldAt(input.json, 0, ["spec", "x"]);
  assert.match(input.hint(at.value), 'write "yes"');
  assert.is(input.hint(0), "");
});

test.run();
