// Two rule sets for every packet: equal ones are proven equal, and whatever differs is found, with a packet that shows it.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { configured, namespaceOptions } from "../../../fixtures/conformance/run.ts";
import { type OracleCase, oracleCases } from "../../../fixtures/oracle/oracle.ts";
import { cases138, recordedCases } from "../../../fixtures/oracle137/oracle137.ts";
import { Random, seedFromEnvironment } from "../../../fixtures/random/random.ts";
import { applyJson, encode, families, join, type Mode, newEngine } from "../../../fixtures/support/engine.ts";
import { internalIPs, listOf } from "../../../fixtures/support/objects.ts";
import { changeKinds, mutate } from "../../../fixtures/witness/mutants.ts";
import type { Witness } from "../../../hosts/shared/witness.ts";
import type { Comparison } from "../../../hosts/shared/witness-answers.ts";
import { counterexample, ends, load, newWitness } from "../test-support.ts";

const test = suite("witness: comparing");
const isWhole = process.env.WITNESS === "all";

/** Rule sets of one cluster: kube-proxy's own, and what our layouts write. */
const KUBE_PROXY = 0;
const OURS = 1;
const FLAT = 2;

function loadOurs(witness: Witness, ruleset: number, { config, objects }: OracleCase, mode: Mode): void {
  const engine = configured(newEngine, namespaceOptions(config, mode, internalIPs(objects)));
  applyJson(engine, listOf(objects));
  for (const family of families) witness.load(ruleset, encode(join(engine.render(family))), family);
}

/** A witness that knows which addresses are the node's. */
function witnessOf({ objects }: OracleCase): Witness {
  const witness = newWitness();
  witness.setFacts(internalIPs(objects));
  return witness;
}

function loadListing(witness: Witness, ruleset: number, { listings }: OracleCase, mode: Mode): void {
  if (mode === "nftables") load(witness, ruleset, listings.nftables);
  else {
    load(witness, ruleset, listings.iptables, "ipv4");
    load(witness, ruleset, listings.ip6tables, "ipv6");
  }
}

function expectEqual(comparison: Comparison, name: string): void {
  const { result, complete, unsoundBoxes, kinds, differences } = comparison;
  assert.equal(unsoundBoxes, 0, name);
  if (result !== "equal" || !complete)
    assert.unreachable(`${name}: ${result} ${JSON.stringify([kinds, differences[0]])}`);
}

/** Every so many cases in `npm test`; all of them in the long run. */
const some = (cases: OracleCase[], each: number) => cases.filter((_, index) => isWhole || index % each === 0);

const recorded: [string, Mode, () => OracleCase[]][] = [
  ["1.36", "iptables", () => some(oracleCases(), 15)],
  ["1.36", "nftables", () => some(oracleCases(), 15)],
  ["1.37", "iptables", () => some(recordedCases("iptables"), 40)],
  ["1.37", "nftables", () => some(recordedCases("nftables"), 40)],
  ["1.38", "nftables", () => some(cases138(), 34)],
];
for (const [version, mode, cases] of recorded) {
  test(`kube-proxy ${version}, ${mode} mode: what it wrote and what we write do the same`, () => {
    for (const each of cases()) {
      const witness = witnessOf(each);
      loadListing(witness, KUBE_PROXY, each, mode);
      loadOurs(witness, OURS, each, mode);
      const comparison = witness.compare(KUBE_PROXY, OURS, { check: true });
      expectEqual(comparison, `${each.name} ${mode}`);
      assert.ok(comparison.classes > 20);
    }
  });
}

test("flat does what nftables mode does, but that it answers TCP with a reset", () => {
  let classes = 0;
  for (const each of [...some(oracleCases(), 15), ...some(cases138(), 34)]) {
    const witness = witnessOf(each);
    loadOurs(witness, OURS, each, "nftables");
    loadOurs(witness, FLAT, each, "flat");
    const { result, complete, unsoundBoxes, kinds, differences } = witness.compare(OURS, FLAT, { check: true });
    assert.equal([complete, unsoundBoxes], [true, 0], each.name);
    assert.ok(result === "equal" || result === "different", each.name);
    for (const { kind } of kinds) assert.is(kind, "reject-with", `${each.name} ${JSON.stringify(differences[0])}`);
    for (const { protocol, a, b } of differences) {
      assert.equal([protocol, a[0]?.with, b[0]?.with], ["tcp", "port-unreachable", "tcp-reset"], each.name);
      classes++;
    }
  }
  assert.ok(classes > 0);
});

test("iptables and flat differ in the ways that are known, and in no other", () => {
  // How A and B end; see the comparison of modes in the documentation.
  const known = new Set([
    "pass-reject",
    "pass-drop",
    "drop-pass",
    "endpoint-pass",
    "endpoint-drop",
    "reject-pass",
    "reject-drop",
    "reject-with",
    "hairpin",
  ]);
  for (const each of some(oracleCases(), 15)) {
    const witness = witnessOf(each);
    loadOurs(witness, OURS, each, "iptables");
    loadOurs(witness, FLAT, each, "flat");
    const { complete, kinds, differences } = witness.compare(OURS, FLAT);
    assert.ok(complete);
    for (const { kind } of kinds) {
      const example = differences.find((difference) => difference.kind === kind);
      assert.ok(known.has(kind), `${each.name} ${kind} ${JSON.stringify(example)}`);
    }
  }
});

test("mutants of rules are found, each with a packet that the trace confirms; the rest no packet can notice", () => {
  const random = new Random(seedFromEnvironment());
  const wanted = isWhole ? 40 : 2;
  const [found, equal] = [new Map<string, number>(), [] as string[]];
  const cases = random.shuffled(oracleCases());
  for (const kind of changeKinds) {
    for (let tries = 0; (found.get(kind) ?? 0) < wanted && tries < wanted * 60; tries++) {
      const each = random.pick(cases);
      const own = random.pick(["iptables", "ip6tables", "nftables"] as const);
      const mutant = mutate(each.listings[own], kind, random);
      if (mutant === undefined) continue;
      const witness = witnessOf(each);
      const family = own === "ip6tables" ? "ipv6" : "ipv4";
      load(witness, 0, each.listings[own], family);
      load(witness, 1, mutant.text, family);
      const { result, complete, differences } = witness.compare(0, 1);
      const what = `${each.name} ${own} ${kind}\n- ${mutant.before}\n+ ${mutant.after}`;
      if (result === "equal" && complete) {
        equal.push(what);
        continue;
      }
      const [difference] = differences;
      assert.ok(difference !== undefined, what);
      const example = counterexample(difference);
      assert.not.equal(ends(witness, 0, example), ends(witness, 1, example), `${what}\n${JSON.stringify(difference)}`);
      found.set(kind, (found.get(kind) ?? 0) + 1);
    }
    assert.ok((found.get(kind) ?? 0) >= wanted, `${kind}: ${found.get(kind) ?? 0}`);
  }
  if (isWhole) console.log(`${equal.length} mutants that no packet notices:\n${equal.join("\n")}`);
});

test("what is not understood makes a comparison inconclusive; a limit makes it give up", () => {
  const witness = newWitness();
  const text =
    "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -d 10.0.0.1/32 -m set --match-set x src -j DROP\n-A FORWARD -d 10.0.0.2/32 -j DROP\nCOMMIT\n";
  load(witness, 0, text);
  load(witness, 1, text);
  const { result, unknownClasses, differentClasses, kinds, differences } = witness.compare(0, 1);
  assert.equal([result, differentClasses], ["inconclusive", 0]);
  assert.ok(unknownClasses > 0);
  assert.equal(
    kinds.map(({ kind }) => kind),
    ["unknown"],
  );
  assert.equal(
    [...new Set(differences.map(({ destination, a }) => `${destination} ${a[0]?.ending} ${a[0]?.line}`))],
    ["10.0.0.1 unknown 3"],
  );
  const limited = witness.compare(0, 1, { limit: 3 });
  assert.equal([limited.result, limited.complete, limited.classes], ["gave-up", false, 3]);
});

test("the same by other rules is equal: order, names, sets in place of rules, ranges that are split", () => {
  const witness = newWitness();
  load(
    witness,
    0,
    `table ip x {
	chain f {
		type filter hook forward priority filter; policy accept;
		ip saddr { 10.0.0.0/9, 10.128.0.0/9 } tcp dport { 80, 443 } drop
		ip daddr 192.0.2.0/24 udp dport 53 reject
	}
}
`,
  );
  load(
    witness,
    1,
    `*filter
:FORWARD ACCEPT [0:0]
:Z - [0:0]
-A FORWARD -p udp -m udp --dport 53 -g Z
-A FORWARD -s 10.0.0.0/8 -p tcp -m multiport --dports 80,443 -j DROP
-A Z ! -d 192.0.2.0/24 -j RETURN
-A Z -j REJECT --reject-with icmp-port-unreachable
COMMIT
`,
  );
  expectEqual(witness.compare(0, 1, { check: true }), "ours");
  load(
    witness,
    2,
    "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -s 10.0.0.0/8 -p tcp -m multiport --dports 80,442 -j DROP\nCOMMIT\n",
  );
  const { kinds, differences } = witness.compare(1, 2, { flows: false });
  assert.equal(kinds.map(({ kind }) => kind).sort(), ["drop-pass", "pass-drop", "reject-pass"]);
  assert.equal([...new Set(differences.map(({ kind, protocol, port }) => `${kind} ${protocol} ${port}`))].sort(), [
    "drop-pass tcp 443,443",
    "pass-drop tcp 442,442",
    "reject-pass udp 53,53",
  ]);
  assert.ok(differences.every(({ kind, source }) => kind === "reject-pass" || source === "10.0.0.0-10.255.255.255"));
});

test.run();
