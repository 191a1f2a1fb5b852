// Print and parse are mirror images: what the parser has read of anybody's rules, printed, is read as the same again.
import { readdirSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { configured, namespaceOptions } from "../../../fixtures/conformance/run.ts";
import { type OracleCase, oracleCases } from "../../../fixtures/oracle/oracle.ts";
import { cases138, recordedCases } from "../../../fixtures/oracle137/oracle137.ts";
import { allModes, applyJson, families, join, newEngine } from "../../../fixtures/support/engine.ts";
import { internalIPs, listOf } from "../../../fixtures/support/objects.ts";
import { load, newWitness } from "../test-support.ts";
import { type Printed, printed } from "./printer-support.ts";

const test = suite("witness: printing");
const foreign = new URL("../../../fixtures/witness/foreign/", import.meta.url);

/** @returns how many rules were printed */
function roundTrip(name: string, texts: Printed["texts"], expected = 0): number {
  const once = printed(texts);
  assert.is(once.unknown, expected, name);
  assert.equal(Object.keys(once.texts), Object.keys(texts), name);
  const twice = printed(once.texts);
  for (const part of Object.keys(texts) as (keyof Printed["texts"])[]) {
    assert.is(twice.texts[part], once.texts[part], `${name} ${part}`);
  }
  return Object.values(once.texts)
    .map((text) => text.match(/^(?:-A|add rule|add element) /gm)?.length ?? 0)
    .reduce((sum, rules) => sum + rules, 0);
}

const recorded: [string, OracleCase[]][] = [
  ["1.36", oracleCases()],
  ["1.37 iptables", recordedCases("iptables")],
  ["1.37 nftables", recordedCases("nftables")],
  ["1.38 nftables", cases138()],
];
for (const [version, cases] of recorded) {
  test(`all of kube-proxy ${version}`, () => {
    let rules = 0;
    for (const { name, listings } of cases) {
      const { iptables, ip6tables, nftables } = listings;
      const texts = { iptables, ip6tables, nft: nftables };
      const given = Object.entries(texts).filter(([, text]) => text !== "" && text !== undefined);
      rules += roundTrip(`${version} ${name}`, Object.fromEntries(given));
    }
    assert.ok(rules > cases.length * 10, `${rules} rules of ${cases.length} cases`);
  });
}

test("what the layouts write, of every case", () => {
  const names = { ipv4: "iptables", ipv6: "ip6tables" } as const;
  for (const { name, config, objects } of oracleCases()) {
    for (const mode of allModes) {
      const engine = configured(newEngine, namespaceOptions(config, mode, internalIPs(objects)));
      applyJson(engine, listOf(objects));
      for (const family of families) {
        const text = join(engine.render(family));
        const part = mode === "iptables" ? names[family] : "nft";
        assert.ok(roundTrip(`${name} ${mode} ${family}`, { [part]: text }) > 5);
      }
    }
  }
});

test("what was printed does the same with every packet", () => {
  for (const { name, objects, listings } of oracleCases().filter((_, index) => index % 20 === 1)) {
    const { iptables, ip6tables, nftables } = listings;
    for (const texts of [{ iptables, ip6tables }, { nft: nftables }]) {
      const witness = newWitness();
      witness.setFacts(internalIPs(objects));
      const sides = [texts, printed(texts).texts];
      const rules = sides.map((side, ruleset) =>
        Object.entries(side).map(
          ([part, text]) => load(witness, ruleset, text, part === "ip6tables" ? "ipv6" : "ipv4").rules,
        ),
      );
      assert.equal(rules[1], rules[0], name);
      assert.is(witness.compare(0, 1).result, "equal", name);
    }
  }
});

test("foreign rules, with what is not understood of them", () => {
  for (const file of readdirSync(foreign)) {
    const text = readFileSync(new URL(file, foreign), "utf8");
    const part = file.includes(".nft") ? "nft" : file.includes("ip6tables") ? "ip6tables" : "iptables";
    roundTrip(file, { [part]: text }, printed({ [part]: text }).unknown);
  }
});

test.run();
