// What holds of admission whatever it is given.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { randomObject } from "../../../fixtures/admission/random-objects.ts";
import { Random } from "../../../fixtures/random/random.ts";
import { admissionAnswers } from "../../../fixtures/recordings/admission.ts";
import { schemaProblems } from "../../../fixtures/recordings/openapi.ts";
import type { Fields } from "../manifests/objects.ts";
import { type Admitted, admitEndpointSlice, admitService } from "./admit.ts";

const test = suite("admission: properties");
const SEED = Number(process.env.SEED ?? 20261130);
const RUNS = Number(process.env.RUNS ?? 1500);

function admitted(object: Fields): Admitted {
  return object.kind === "Service" ? admitService(object) : admitEndpointSlice(object);
}

const junk: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e300,
  "",
  "x",
  "80",
  [],
  [null],
  [[]],
  {},
  { x: {} },
  { name: 7 },
  ["\ud800"],
];

/** The object with some of its values, at any depth, replaced by anything. */
function spoilt(random: Random, value: unknown): unknown {
  if (random.chance(0.05)) return random.pick(junk);
  if (Array.isArray(value)) return value.map((item) => spoilt(random, item));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, member]) => [name, spoilt(random, member)]);
  if (random.chance(0.02)) entries.push(["__proto__", random.pick(junk)]);
  return Object.fromEntries(entries);
}

test(`seed ${SEED}: whatever stands in an object, it is taken or refused with reasons, and it stays as it was`, () => {
  const random = new Random(SEED);
  let refused = 0;
  for (let run = 0; run < RUNS; run++) {
    const { kind, ...fields } = randomObject(random);
    const object = { kind, ...(spoilt(random, fields) as Fields) };
    const before = JSON.stringify(object);
    const { object: stored, causes } = admitted(object);
    assert.is(JSON.stringify(object), before);
    assert.is(stored === undefined, causes.length > 0, before);
    if (stored === undefined) refused++;
  }
  assert.ok(refused > 0);
});

test("what is taken is right by the API server's schema, and is taken again as it is", () => {
  let count = 0;
  for (const { object } of admissionAnswers()) {
    const { object: stored } = admitted(object);
    if (stored === undefined) continue;
    count++;
    // The server's own answers have null where a list is empty.
    const problems = schemaProblems(stored as { apiVersion: string; kind: string });
    assert.equal(
      problems.filter((problem) => !problem.endsWith(": null is no array")),
      [],
      JSON.stringify(object),
    );
    assert.equal(admitted(stored).object, stored, JSON.stringify(object));
  }
  assert.ok(count > 900, `${count}`);
});

test.run();
