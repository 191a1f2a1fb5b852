// Rule text in: all that kube-proxy and our layouts write is understood, what others write is said to be unknown, and nothing
// makes the witness trap.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { configured, namespaceOptions } from "../../../fixtures/conformance/run.ts";
import { oracleCases } from "../../../fixtures/oracle/oracle.ts";
import { Random, seedFromEnvironment } from "../../../fixtures/random/random.ts";
import { allModes, applyJson, families, join, newEngine } from "../../../fixtures/support/engine.ts";
import { internalIPs, listOf } from "../../../fixtures/support/objects.ts";
import { complaints, load, newWitness, packet, read } from "../test-support.ts";

const test = suite("witness: parsing");

/** Rules that do something: all but the last of a source range chain, which is a comment. */
const appended = (text: string) => text.match(/^-A .* -[jg] /gm)?.length ?? 0;

test("all of kube-proxy's listings are understood", () => {
  const witness = newWitness();
  let ruleset = 0;
  for (const { name, listings } of oracleCases()) {
    for (const text of [listings.iptables, listings.ip6tables, listings.nftables]) {
      const result = load(witness, ruleset++, text);
      assert.equal([...complaints(result), result.unknown], [0], name);
      if (text !== listings.nftables) assert.is(result.rules, appended(text), name);
      assert.is(result.format, text === listings.nftables ? "nft" : "iptables");
    }
    assert.is(load(witness, ruleset++, listings.ip6tables).family, "ipv6", name);
  }
});

test("what the layouts write is understood", () => {
  for (const { name, config, objects } of oracleCases().filter((_, index) => index % 15 === 0)) {
    const witness = newWitness();
    for (const [index, mode] of allModes.entries()) {
      const engine = configured(newEngine, namespaceOptions(config, mode, internalIPs(objects)));
      applyJson(engine, listOf(objects));
      for (const family of families) {
        const text = join(engine.render(family));
        const result = load(witness, index * 2 + families.indexOf(family), text, family);
        assert.equal([...complaints(result), result.unknown], [0], `${name} ${mode}`);
        assert.ok(result.rules > 10, `${name} ${mode}`);
      }
    }
  }
});

test("a listing and the script that makes it hold the same", () => {
  const listing = `table ip x {
	comment "of nobody"
	set s {
		type ipv4_addr
		flags interval
		elements = { 10.0.0.0/8, 192.0.2.1-192.0.2.9,
			     198.51.100.7 comment "one" }
	}
	map m {
		typeof ip daddr . meta l4proto . th dport : verdict
		elements = { 10.96.0.1 . tcp . 80 comment "a/b" : goto c-1, 10.96.0.2 . udp . 53 : drop }
	}
	set clients {
		type ipv4_addr
		size 65535
		flags dynamic,timeout
		timeout 1h30m
	}
	counter hits {
		packets 0 bytes 0
	}
	chain first { # handle 3
		type filter hook prerouting priority dstnat - 10; policy drop;
		ip saddr != @s counter packets 3 bytes 4 drop # handle 9
		iifname "cali*" oifname != "eth0" meta mark & 0x00004000 == 0x00004000 accept
	}
	chain c-1 {
		update @clients { ip saddr }
		meta l4proto tcp dnat to 10.0.0.5:80
	}
}
`;
  const script = `add table ip x { comment "of nobody" ; }
delete table ip x
add table ip x
add set x s { type ipv4_addr ; flags interval ; }
add element ip x s { 10.0.0.0/8 , 192.0.2.1-192.0.2.9 , 198.51.100.7 comment "one" }
add map x m { type ipv4_addr . inet_proto . inet_service : verdict ; }
add element x m { 10.96.0.1 . tcp . 80 comment "a/b" : goto c-1 }
add element x m { 10.96.0.2 . udp . 53 : drop , 10.96.0.3 . udp . 53 : drop }
delete element x m { 10.96.0.3 . udp . 53 }
add set x clients { type ipv4_addr ; flags dynamic,timeout ; timeout 5400s ; }
add chain x first { type filter hook prerouting priority -110 ; policy drop ; }
add chain x gone
add rule x gone drop
delete chain x gone
add chain x c-1
add rule x c-1 drop
flush chain x c-1
add rule x first iifname cali* oifname != eth0 mark and 0x4000 == 0x4000 accept
insert rule x first ip saddr != @s counter drop comment "sources"
add rule x c-1 update @clients { ip saddr }
add rule x c-1 meta l4proto tcp \\
  dnat to 10.0.0.5:80
`;
  const counts = ({ chains, rules, sets, elements, tables, unknown }: ReturnType<typeof read>) =>
    `${tables} tables, ${chains} chains, ${rules} rules, ${sets} sets, ${elements} elements, ${unknown} unknown`;
  assert.equal(complaints(read(listing)), []);
  assert.equal(complaints(read(script)), []);
  assert.is(counts(read(listing)), "1 tables, 2 chains, 4 rules, 3 sets, 5 elements, 0 unknown");
  assert.is(counts(read(script)), counts(read(listing)));
});

test("foreign matches and targets are unknown, with their lines; rules without effect are not", () => {
  const text = `*filter
:INPUT DROP [0:0]
:cali-x - [0:0]
-A INPUT -m set --match-set cali40all src -j cali-x
[12:345] -A INPUT -m limit --limit 5/min -j LOG --log-prefix "dropped: "
-A cali-x -j NFQUEUE --queue-num 3
-A cali-x -m mark --mark 0x10000/0x10000 -j RETURN
COMMIT
`;
  const result = read(text);
  assert.equal(complaints(result), [
    '4 unknown: match "set" is not understood',
    '5 unknown: match "limit" is not understood',
    '6 unknown: target "NFQUEUE" is not understood',
  ]);
  assert.is(result.rules, 3);
  assert.equal(
    complaints(read("table inet f {\n chain c {\n  meta cgroup 5 accept\n  ip daddr 1.2.3.4 queue to 3\n }\n}\n")),
    ['3 unknown: statement "5" is not understood', '4 unknown: statement "queue" is not understood'],
  );
});

test("text that is broken is an error with its line, and the rest is read", () => {
  const text = `*nat
:A - [0:0]
-A A -s 10.0.0.300 -j RETURN
-A A -p
-A
nonsense
-A A -d fd00::1 -j RETURN
-A A -d 10.0.0.1/33 -j DROP
-A A -d 10.0.0.1 -j DROP
COMMIT
-A A -j DROP
`;
  const result = read(text);
  assert.equal(complaints(result), [
    '3 syntax: expected an address or CIDR, not "10.0.0.300"',
    "4 syntax: the line ends before an option's value",
    "5 syntax: the line ends before the chain's name",
    '6 syntax: expected -A, -I, -N, -F, -X or -P, not "nonsense"',
    '7 syntax: expected an address of the table\'s family, not "fd00::1"',
    '8 syntax: expected an address or CIDR, not "10.0.0.1/33"',
    '11 syntax: a table begins with *table, not "-A"',
  ]);
  assert.is(result.rules, 1);
  assert.equal(complaints(read("table ip x {\n chain c {\n  drop\n")), [
    "2 syntax: the chain does not end",
    "1 syntax: the table does not end",
  ]);
  assert.equal(
    [read("hello"), read("\0\0"), read("")].map(({ format }) => format),
    ["none", "none", "nft"],
  );
});

test("cut off or changed anywhere, a text never makes it trap, and neither do packets in what is left of it", () => {
  const random = new Random(seedFromEnvironment(15));
  const bytes = new TextEncoder();
  const [one] = oracleCases().slice(7);
  assert.ok(one !== undefined);
  const witness = newWitness();
  const signs = ["{", "}", '"', " ", "\n", ":", ",", "\\", ";", "!", "@", "/", "0", "-", "#", "\u0001"];
  for (const text of [one.listings.iptables, one.listings.nftables]) {
    for (let round = 0; round < 60; round++) {
      let changed = text.slice(0, random.below(text.length));
      for (let i = random.below(20); i > 0; i--) {
        const at = random.below(changed.length + 1);
        changed = changed.slice(0, at) + random.pick(signs) + changed.slice(at + random.below(3));
      }
      witness.load(round % 3, bytes.encode(changed), "ipv4");
      witness.trace(round % 3, packet("10.96.0.10", 80));
      witness.compare(round % 3, (round + 1) % 3, { limit: 200 });
    }
  }
});

test.run();
