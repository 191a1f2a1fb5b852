import { test } from "uvu";
import * as assert from "uvu/assert";
import { resolveScalar } from "./scalars.ts";

// What sigs.k8s.io/yaml makes of plain scalars.
const plain: [text: string, json: string][] = [
  ["80", "80"],
  ["080", "80"],
  ["010", "8"],
  ["0x50", "80"],
  ["0o17", "15"],
  ["0b101", "5"],
  ["1_000", "1000"],
  ["+5", "5"],
  ["-0x10", "-16"],
  ["18446744073709551616", "18446744073709551616"],
  ["8.0", "8"],
  [".5", "0.5"],
  ["1e3", "1000"],
  ["0", "0"],
  ["00", "0"],
  ["yes", "true"],
  ["on", "true"],
  ["y", "true"],
  ["No", "false"],
  ["OFF", "false"],
  ["true", "true"],
  ["yEs", '"yEs"'],
  ["~", "null"],
  ["", "null"],
  ["Null", "null"],
  ["10.96.0.1", '"10.96.0.1"'],
  ["22:22", '"22:22"'],
  ["2024-01-02", '"2024-01-02"'],
  ["2024-01-02T03:04:05Z", '"2024-01-02T03:04:05Z"'],
  ["-", '"-"'],
  ["0x", '"0x"'],
  ["1e999", '"1e999"'],
  ["http", '"http"'],
  ["é\u2028", '"\\u00e9\\u2028"'],
  ["<<", '"<<"'],
];

for (const [text, json] of plain) {
  test(`plain ${JSON.stringify(text)} is ${json}`, () => {
    assert.is(resolveScalar(text, true, "").json, json);
  });
}

test("quoted text is text", () => {
  for (const text of ["80", "yes", "null", ""]) assert.is(resolveScalar(text, false, "").json, JSON.stringify(text));
});

test("tags decide", () => {
  assert.is(resolveScalar("80", true, "tag:yaml.org,2002:str").json, '"80"');
  assert.is(resolveScalar("80", false, "tag:yaml.org,2002:int").json, "80");
  assert.is(resolveScalar("aGk=", true, "tag:yaml.org,2002:binary").json, '"hi"');
  assert.is(resolveScalar("80", true, "!Ref").json, '"80"');
  assert.throws(() => resolveScalar("x", true, "tag:yaml.org,2002:int"), /no !!int/);
  assert.throws(() => resolveScalar("1.5", true, "tag:yaml.org,2002:int"), /no !!int/);
  assert.throws(() => resolveScalar("*", true, "tag:yaml.org,2002:binary"), /base64/);
});

test("numbers that JSON cannot say are refused", () => {
  for (const text of [".nan", ".inf", "-.Inf"]) assert.throws(() => resolveScalar(text, true, ""), /JSON cannot say/);
});

test.run();
