import { test } from "uvu";
import * as assert from "uvu/assert";
import { ObjectIndex } from "./index-of-objects.ts";
import { jsonInput } from "./input.ts";
import { fieldAt, objectsIn, parsePath } from "./scan.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

test("objects of lists, single objects and watch events are found", () => {
  const text = `{"kind":"ServiceList","metadata":{"resourceVersion":"1"},"items":[
    {"spec":{"items":[{"metadata":{"name":"no"}}]},"metadata":{"labels":{"name":"no"},"namespace":"s","name":"a\\"b"}},
    {"metadata":{"name":"b"},"kind":"Other"}]}
  {"kind":"Node","metadata":{"name":"n"}}{"type":"ADDED","object":{"kind":"Service","metadata":{"name":"w"}}}
  [{"kind":"Node","metadata":{"name":"m"}}]
  {"items":[{"metadata":{"name":"late"}}],"kind":"NodeList"}`;
  const found = [...objectsIn(bytes(text))].map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`);
  assert.equal(found, ['Service s/a"b', "Other /b", "Node /n", "Service /w", "Node /m", "Node /late"]);
});

test("broken JSON ends the scan quietly", () => {
  const text = '{"kind":"Node","metadata":{"name":"n"}} {"kind":"Node","metadata":{"name":"m"},"x":[{"y":"';
  for (let length = 0; length <= text.length; length++) {
    const names = [...objectsIn(bytes(text.slice(0, length)))].map(({ name }) => name);
    assert.ok(names.length <= 2);
  }
  for (const odd of ["}", "]", ",", '"', "\\", "{,}", "[,]", '{"a"}', "null null", '{"a":}']) {
    assert.equal([...objectsIn(bytes(odd))], [], odd);
  }
});

test("fields are found, or the nearest thing above them", () => {
  const json = bytes('{"spec":{"ports":[{"port":1},{"port":2,"port":3}],"a.b/c":4},"last":"x\\\\"}');
  const at = (path: string) => {
    const field = fieldAt(json, 0, parsePath(path));
    return [new TextDecoder().decode(json.subarray(field.value)).slice(0, 8), field.found];
  };
  assert.equal(at("spec.ports[1].port"), ['3}],"a.b', true]);
  assert.equal(at("spec.ports[0]"), ['{"port":', true]);
  assert.equal(at("spec.ports[1].name"), ['{"port":', false]);
  assert.equal(at("spec.ports[7].port"), ['[{"port"', false]);
  assert.equal(at('spec["a.b/c"]'), ['4},"last', true]);
  assert.equal(at("last"), ['"x\\\\"}', true]);
  assert.equal(at(""), ['{"spec":', true]);
});

test("the index gives the last of several objects of one name, with lines", () => {
  const first = jsonInput("a.json", bytes('{"kind":"Service","metadata":{"namespace":"s","name":"a"}}'));
  const second = jsonInput(
    "b.json",
    bytes('\n{"kind":"Service","metadata":{"namespace":"s","name":"a"},\n"spec":{"x":1}}'),
  );
  const index = new ObjectIndex([first, second]);
  const object = { kind: "Service", namespace: "s", name: "a" };
  assert.equal(index.place({ ...object, field: "spec.x" }), { file: "b.json", line: 3, column: 9 });
  assert.equal(index.place({ ...object, field: "" }), { file: "b.json", line: 2, column: 1 });
  assert.is(index.place({ ...object, name: "z", field: "" }), undefined);
});

test.run();
