import { test } from "uvu";
import * as assert from "uvu/assert";
import { lookup, payload } from "../probe/expressions.ts";
import { ByteBuffer } from "../ruleset/byte-buffer.ts";
import { DuplicateFinder } from "../ruleset/duplicate-finder.ts";
import { attributeAt, missingAttribute } from "./attribute-path.ts";
import { AttributeWriter, readAttributes, readHostU32, readString, readU32 } from "./attributes.ts";
import { BatchWriter } from "./batch-writer.ts";
import { MalformedMessageError, readMessages } from "./messages.ts";
import * as uapi from "./uapi.ts";

/** The second message of a batch. */
function message(write: (batch: BatchWriter) => void): Uint8Array {
  const batch = new BatchWriter(uapi.NFPROTO_IPV4, "t");
  write(batch);
  return [...readMessages(batch.end())][1]?.bytes ?? new Uint8Array();
}

/** Offsets of all attributes that a path can be made for. */
function paths(bytes: Uint8Array, type: number): string[] {
  const found: string[] = [];
  for (let offset = 20; offset < bytes.length; offset += 4) {
    const at = attributeAt(bytes, type, offset);
    if (at !== undefined) found.push(at.path);
  }
  return found;
}

test("elements, with their keys and verdicts", () => {
  const bytes = message((batch) =>
    batch.addElements("s", [
      { key: new Uint8Array(4), data: { goto: "c" } },
      { key: new Uint8Array(4), flags: 1 },
    ]),
  );
  assert.equal(paths(bytes, uapi.NFT_MSG_NEWSETELEM), [
    "NFTA_SET_ELEM_LIST_TABLE",
    "NFTA_SET_ELEM_LIST_SET",
    "NFTA_SET_ELEM_LIST_ELEMENTS",
    "NFTA_SET_ELEM_LIST_ELEMENTS[0]",
    "NFTA_SET_ELEM_LIST_ELEMENTS[0].KEY",
    "NFTA_SET_ELEM_LIST_ELEMENTS[0].KEY.VALUE",
    "NFTA_SET_ELEM_LIST_ELEMENTS[0].DATA",
    "NFTA_SET_ELEM_LIST_ELEMENTS[0].DATA.VERDICT",
    "NFTA_SET_ELEM_LIST_ELEMENTS[0].DATA.VERDICT.CODE",
    "NFTA_SET_ELEM_LIST_ELEMENTS[0].DATA.VERDICT.CHAIN",
    "NFTA_SET_ELEM_LIST_ELEMENTS[1]",
    "NFTA_SET_ELEM_LIST_ELEMENTS[1].KEY",
    "NFTA_SET_ELEM_LIST_ELEMENTS[1].KEY.VALUE",
    "NFTA_SET_ELEM_LIST_ELEMENTS[1].FLAGS",
  ]);
});

test("rules, with the names of their expressions", () => {
  const bytes = message((batch) => batch.addRule("c", [payload(0, 1, 16, 4), lookup("s", 0)]));
  assert.equal(paths(bytes, uapi.NFT_MSG_NEWRULE).slice(0, 14), [
    "NFTA_RULE_TABLE",
    "NFTA_RULE_CHAIN",
    "NFTA_RULE_EXPRESSIONS",
    "NFTA_RULE_EXPRESSIONS[0](payload)",
    "NFTA_RULE_EXPRESSIONS[0](payload).NAME",
    "NFTA_RULE_EXPRESSIONS[0](payload).DATA",
    "NFTA_RULE_EXPRESSIONS[0](payload).DATA.DREG",
    "NFTA_RULE_EXPRESSIONS[0](payload).DATA.BASE",
    "NFTA_RULE_EXPRESSIONS[0](payload).DATA.OFFSET",
    "NFTA_RULE_EXPRESSIONS[0](payload).DATA.LEN",
    "NFTA_RULE_EXPRESSIONS[1](lookup)",
    "NFTA_RULE_EXPRESSIONS[1](lookup).NAME",
    "NFTA_RULE_EXPRESSIONS[1](lookup).DATA",
    "NFTA_RULE_EXPRESSIONS[1](lookup).DATA.SET",
  ]);
});

test("sets and base chains, and what has no name here", () => {
  const set = message((batch) => batch.addSet("s", { key: [4, 2], flags: uapi.NFT_SET_CONCAT, size: 9 }));
  const inSet = paths(set, uapi.NFT_MSG_NEWSET);
  assert.ok(inSet.includes("NFTA_SET_DESC.SIZE"));
  assert.ok(inSet.includes("NFTA_SET_DESC.CONCAT[1].LEN"));
  const chain = message((batch) => batch.addChain("c", { type: "nat", hook: 0, priority: 0 }));
  assert.ok(paths(chain, uapi.NFT_MSG_NEWCHAIN).includes("NFTA_CHAIN_HOOK.PRIORITY"));
  const strange = message((batch) => batch.message(uapi.NFT_MSG_NEWTABLE, 0, (w) => w.u32(77, 1)));
  assert.equal(attributeAt(strange, uapi.NFT_MSG_NEWTABLE, 20), { path: "attribute 77", type: 77 });
  assert.is(attributeAt(strange, uapi.NFT_MSG_NEWTABLE, 21), undefined);
  assert.is(attributeAt(strange, 0x7777, 20)?.path, "attribute 77");
});

test("missing attributes, in the message and in a nest", () => {
  const bytes = message((batch) => batch.addElements("s", [{ key: new Uint8Array(4) }]));
  const type = uapi.NFT_MSG_NEWSETELEM;
  assert.is(missingAttribute(bytes, type, uapi.NFTA_SET_ELEM_LIST.SET), "NFTA_SET_ELEM_LIST_SET");
  const nest = [...readAttributes(bytes, 20)][2]?.offset ?? 0;
  assert.is(missingAttribute(bytes, type, uapi.NFTA_SET_ELEM.DATA, nest + 4), "NFTA_SET_ELEM_LIST_ELEMENTS[0].DATA");
  assert.is(missingAttribute(bytes, type, 1, nest), "NFTA_SET_ELEM_LIST_ELEMENTS[]");
  assert.is(missingAttribute(bytes, type, 9, 21), "attribute 9");
});

test("what is written can be read", () => {
  const writer = new AttributeWriter(4);
  writer.string(1, "sluice");
  writer.u32(2, 0xfedcba98);
  writer.u64(3, 1n << 40n);
  writer.nest(4, () => writer.u8(5, 7));
  const [text, number, long, nest] = [...readAttributes(writer.bytes())];
  assert.is(readString(text?.payload), "sluice");
  assert.is(readU32(number?.payload), 0xfedcba98);
  assert.is(readHostU32(number?.payload), 0x98badcfe);
  assert.equal([...(long?.payload ?? [])], [0, 0, 1, 0, 0, 0, 0, 0]);
  assert.equal(
    [...readAttributes(nest?.payload ?? new Uint8Array())].map(({ type, payload }) => [type, ...payload]),
    [[5, 7]],
  );
});

test("messages and attributes that do not fit are not followed", () => {
  const batch = new BatchWriter(uapi.NFPROTO_IPV4, "t");
  const bytes = batch.end();
  for (const cut of [1, 15, 19, 30]) {
    assert.throws(
      () => [...readMessages(bytes.subarray(0, cut))],
      (error: unknown) => error instanceof MalformedMessageError,
    );
  }
  assert.is([...readAttributes(new Uint8Array([3, 0, 1, 0]))].length, 0);
  assert.is([...readAttributes(new Uint8Array([9, 0, 1, 0, 0]))].length, 0);
});

test("the duplicate finder finds keys that come twice, and only those", () => {
  const finder = new DuplicateFinder();
  const bytes = new DataView(new ArrayBuffer(16));
  const add = (n: number): boolean => {
    bytes.setUint32(2, n);
    bytes.setUint32(6, n * 7);
    return finder.add(bytes, 2, n % 2 === 0 ? 14 : 12);
  };
  for (let n = 0; n < 200_000; n++) assert.not(add(n));
  for (let n = 0; n < 200_000; n += 777) assert.ok(add(n));
  assert.is(finder.count, 200_000);
});

test("keys that were made to have one hash are not taken for one key", () => {
  // A hash of two halves that take in word after word without a secret: of some 2^16 keys two need but a last word.
  const halves = (words: number[]) =>
    words.reduce(
      ([low, high], word) => {
        const [one, two] = [Math.imul(low ^ word, 0x85ebca6b), Math.imul(high ^ word, 0xc2b2ae35)];
        return [one ^ (one >>> 13), two ^ (two >>> 15)] as [number, number];
      },
      [0x811c9dc5 | 0, 0x9e3779b9 | 0] as [number, number],
    );
  const finder = new DuplicateFinder();
  const add = (words: number[]) => {
    const bytes = new DataView(new ArrayBuffer(4 * words.length));
    for (const [index, word] of words.entries()) bytes.setUint32(4 * index, word, true);
    return finder.add(bytes, 0, bytes.byteLength);
  };
  const known = new Map<number, number>();
  let found = 0;
  for (let n = 1; found < 3; n++) {
    const words = [n, n * 0x9e3779b1];
    const [low, high] = halves(words);
    const before = known.get(low ^ high);
    known.set(low ^ high, n);
    if (before === undefined) continue;
    const others = [before, before * 0x9e3779b1];
    const [one, two] = [
      [...others, 0],
      [...words, low ^ (halves(others)[0] as number)],
    ];
    assert.equal(halves(one), halves(two));
    assert.not(add(one) || add(two));
    found++;
  }
  assert.is(finder.count, 6);
});

test("pieces are listed in order, whatever their sizes, without what was taken back", () => {
  const pieces = new ByteBuffer();
  const lengths = [10, 700_000, 600_000, 3_000_000, 0, 5];
  const empty = pieces.mark();
  pieces.add(new Uint8Array(2_000_000).fill(99));
  pieces.rewind(empty);
  for (const [index, length] of lengths.entries()) {
    pieces.add(new Uint8Array(length).fill(index));
    const mark = pieces.mark();
    for (const taken of [3, 1_500_000]) pieces.add(new Uint8Array(taken).fill(99));
    pieces.rewind(mark);
  }
  const joined = Buffer.concat(pieces.list());
  assert.is(joined.length, pieces.length);
  let offset = 0;
  for (const [index, length] of lengths.entries()) {
    assert.ok(joined.subarray(offset, offset + length).every((byte) => byte === index));
    offset += length;
  }
  assert.is(offset, joined.length);
});

test.run();
