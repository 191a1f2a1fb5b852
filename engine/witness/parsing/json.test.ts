// nft's JSON: the kernel's rules listed in both ways are the same rules.
import { readdirSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { configured, namespaceOptions } from "../../../fixtures/conformance/run.ts";
import { lacking, runInNamespace } from "../../../fixtures/kernel/namespace.ts";
import { oracleCases } from "../../../fixtures/oracle/oracle.ts";
import { Random, seedFromEnvironment } from "../../../fixtures/random/random.ts";
import { applyJson, families, join, newEngine } from "../../../fixtures/support/engine.ts";
import { testNeeding } from "../../../fixtures/support/needing.ts";
import { internalIPs, listOf } from "../../../fixtures/support/objects.ts";
import { complaints, load, newWitness, packet, read } from "../test-support.ts";
import { printed } from "../testing/printer-support.ts";

const test = suite("witness: nft's JSON");
const witnessFixtures = new URL("../../../fixtures/witness/", import.meta.url);

/** Scripts of nft by name: foreign ones, one of each statement, and what our layouts write. */
function scripts(): [string, string][] {
  const files = [
    ...readdirSync(new URL("foreign/", witnessFixtures))
      .filter((name) => name.includes(".nft"))
      .map((name) => `foreign/${name}`),
    "statements.nft",
  ];
  const all: [string, string][] = files.map((name) => [name, readFileSync(new URL(name, witnessFixtures), "utf8")]);
  for (const { name, config, objects } of oracleCases().filter((_, index) => index % 12 === 3)) {
    for (const mode of ["flat", "nftables"] as const) {
      const engine = configured(newEngine, namespaceOptions(config, mode, internalIPs(objects)));
      applyJson(engine, listOf(objects));
      all.push([`${name} ${mode}`, families.map((family) => join(engine.render(family))).join("\n")]);
    }
  }
  return all;
}

testNeeding(test, "each listing and its JSON hold the same rules", lacking(), async () => {
  for (const [name, script] of scripts()) {
    const [made, text, json] = await runInNamespace(
      [],
      [{ command: "nft -f -", input: script }, { command: "nft list ruleset" }, { command: "nft -j list ruleset" }],
    );
    assert.is(made?.stderr, "", name);
    assert.ok(text !== undefined && json !== undefined);
    const ofText = printed({ nft: text.stdout });
    const ofJson = printed({ nft: json.stdout });
    assert.ok((ofText.texts.nft ?? "").length > 200, name);
    assert.equal(sorted(ofJson.texts.nft), sorted(ofText.texts.nft), name);
    assert.is(ofJson.unknown, ofText.unknown, name);
    const witness = newWitness();
    const results = [load(witness, 0, text.stdout), load(witness, 1, json.stdout)];
    assert.equal(results[1]?.format, "nft", name);
    for (const field of ["tables", "chains", "rules", "sets", "elements"] as const) {
      assert.is(results[1]?.[field], results[0]?.[field], `${name} ${field}`);
    }
    const { result, complete, unknownClasses } = witness.compare(0, 1);
    assert.equal([result, complete], [unknownClasses === 0 ? "equal" : "inconclusive", true], name);
  }
});

/** Chains and sets come in another order; rules do not. */
function sorted(text = ""): string[] {
  const lines = text.split("\n");
  const isRule = (line: string) => line.startsWith("add rule");
  const byChain = (line: string) => line.split(" ").slice(0, 5).join(" ");
  const chains = [...new Set(lines.filter(isRule).map(byChain))].sort();
  return [
    ...lines.filter((line) => !isRule(line)).sort(),
    ...chains.flatMap((chain) => lines.filter((line) => isRule(line) && byChain(line) === chain)),
  ];
}
/** A ruleset of these objects. */
const ruleset = (...objects: unknown[]) =>
  JSON.stringify({ nftables: [{ metainfo: { version: "1.1.1", json_schema_version: 1 } }, ...objects] });
const place = { family: "ip", table: "x" };
const table = { table: { family: "ip", name: "x" } };
const chain = { chain: { ...place, name: "c", type: "filter", hook: "forward", prio: 0, policy: "accept" } };
const rule = (...expr: unknown[]) => ({ rule: { ...place, chain: "c", expr } });
const match = (left: unknown, right: unknown, op = "==") => ({ match: { op, left, right } });

test("the line of what is not understood is the object's place in the list", () => {
  const result = read(
    ruleset(table, chain, rule({ drop: null }), rule({ limit: { rate: 3, per: "minute" } }, { accept: null })),
  );
  assert.equal(complaints(result), ['5 unknown: statement "limit" is not understood']);
  assert.equal([result.tables, result.chains, result.rules], [1, 1, 2]);
});

test("forms of newer nft: types as expressions, chains of operators, names with other characters", () => {
  const address = { payload: { protocol: "ip", field: "daddr" } };
  const mark = { meta: { key: "mark" } };
  const text = ruleset(
    table,
    { set: { ...place, name: "s", type: { typeof: { concat: [address, { meta: { key: "l4proto" } }] } }, elem: [] } },
    {
      map: {
        ...place,
        name: "m",
        type: { typeof: address },
        map: { typeof: address },
        elem: [["10.0.0.1", "10.0.0.2"]],
      },
    },
    {
      map: {
        ...place,
        name: "v",
        type: ["ipv4_addr"],
        map: "verdict",
        elem: [["10.0.0.1", { jump: { target: "c" } }]],
      },
    },
    chain,
    rule({ mangle: { key: mark, value: { "|": [{ "&": [mark, 255] }, 256, 512] } } }),
    rule(match({ meta: { key: "iifname" } }, "odd name"), { xt: { type: "target", name: "LOG" } }),
    rule(match({ meta: { key: "iifname" } }, 'a"b{'), { drop: null }),
    rule(match(address, "@s", "!="), { reject: { type: "icmpx", expr: "no-route" } }),
  );
  const { texts } = printed({ nft: text });
  assert.equal(texts.nft?.split("\n"), [
    "add table ip x ",
    "add set ip x s { type ipv4_addr . inet_proto ; }",
    "add map ip x m { type ipv4_addr : ipv4_addr ; }",
    "add map ip x v { type ipv4_addr : verdict ; }",
    "add chain ip x c { type filter hook forward priority 0 ; }",
    "add element ip x m { 10.0.0.1 : 10.0.0.2 }",
    "add element ip x v { 10.0.0.1 : jump c }",
    "add rule ip x c meta mark set meta mark & 0x000000ff ^ 0x00000300",
    'add rule ip x c iifname "odd name" ?',
    'add rule ip x c iifname "?" ?',
    "add rule ip x c ip daddr != @s reject with icmpx type no-route",
    "",
  ]);
});

test("commands in JSON", () => {
  const text = JSON.stringify({
    nftables: [
      { add: table },
      { add: chain },
      { add: { set: { ...place, name: "s", type: "ipv4_addr" } } },
      { add: { element: { ...place, name: "s", elem: ["10.0.0.1", "10.0.0.2"] } } },
      { delete: { element: { ...place, name: "s", elem: ["10.0.0.1"] } } },
      { add: rule({ accept: null }) },
      { insert: rule({ drop: null }) },
    ],
  });
  const { texts, unknown } = printed({ nft: text });
  assert.is(unknown, 0);
  assert.equal(texts.nft?.split("\n").slice(3), [
    "add element ip x s { 10.0.0.2 }",
    "add rule ip x c drop",
    "add rule ip x c accept",
    "",
  ]);
});

test("cut off anywhere, JSON is an error, and nothing of it is read", () => {
  const text = ruleset(table, chain, rule(match({ meta: { key: "mark" } }, 5), { drop: null }));
  const witness = newWitness();
  for (let length = 1; length < text.length; length++) {
    const result = load(witness, 0, text.slice(0, length));
    assert.equal([result.problems.length, result.problems[0]?.code, result.tables], [1, "syntax", 0], `${length}`);
  }
  assert.equal(complaints(read(`${text} x`)), [
    `0 syntax: the JSON is cut off or broken behind byte ${text.length + 1}`,
  ]);
  assert.equal(complaints(read('{"a":[]}')), ['0 format: the JSON has no list "nftables"']);
  assert.equal(complaints(read(`{"nftables":${"[".repeat(5000)}`)).length, 1);
});

test("JSON of any other shape never makes it trap", () => {
  const random = new Random(seedFromEnvironment(20261130));
  const words = ["rule", "expr", "match", "left", "set", "elem", "map", "dnat", "addr", "concat", "x", "@s", "prefix"];
  const value = (depth: number): unknown => {
    const kind = random.below(depth > 5 ? 4 : 7);
    if (kind === 0) return null;
    if (kind === 1) return random.below(70_000) - 10;
    if (kind < 4) return random.pick(words);
    const items = Array.from({ length: random.below(4) }, () => value(depth + 1));
    return kind === 4 ? items : Object.fromEntries(items.map((item) => [random.pick(words), item]));
  };
  for (let round = 0; round < 400; round++) {
    const witness = newWitness();
    const text = ruleset(
      table,
      chain,
      value(1),
      { set: value(2) },
      { map: value(2) },
      rule(value(3), { vmap: value(3) }),
    );
    load(witness, 0, text);
    witness.trace(0, packet("10.0.0.1", 80));
  }
});

test.run();
