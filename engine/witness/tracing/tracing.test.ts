// One packet at a time: where it ends, how likely, and why.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { oracleCases } from "../../../fixtures/oracle/oracle.ts";
import type { Packet } from "../../../hosts/shared/witness.ts";
import { ends, load, newWitness, packet } from "../test-support.ts";

const test = suite("witness: tracing");

/** A witness that has read these rules, on a node with the address 192.168.0.1. */
function reading(...texts: string[]) {
  const witness = newWitness();
  for (const text of texts)
    assert.equal(
      load(witness, 0, text).problems.filter(({ code }) => code === "syntax"),
      [],
    );
  witness.setFacts(["192.168.0.1", "fd00::1"]);
  return witness;
}

const nat = (rules: string) => `*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:A - [0:0]
:B - [0:0]
:C - [0:0]
${rules}
COMMIT
`;

test("odds of statistic are exact, and sum up to one", () => {
  const witness = reading(
    nat(`-A PREROUTING -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j A
-A A -m statistic --mode random --probability 0.33333333349 -j DNAT --to-destination 10.0.0.1:80
-A A -m statistic --mode random --probability 0.50000000000 -j DNAT --to-destination 10.0.0.2:80
-A A -j DNAT --to-destination 10.0.0.3:80`),
  );
  assert.equal(ends(witness, 0, packet("10.96.0.1", 80)), ["1/3 10.0.0.1:80", "1/3 10.0.0.2:80", "1/3 10.0.0.3:80"]);
  assert.equal(ends(witness, 0, packet("10.96.0.1", 81)), ["1/1 pass"]);
  assert.equal(ends(witness, 0, packet("10.96.0.1", 80, { protocol: 17 })), ["1/1 pass"]);
  assert.equal(ends(witness, 0, packet("10.96.0.1", 80, { state: "established" })), ["1/1 pass"]);
});

test("jump comes back, goto does not, return leaves, an accept ends the base chain alone", () => {
  const witness = reading(
    nat(`-A PREROUTING -d 10.96.0.1/32 -g A
-A PREROUTING -d 10.96.0.2/32 -j A
-A PREROUTING -j DNAT --to-destination 10.0.0.9:9
-A A -s 198.51.100.9/32 -j B
-A A -d 10.96.0.2/32 -j RETURN
-A A -j DNAT --to-destination 10.0.0.1:1
-A B -d 10.96.0.3/32 -j ACCEPT`),
    "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -d 10.0.0.1/32 -j ACCEPT\nCOMMIT\n",
  );
  assert.equal(ends(witness, 0, packet("10.96.0.1", 80)), ["1/1 10.0.0.1:1"]);
  const dropped = witness.trace(0, packet("10.96.0.2", 80))?.paths[0];
  assert.is(dropped?.ending, "drop");
  assert.equal(dropped?.steps.at(-1), {
    table: "filter",
    chain: "FORWARD",
    line: 2,
    because: ["no rule decides: the chain's policy"],
    does: "drop",
  });
});

test("an accept in one table is not final: a later hook may drop", () => {
  const text = `table ip one {
	chain c {
		type filter hook forward priority filter; policy accept;
		accept
	}
}
table ip two {
	chain c {
		type filter hook forward priority filter + 10; policy accept;
		tcp dport 80 reject with tcp reset
	}
	chain early {
		type filter hook prerouting priority raw; policy accept;
		tcp dport 81 notrack
	}
	chain nat {
		type nat hook prerouting priority dstnat; policy accept;
		dnat to 10.0.0.1:8080
	}
}
`;
  const witness = reading(text);
  assert.equal(ends(witness, 0, packet("203.0.113.1", 80)), ["1/1 10.0.0.1:8080"]);
  assert.equal(ends(witness, 0, packet("203.0.113.1", 80, { state: "established" })), ["1/1 reject tcp-reset"]);
  assert.equal(ends(witness, 0, packet("203.0.113.1", 81)), ["1/1 pass"]);
});

test("what is translated by one nat chain passes the others by", () => {
  const witness = reading(
    `table ip a {
	chain first {
		type nat hook prerouting priority dstnat - 5; policy accept;
		tcp dport 80 dnat to 10.0.0.1:1
	}
	chain second {
		type nat hook prerouting priority dstnat; policy accept;
		dnat to 10.0.0.2:2
	}
}
`,
  );
  assert.equal(ends(witness, 0, packet("203.0.113.1", 80)), ["1/1 10.0.0.1:1"]);
  assert.equal(ends(witness, 0, packet("203.0.113.1", 81)), ["1/1 10.0.0.2:2"]);
});

test("marks, maps with slots that are missing, masquerading", () => {
  const witness = reading(
    `table ip x {
	map backends {
		typeof ip daddr . th dport . numgen random mod 65536 : ip daddr . th dport
		elements = { 10.96.0.1 . 80 . 0 : 10.0.0.1 . 8080, 10.96.0.1 . 80 . 1 : 10.0.0.2 . 8080 }
	}
	chain pre {
		type nat hook prerouting priority dstnat; policy accept;
		ip saddr != 10.0.0.0/8 meta mark set meta mark | 0x00004000
		meta l4proto tcp dnat ip to ip daddr . th dport . numgen random mod 3 map @backends
		meta l4proto tcp dnat ip to ip daddr . th dport . numgen random mod 1 map @backends
	}
	chain post {
		type nat hook postrouting priority srcnat; policy accept;
		meta mark & 0x00004000 != 0x00000000 meta mark set meta mark ^ 0x00004000 masquerade fully-random
	}
}
`,
  );
  assert.equal(ends(witness, 0, packet("10.96.0.1", 80)), [
    "1/3 10.0.0.2:8080 masqueraded",
    "2/3 10.0.0.1:8080 masqueraded",
  ]);
  assert.equal(ends(witness, 0, packet("10.96.0.1", 80, { source: "10.1.1.1" })), [
    "1/3 10.0.0.2:8080",
    "2/3 10.0.0.1:8080",
  ]);
  assert.equal(ends(witness, 0, packet("10.96.0.1", 81)), ["1/1 pass masqueraded"]);
});

test("to the node, from the node, and from the node to itself", () => {
  const chain = (hook: string, port: number) => `	chain ${hook} {
		type filter hook ${hook} priority filter; policy accept;
		tcp dport ${port} drop
	}
`;
  const hooks = ["prerouting", "input", "forward", "output", "postrouting"];
  const witness = reading(`table inet x {\n${hooks.map((hook, index) => chain(hook, index + 1)).join("")}}\n`);
  const dropped = (of: Parameters<typeof packet>[2], to: string) =>
    hooks.filter((_, index) => ends(witness, 0, packet(to, index + 1, of))[0] === "1/1 drop").join(" ");
  assert.is(dropped({}, "203.0.113.1"), "prerouting forward postrouting");
  assert.is(dropped({}, "192.168.0.1"), "prerouting input");
  assert.is(dropped({ origin: "node", source: "192.168.0.1" }, "203.0.113.1"), "output postrouting");
  assert.is(
    dropped({ origin: "node", source: "192.168.0.1" }, "192.168.0.1"),
    hooks.filter((h) => h !== "forward").join(" "),
  );
  assert.is(dropped({ origin: "node", source: "::1" }, "fd00::1"), hooks.filter((h) => h !== "forward").join(" "));
});

test("verdicts by the state of the connection", () => {
  const witness = reading(`table inet x {
	chain f {
		type filter hook forward priority filter; policy drop;
		ct state vmap { established : accept, related : accept, invalid : drop, new : jump fresh }
	}
	chain fresh {
		tcp dport 80 accept
	}
}
`);
  const of = (port: number, state: "new" | "established" | "invalid") =>
    ends(witness, 0, packet("203.0.113.1", port, { state }))[0];
  assert.equal(
    [of(80, "new"), of(81, "new"), of(81, "established"), of(80, "invalid")],
    ["1/1 pass", "1/1 drop", "1/1 pass", "1/1 drop"],
  );
  const broken = reading(
    "table ip x {\n chain f {\n  type filter hook forward priority 0;\n  ct state vmap { new : hop }\n }\n}\n",
  );
  assert.equal(ends(broken, 0, packet("203.0.113.1", 80)), ["1/1 unknown"]);
});

test("interfaces by name and by pattern", () => {
  const witness = reading(
    "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -i cali+ -j DROP\n-A FORWARD ! -i eth0 -o eth0 -j REJECT --reject-with icmp-host-prohibited\nCOMMIT\n",
  );
  const of = (inInterface: string, outInterface: string) =>
    ends(witness, 0, packet("203.0.113.1", 80, { inInterface, outInterface }))[0];
  assert.is(of("cali123", "eth0"), "1/1 drop");
  assert.is(of("eth0", "eth0"), "1/1 pass");
  assert.is(of("eth1", "eth0"), "1/1 reject admin-prohibited");
  assert.is(of("eth1", "eth1"), "1/1 pass");
});

test("a client that sticks to an endpoint gets it, in both of kube-proxy's modes", () => {
  const texts = oracleCases()
    .slice(1, 2)
    .flatMap(({ listings }) => [listings.iptables, listings.nftables]);
  assert.is(texts.length, 2);
  for (const text of texts) {
    const witness = reading(text);
    const to = (fields: Parameters<typeof packet>[2]) =>
      ends(witness, 0, packet("10.96.0.12", 443, { protocol: 132, ...fields }));
    const all = to({});
    assert.is(all.length, 5, all.join());
    for (const end of all) assert.match(end, /^1\/5 .* sticks 1s$/);
    assert.match(to({ sticksTo: "10.244.3.37", sticksToPort: 53 }).join(), /^1\/1 10\.244\.3\.37:53 .*sticks 1s$/);
    assert.equal(to({ sticksTo: "10.244.3.37", sticksToPort: 54 }), all);
  }
});

test("chains that are missing, and jumps without an end: unknown; sixty-four levels of them are followed", () => {
  const witness = reading(
    nat(`-A PREROUTING -d 10.96.0.1/32 -j GONE
-A PREROUTING -d 10.96.0.2/32 -j A
-A PREROUTING -d 10.96.0.3/32 -m set --match-set blocked src -j DROP
-A PREROUTING -d 10.96.0.4/32 -g C
-A A -j B
-A B -j A
-A C -g C`),
  );
  for (const last of [1, 2, 3, 4]) assert.equal(ends(witness, 0, packet(`10.96.0.${last}`, 80)), ["1/1 unknown"]);
  assert.is(witness.trace(0, packet("10.96.0.3", 80))?.paths[0]?.line, 10);
  assert.equal(ends(witness, 0, packet("10.96.0.5", 80)), ["1/1 pass"]);
  const levels = Array.from(
    { length: 64 },
    (_, i) => `	chain c${i} {\n		${i === 63 ? "drop" : `jump c${i + 1}`}\n	}\n`,
  );
  const deep = reading(
    `table ip x {\n	chain f {\n		type filter hook forward priority 0;\n		jump c0\n	}\n${levels.join("")}}\n`,
  );
  assert.equal(ends(deep, 0, packet("203.0.113.1", 80)), ["1/1 drop"]);
});

test("marks of connections: saved, restored, and unknown of an established one that was not marked here", () => {
  const witness = reading(`*mangle
:PREROUTING ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
-A PREROUTING -i eth1 -j MARK --set-xmark 0x20/0xff
-A PREROUTING -i eth1 -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff
-A PREROUTING -i eth1 -j MARK --set-xmark 0x0/0xff
-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff
-A FORWARD -m mark --mark 0x20/0xff -j DROP
-A FORWARD -m connmark --mark 0x10/0xf0 -j DROP
COMMIT
`);
  const by = (inInterface: string, state: "new" | "established") =>
    ends(witness, 0, packet("203.0.113.1", 80, { inInterface, state }));
  assert.equal(by("eth1", "new"), ["1/1 drop"]);
  assert.equal(by("eth0", "new"), ["1/1 pass"]);
  assert.equal(by("eth1", "established"), ["1/1 drop"]);
  assert.equal(by("eth0", "established"), ["1/1 unknown"]);
});

test("a look-up of a mark that is not known, and a second chance in one rule: unknown", () => {
  const witness = reading(`table ip x {
	chain c {
		type filter hook forward priority 0;
		ip daddr 203.0.113.2 numgen random mod 2 0 numgen random mod 3 0-1 drop
		ip daddr 203.0.113.3 numgen random mod 3 != 0-1 drop
		ip daddr 203.0.113.1 meta mark set ct mark
		ip daddr 203.0.113.1 meta mark { 0x5, 0x6 } drop
	}
}
`);
  const to = (last: number, state: "new" | "established") =>
    ends(witness, 0, packet(`203.0.113.${last}`, 80, { state }));
  assert.equal(to(1, "new"), ["1/1 pass"]);
  assert.equal(to(1, "established"), ["1/1 unknown"]);
  assert.equal(to(2, "new"), ["1/1 unknown"]);
  assert.equal(to(3, "new"), ["1/3 drop", "2/3 pass"]);
});

test("TCP's flags and the owner decide where a packet's history says enough, types of ICMP as ports", () => {
  const witness = reading(`*filter
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -d 203.0.113.1/32 -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate NEW -j DROP
-A FORWARD -d 203.0.113.2/32 -p tcp -m tcp --tcp-flags RST RST -j DROP
-A FORWARD -d 203.0.113.3/32 -m owner ! --uid-owner 5 -j DROP
-A FORWARD -d 224.0.0.0/3 -m addrtype --dst-type MULTICAST -j DROP
-A FORWARD -p icmp -m icmp --icmp-type 8 -j DROP
-A OUTPUT -m owner --uid-owner 5 -j DROP
COMMIT
`);
  const to = (last: number, fields: Partial<Packet> = {}) => ends(witness, 0, packet(`203.0.113.${last}`, 80, fields));
  assert.equal(to(1), ["1/1 pass"]);
  assert.equal(to(2), ["1/1 pass"]);
  assert.equal(to(2, { state: "established" }), ["1/1 unknown"]);
  assert.equal(to(3), ["1/1 drop"]);
  assert.equal(to(3, { origin: "node" }), ["1/1 unknown"]);
  assert.equal(ends(witness, 0, packet("224.0.0.1", 80)), ["1/1 drop"]);
  assert.equal(ends(witness, 0, packet("240.0.0.1", 80)), ["1/1 pass"]);
  assert.equal(to(9, { protocol: 1, destinationPort: 8 * 256 }), ["1/1 drop"]);
  assert.equal(to(9, { protocol: 1, destinationPort: 9 * 256 }), ["1/1 pass"]);
});

test("what nft lists of iptables-nft's tables is not there a second time", () => {
  const iptables = nat("-A PREROUTING -d 10.96.0.1/32 -j DNAT --to-destination 10.0.0.1:1");
  const nft = `table ip nat {
	chain PREROUTING {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 10.96.0.1 meta random & 2147483647 < 1073741824 counter packets 0 bytes 0 return
		drop
	}
}
`;
  const header = "# Generated by iptables-save v1.8.9 (nf_tables) on Mon Nov 23 04:42:13 2026\n";
  const of = (...texts: string[]) => ends(reading(...texts), 0, packet("10.96.0.1", 80)).join();
  assert.is(of(header + iptables, nft), "1/1 10.0.0.1:1");
  assert.is(of(nft, header + iptables), "1/1 10.0.0.1:1");
  assert.is(of(header.replace("nf_tables", "legacy") + nat(""), nft), "1/1 unknown");
  assert.is(of(nft), "1/1 unknown");
});

test("each step says the rule's line and why it matches", () => {
  const text = nat(`-A PREROUTING -m comment --comment "kubernetes service portals" -j A
-A A -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j B
-A B ! -s 10.0.0.0/8 -j MARK --set-xmark 0x4000/0x4000
-A B -p tcp -m tcp -j DNAT --to-destination 10.0.0.1:8080
-A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE --random-fully`);
  const steps = reading(text).trace(0, packet("10.96.0.1", 80))?.paths[0]?.steps ?? [];
  const lines = text.split("\n");
  assert.equal(
    steps.map((step) => ("hook" in step ? step.hook : `${step.because.join(", ")} -> ${step.does}`)),
    [
      "prerouting",
      " -> jump A",
      "destination 10.96.0.1, tcp, port 80 -> jump B",
      "source not 10.0.0.0-10.255.255.255 -> set mark 0x00004000/0x00004000",
      "tcp -> DNAT to 10.0.0.1:8080",
      "forward",
      "postrouting",
      "mark 0x00004000/0x00004000 -> masquerade",
    ],
  );
  for (const step of steps) if (!("hook" in step)) assert.match(lines[step.line - 1] ?? "", `-A ${step.chain} `);
});

test("an address that is none gets no answer", () => {
  const witness = reading("");
  assert.is(witness.trace(0, packet("10.0.0.1", 80, { source: "fd00::1" })), undefined);
  assert.is(witness.trace(0, packet("pod", 80)), undefined);
  assert.equal(ends(witness, 0, packet("10.0.0.1", 80)), ["1/1 pass"]);
  assert.equal(ends(witness, 7, packet("10.0.0.1", 80)), ["1/1 pass"]);
  assert.is(witness.setFacts(["10.0.0.1", "none", "10.0.0.0/33"], ["10.0.0.1-10.0.0.9"]), 2);
});

test.run();
