// However a page is written and cut, the same objects come out, and little of it is held.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Random, seedFromEnvironment } from "../../../../fixtures/random/random.ts";
import { UnreadableError } from "./decoding-errors.ts";
import { ListSplitter } from "./list-splitter.ts";
import { OBJECT_LIMIT } from "./oversized-objects.ts";

const FORM = { kind: "ServiceList", apiVersion: "v1" };
const MIB = 1024 * 1024;

interface Split {
  readonly items: unknown[];
  readonly frame: unknown;
  readonly leftOut: string[];
  readonly most: number;
}

function split(page: string | Uint8Array, cut: (left: number) => number): Split {
  const leftOut: string[] = [];
  const splitter = new ListSplitter(FORM, (beginning) => leftOut.push(Buffer.from(beginning).toString("latin1")));
  const items: unknown[] = [];
  let most = 0;
  const take = (piece: Uint8Array | undefined) => {
    if (piece === undefined) return;
    const list = JSON.parse(Buffer.from(piece).toString("utf8"));
    assert.equal({ ...list, items: [] }, { ...FORM, items: [], metadata: { resourceVersion: "1" } });
    items.push(...list.items);
  };
  const bytes = Buffer.from(page);
  for (let at = 0; at < bytes.length; ) {
    const end = at + Math.max(1, cut(bytes.length - at));
    splitter.push(bytes.subarray(at, end));
    most = Math.max(most, splitter.buffered);
    take(splitter.take());
    at = end;
  }
  const { last, frame } = splitter.end();
  take(last);
  return { items, frame: JSON.parse(Buffer.from(frame).toString("utf8")), leftOut, most };
}

const odd = [
  {},
  { a: ']}{[,\\"' },
  { "é木😀": ["\u2028", "\\", '\\"'], n: [[], [[{}]], {}], x: null },
  { items: [1, 2], metadata: { items: [{}] } },
];
const frame = { kind: "ServiceList", apiVersion: "v1", metadata: { resourceVersion: "5", continue: 'a,"[{\\' } };
const pages: [string, string][] = [
  ["as an API server writes it", JSON.stringify({ ...frame, items: odd })],
  ["with its objects first", JSON.stringify({ items: odd, ...frame })],
  [
    "with its objects in the middle",
    JSON.stringify({ metadata: frame.metadata, items: odd, kind: FORM.kind, apiVersion: "v1" }),
  ],
  ["indented", JSON.stringify({ ...frame, items: odd }, null, "\t \n\r")],
  ["with a key in escapes", JSON.stringify({ ...frame, items: odd }).replace('"items":', '"\\u0069tem\\u0073" : ')],
  [
    "with characters in escapes",
    JSON.stringify({ ...frame, items: odd }).replace(
      /[^ -~]/g,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
    ),
  ],
];

for (const [how, page] of pages) {
  test(`a list ${how}, cut anywhere`, () => {
    for (let first = 1; first < page.length; first++) {
      let cuts = 0;
      const { items, frame: around, leftOut } = split(page, (left) => (cuts++ === 0 ? first : left));
      assert.equal([items, leftOut], [odd, []]);
      assert.equal(around, { ...frame, items: [] });
    }
    assert.equal(split(page, () => 1).items, odd);
  });
}

test("random lists, written and cut at random", () => {
  const seed = seedFromEnvironment();
  const random = new Random(seed);
  const value = (depth: number): unknown => {
    const kind = random.below(depth > 3 ? 3 : 5);
    if (kind === 0) return random.below(1e6);
    if (kind === 1)
      return random.some(0, 8, () => random.pick(['"', "\\", "]", "}", "{", "[", ",", "é", "\n", "items"])).join("");
    if (kind === 2) return random.pick([null, true, {}, []]);
    const parts = random.some(0, 4, () => value(depth + 1));
    return kind === 3
      ? parts
      : Object.fromEntries(parts.map((part, index) => [random.pick(["items", 'a"', `${index}`]), part]));
  };
  for (let round = 0; round < 400; round++) {
    const items = random.some(0, 8, () => ({ v: value(0) }));
    const whole = random.below(2) === 0 ? { ...frame, items } : { items, ...frame };
    const page = JSON.stringify(whole, null, random.below(3));
    const result = split(page, () => 1 + random.below(40));
    assert.equal([result.items, result.frame], [items, { ...frame, items: [] }], `SEED=${seed} ${page}`);
  }
});

test("no objects, and what is no list, pass as they are", () => {
  for (const page of [
    '{"kind":"Status","code":500}',
    '{"kind":"ServiceList","items":null}',
    '[{"items":[1]}]',
    '{"a":{"items":[1]}}',
    "[]",
  ]) {
    const { items, frame: around } = split(page, () => 3);
    assert.equal([items, around], [[], JSON.parse(page)]);
  }
});

for (const [what, page] of [
  ["is cut off", '{"kind":"ServiceList","items":[{"a":1}'],
  ["is cut off behind its objects", '{"kind":"ServiceList","items":[{"a":1}]'],
  ["has a comma too many", '{"kind":"ServiceList","items":[{"a":1},]}'],
  ["has two commas", '{"kind":"ServiceList","items":[{"a":1},,{"a":2}]}'],
  ["begins with a comma", '{"kind":"ServiceList","items":[,{"a":1}]}'],
  ["has items twice", '{"kind":"ServiceList","items":[],"items":[{}]}'],
  ["is of another kind", '{"kind":"NodeList","items":[{}]}'],
  ["is of another kind, as it says at its end", '{"items":[{}],"kind":"NodeList"}'],
  ["is of another version", '{"kind":"ServiceList","apiVersion":"v2","items":[{}]}'],
  ["has too much beside its objects", `{"kind":"ServiceList","x":"${"x".repeat(MIB)}","items":[{}]}`],
] as const) {
  test(`a list that ${what} can't be read`, () => {
    assert.throws(
      () => split(page, () => 7000),
      (error: unknown) => error instanceof UnreadableError,
    );
  });
}

test("of a long list no more is held than an object and a mebibyte, and blanks need no room", () => {
  const item = { metadata: { name: "x".repeat(1000) } };
  const long = { metadata: { name: "long" }, data: "\\".repeat(1.4 * MIB) };
  const items = [...Array(4000).fill(item), long, ...Array(4000).fill(item)];
  const page = JSON.stringify({ ...frame, items }).replace(
    '"items":[',
    `${" \n".repeat(4 * MIB)}"items":[${" ".repeat(8 * MIB)}`,
  );
  const result = split(page, () => 16_384);
  assert.is(result.items.length, 8001);
  assert.equal(result.items[4000], long);
  assert.ok(result.most <= JSON.stringify(long).length + MIB, `${result.most} bytes`);
});

test("an object of more than 3 MiB is left out, wherever it stands; one of 3 MiB is not", () => {
  const sized = (name: string, size: number) => {
    const empty = JSON.stringify({ metadata: { name }, data: "" }).length;
    return { metadata: { name }, data: "x".repeat(size - empty) };
  };
  const small = [{ a: 1 }, { a: 2 }];
  const whole = sized("whole", OBJECT_LIMIT);
  for (const size of [OBJECT_LIMIT + 1, 5 * MIB]) {
    const huge = sized("huge", size);
    for (const items of [[huge], [huge, ...small], [small[0], huge, whole, small[1]], [...small, huge], [huge, huge]]) {
      for (const chunk of [65_536, 100 * MIB]) {
        const result = split(JSON.stringify({ ...frame, items }), () => chunk);
        assert.ok(JSON.stringify(result.items) === JSON.stringify(items.filter((each) => each !== huge)));
        assert.is(result.leftOut.length, items.filter((each) => each === huge).length);
        assert.match(result.leftOut[0]?.slice(0, 40) ?? "", /^\{"metadata":\{"name":"huge"\}/);
        assert.ok(result.most <= OBJECT_LIMIT + MIB);
      }
    }
  }
});

test.run();
