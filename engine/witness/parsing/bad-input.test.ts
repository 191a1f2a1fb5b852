// Whatever a text is, the witness says what is wrong with it, and goes on: cut off behind every byte, changed anywhere, jumps without
// end, and other forms of the same rules.
import { readdirSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Random, seedFromEnvironment } from "../../../fixtures/random/random.ts";
import { complaints, ends, load, newWitness, packet, read } from "../test-support.ts";
import { printed } from "../testing/printer-support.ts";

const test = suite("witness: bad input");
const runs = Number(process.env.RUNS ?? 1);
const foreign = new URL("../../../fixtures/witness/foreign/", import.meta.url);
const dumps = readdirSync(foreign).map((name) => [name, readFileSync(new URL(name, foreign), "utf8")] as const);
const bytes = new TextEncoder();

test("cut off behind every byte, a dump is read up to there", () => {
  for (const name of ["calico.iptables.txt", "docker.iptables.txt", "firewalld.nft.txt"]) {
    const text = bytes.encode(dumps.find(([each]) => each === name)?.[1] ?? "");
    assert.ok(text.length > 500, name);
    let witness = newWitness();
    let rules = 0;
    for (let length = 0; length <= text.length; length++) {
      if (length % 200 === 0) witness = newWitness();
      const result = witness.load(length % 8, text.subarray(0, length), "ipv4");
      if (length % 200 < 8) {
        // The last rule may be half of one that does nothing.
        assert.ok(result.rules + 1 >= rules || result.format === "none", `${name} ${length}`);
        if (result.format !== "none") rules = result.rules;
      }
      if (length % 40 === 0) witness.trace(length % 8, packet("10.96.0.10", 80));
    }
    assert.ok(rules > 5, `${name}: ${rules} rules`);
  }
});

test("changed anywhere, a foreign dump never makes it trap, and neither do packets in what is left of it", () => {
  const random = new Random(seedFromEnvironment(20261130));
  const pieces = [
    ...'{}"\n :,;!@/0-#\u0001\u00ff'.split(""),
    ...[
      "-m",
      "! ",
      "jump ",
      " vmap { ",
      "--tcp-flags ",
      "--icmp-type ",
      " ct mark set ",
      "numgen random mod 0 ",
      "elements = {",
    ],
    ...[
      " -j CONNMARK ",
      "4294967295",
      "0x",
      "ip6 daddr ",
      "*nat\n",
      "table inet ",
      " update @",
      "set ",
      "\\\n",
      "99999999999",
    ],
  ];
  for (let round = 0; round < 40 * runs; round++) {
    const witness = newWitness();
    for (const [, text] of dumps) {
      let changed = text;
      for (let i = random.below(12); i >= 0; i--) {
        const at = random.below(changed.length + 1);
        changed = changed.slice(0, at) + random.pick(pieces) + changed.slice(at + random.below(9));
      }
      witness.load(round % 8, bytes.encode(changed), random.below(2) === 0 ? "ipv4" : "ipv6");
    }
    for (const to of ["10.96.0.10", "192.168.0.1", "fd00::1"]) witness.trace(round % 8, packet(to, 80));
    witness.compare(round % 8, (round + 1) % 8, { limit: 100 });
  }
});

test("JSON with its words, numbers and values exchanged at random never makes it trap", () => {
  const random = new Random(seedFromEnvironment(20261130));
  const text = readFileSync(new URL("../statements.json", foreign), "utf8");
  assert.equal(read(text).problems.filter(({ severity }) => severity === "error").length, 0);
  const tokens = text.match(/"[^"]*"|-?\d+|null|[[\]{},:]|\s+/g) ?? [];
  assert.is(tokens.join(""), text);
  const values = tokens.filter((token) => /^["\d-]|^null/.test(token));
  for (let round = 0; round < 60 * runs; round++) {
    const changed = tokens.map((token) =>
      /^["\d-]|^null/.test(token) && random.below(60) === 0 ? random.pick(values) : token,
    );
    // Keys are strings.
    const valid = changed.map((token, i) => (tokens[i + 1] === ":" && !token.startsWith('"') ? '"x"' : token)).join("");
    const witness = newWitness();
    assert.not.match(complaints(load(witness, 0, valid)).join("\n"), /the JSON is cut off/);
    for (const to of ["10.96.0.1", "fd00::1"]) witness.trace(0, packet(to, 80));
    witness.compare(0, 1, { limit: 100 });
  }
});

test("binary, half a line, words of nobody", () => {
  assert.equal(
    [read("\u0000ELF"), read("\u00ff\u00fe"), read("hello"), read("{}")].map(({ problems }) => problems[0]?.code),
    ["format", "format", "format", "format"],
  );
  assert.equal(complaints(read("*filter\n:INPUT ACC")), [
    '2 syntax: a chain has the policy ACCEPT, DROP or -, not "ACC"',
  ]);
  assert.equal(complaints(read("table ip x {\n\tchain c {\n\t\tip daddr 1.2.3.")), [
    '3 unknown: statement "1.2.3." is not understood',
    "2 syntax: the chain does not end",
    "1 syntax: the table does not end",
  ]);
});

test("iptables-restore text is the same with and without counters, with long options, and by insertion", () => {
  const saved = `*filter
:INPUT DROP [12:345]
:X - [0:0]
[1:2] -A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 80 -j X
[3:4] -A INPUT -i eth0 -j ACCEPT
-A X -j DROP
COMMIT
`;
  const restored = `*filter
:INPUT DROP
-N X
-A INPUT --in-interface eth0 --jump ACCEPT
-I INPUT --protocol tcp --source 10.0.0.0/255.0.0.0 --destination-port 80 -j X
--append X -c 5 6 -j DROP
COMMIT
`;
  assert.equal([complaints(read(saved)), complaints(read(restored))], [[], []]);
  assert.is(printed({ iptables: restored }).texts.iptables, printed({ iptables: saved }).texts.iptables);
});

test("five hundred thousand lines, and chains in a circle behind them", () => {
  const lines = Array.from({ length: 250_000 }, (_, i) => {
    const to = `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;
    return `:KUBE-SEP-${i} - [0:0]\n-A KUBE-SEP-${i} -p tcp -j DNAT --to-destination ${to}:80`;
  });
  const circle =
    ":A - [0:0]\n:B - [0:0]\n:PREROUTING ACCEPT [0:0]\n-A A -j B\n-A B -g A\n-A PREROUTING -d 10.96.0.1/32 -j A\n";
  const witness = newWitness();
  const result = load(witness, 0, `*nat\n${lines.join("\n")}\n${circle}COMMIT\n`);
  assert.equal([result.rules, complaints(result)], [250_003, []]);
  assert.equal(ends(witness, 0, packet("10.96.0.1", 80)), ["1/1 unknown"]);
  assert.equal(ends(witness, 0, packet("10.96.0.2", 80)), ["1/1 pass"]);
});

test.run();
