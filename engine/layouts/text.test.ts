// Sizes and names at which the text of the layouts changes its form.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  addresses,
  commitAll,
  FakeIptables,
  FakeNft,
  linesWith,
  makeEngine,
  makeService,
  makeSlice,
  plan,
  put,
  remove,
  render,
} from "../../fixtures/support/engine-tests.ts";

const test = suite("layouts: text");

// ---- iptables: large clusters

const spread = (count: number) => makeSlice("shop/big-1", "big", addresses(count), { addressType: "IPv4" });
const big = makeService("shop/big", { ip: "10.96.0.2", sessionAffinity: "ClientIP" });
const small = makeService("shop/web");
const small1 = makeSlice("shop/web-1", "web", ["10.0.0.1"]);

function endpointLines(text: string): string[] {
  return [...linesWith(text, "-A KUBE-SEP-"), ...linesWith(text, "-j KUBE-SEP-")].filter((line) =>
    line.includes("shop/"),
  );
}

test("1,000 endpoints in all: every endpoint rule has its comment; 1,001: none has, all others keep theirs", () => {
  const engine = makeEngine("iptables");
  put(engine, big, spread(999), small, small1);
  const text = render(engine);
  assert.is(linesWith(text, "-m comment --comment shop/big -s ").length, 999);
  assert.is(linesWith(text, '--comment "shop/big -> 10.20.0.0:8080" -m recent').length, 1);
  put(engine, spread(1000));
  const large = render(engine);
  assert.equal(endpointLines(large), []);
  assert.match(large, '--comment "shop/big cluster IP"');
  const rules = (each: string) =>
    linesWith(each, "-A KUBE-SEP-").map((line) => line.replace(/ -m comment --comment \S+/, ""));
  const common = new Set(rules(text));
  assert.is(rules(large).filter((rule) => !common.has(rule)).length, 2, "but for the new one, only comments differ");
});

test("endpoints that are not ready count, those of Services without cluster IP and of the other family do not", () => {
  const engine = makeEngine("iptables");
  put(
    engine,
    big,
    spread(1000),
    makeSlice("shop/nobody-1", "nobody", addresses(50)),
    makeSlice("shop/big-6", "big", ["fd00::1"]),
  );
  assert.ok(endpointLines(render(engine)).length > 0);
  put(engine, small, makeSlice("shop/web-1", "web", [{ ip: "10.0.0.1", ready: false, serving: false }]));
  assert.equal(endpointLines(render(engine)), []);
});

test("a plan in a large cluster writes what changed in the short form and leaves the rest as it is", () => {
  const engine = makeEngine("iptables");
  const kernel = new FakeIptables();
  const sync = () => {
    for (const { id, text, family } of plan(engine, 0)) {
      if (family === "ipv4") kernel.restore(text);
      engine.committed(id, 0);
    }
  };
  put(engine, big, spread(1000), small);
  sync();
  assert.ok(
    Object.values(kernel.state())
      .flat()
      .some((rule) => rule.includes("shop/big -> ")),
  );
  put(engine, small1);
  sync();
  const rules = Object.values(kernel.state()).flat();
  assert.is(rules.filter((rule) => rule.includes("shop/big -> ")).length, 2000);
  assert.is(rules.filter((rule) => rule.includes("shop/web -> ")).length, 0);
  remove(engine, small1);
  put(engine, spread(999));
  sync();
  assert.is(
    Object.values(kernel.state())
      .flat()
      .filter((rule) => rule.includes("shop/big -> ")).length,
    1998,
  );
});

// ---- probabilities

test("iptables: probabilities of 1/n with ten decimals, none for the last", () => {
  const engine = makeEngine("iptables");
  put(engine, small, makeSlice("shop/web-1", "web", addresses(7)));
  const probabilities = linesWith(render(engine), "-A KUBE-SVC-").map((line) => /--probability (\S+)/.exec(line)?.[1]);
  assert.equal(probabilities, [
    "0.1428571429",
    "0.1666666667",
    "0.2000000000",
    "0.2500000000",
    "0.3333333333",
    "0.5000000000",
    undefined,
  ]);
});

test("iptables: every probability up to 3,000 is what Go prints", () => {
  const engine = makeEngine("iptables");
  put(engine, small, makeSlice("shop/web-1", "web", addresses(3000)));
  const probabilities = linesWith(render(engine), "--probability").map((line) => /--probability (\S+)/.exec(line)?.[1]);
  assert.is(probabilities.length, 2999);
  for (const [i, each] of probabilities.entries()) {
    const n = 3000 - i;
    // 1/2048 is a tie at ten decimals: to even, as C and Go round; toFixed rounds it up.
    assert.is(each, n === 2048 ? "0.0004882812" : (1 / n).toFixed(10));
  }
});

test("nftables: one endpoint has no map, two have one with their slots", () => {
  const engine = makeEngine();
  put(engine, small, makeSlice("shop/web-1", "web", ["10.0.0.1"]));
  assert.match(render(engine), "meta l4proto tcp dnat to 10.0.0.1:8080\n");
  put(engine, makeSlice("shop/web-1", "web", ["10.0.0.1", "10.0.0.2"]));
  assert.match(
    render(engine),
    "meta l4proto tcp dnat ip addr . port to numgen random mod 2 map { 0 : 10.0.0.1 . 8080 , 1 : 10.0.0.2 . 8080 }\n",
  );
  put(engine, makeService("shop/web", { ip: "fd00:96::1" }), makeSlice("shop/web-6", "web", ["fd00::1", "fd00::2"]));
  assert.match(render(engine, "ipv6"), "0 : fd00::1 . 8080 , 1 : fd00::2 . 8080 }\n");
});

// ---- long names

const name = (length: number, letter = "n") => letter.repeat(length);

test("nftables: names of chains and sets are cut to 240 bytes, and stay distinct by their hash", () => {
  const engine = makeEngine();
  const long = name(200);
  const port = name(15, "p");
  const service = (suffix: string, ip: string) =>
    makeService(`${name(20, "s")}/${long}${suffix}`, {
      ip,
      ports: [{ name: port, port: 80 }],
      sessionAffinity: "ClientIP",
    });
  const slice = (suffix: string, ip: string) =>
    makeSlice(`${name(20, "s")}/slice${suffix}`, `${long}${suffix}`, [ip], { ports: [{ name: port, port: 8080 }] });
  put(engine, service("a", "10.96.0.1"), slice("a", "10.0.0.1"), service("b", "10.96.0.2"), slice("b", "10.0.0.1"));
  const text = render(engine);
  const bases = [...text.matchAll(/add chain ip kube-proxy (?:service|endpoint)-([A-Z2-7]{8}-\S+)\n/g)].map(
    ([, base = ""]) => base,
  );
  assert.is(bases.length, 4);
  assert.is(new Set(bases).size, 4);
  for (const base of bases) assert.ok(base.length <= 240, `${base.length}`);
  assert.is(bases.filter((base) => base.endsWith("...") && base.length === 240).length, 4);
  const kernel = new FakeNft();
  kernel.load(text);
});

test("nftables: a name of exactly 240 bytes is not cut", () => {
  // hash, "-", "ns/name/tcp/": 9 + 2 + 1 + length + 5
  for (const [length, cut] of [
    [223, false],
    [224, true],
  ] as const) {
    const engine = makeEngine();
    put(engine, makeService(`ns/${name(length)}`), makeSlice("ns/s", name(length), ["10.0.0.1"]));
    const base = /add chain ip kube-proxy service-([A-Z2-7]{8}-\S+)\n/.exec(render(engine))?.[1] ?? "";
    assert.equal([base.length, base.endsWith("...")], [240, cut]);
  }
});

test("nftables: comments of elements are cut to 128 bytes", () => {
  for (const [length, wanted] of [
    [120, 123],
    [125, 128],
    [126, 128],
    [250, 128],
  ] as const) {
    const engine = makeEngine();
    put(engine, makeService(`ns/${name(length)}`));
    const comment = /comment "(ns\/n+)" : goto reject-chain/.exec(render(engine))?.[1] ?? "";
    assert.is(comment.length, wanted);
  }
});

test("nftables: cut names live through a plan: chains come, go and come again", () => {
  const engine = makeEngine();
  const kernel = new FakeNft();
  let now = 0;
  const sync = () => {
    for (const { id, text, family, notBeforeMs } of plan(engine, now)) {
      if (family === "ipv4") kernel.load(text);
      engine.committed(id, now + notBeforeMs);
    }
    now += 5000;
  };
  const long = name(253);
  const service = makeService(`${name(63, "s")}/${long}`, {
    sessionAffinity: "ClientIP",
    ports: [{ name: name(63, "p"), port: 80, protocol: "SCTP" }],
  });
  const slice = (ips: string[]) =>
    makeSlice(`${name(63, "s")}/${name(253, "e")}`, long, ips, {
      ports: [{ name: name(63, "p"), port: 8080, protocol: "SCTP" }],
    });
  for (const ips of [["10.0.0.1", "10.0.0.2"], ["10.0.0.2"], ["10.0.0.1", "10.0.0.2"]]) {
    put(engine, service, slice(ips));
    sync();
    sync();
    const fresh = new FakeNft();
    fresh.load(render(engine));
    assert.equal(kernel.state(), fresh.state());
  }
});

test("iptables: the longest names, in IPv6, are written whole", () => {
  const engine = makeEngine("iptables");
  const printable = `${name(63, "s")}/${name(253)}:${name(63, "p")}`;
  put(
    engine,
    makeService(`${name(63, "s")}/${name(253)}`, {
      ip: "fd00:1111:2222:3333:4444:5555:6666:7777",
      ports: [{ name: name(63, "p"), port: 65535 }],
    }),
    makeSlice(`${name(63, "s")}/x`, name(253), ["fd00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"], {
      ports: [{ name: name(63, "p"), port: 65535 }],
    }),
  );
  assert.match(render(engine, "ipv6"), `--comment "${printable} -> [fd00:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"`);
  assert.match(render(engine, "ipv6"), `--to-destination [fd00:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535\n`);
  commitAll(engine, 0);
});

for (const mode of ["iptables", "nftables"] as const) {
  test(`${mode}: dual stack: each family has its own addresses and nothing of the other`, () => {
    const engine = makeEngine(mode);
    put(
      engine,
      makeService("shop/web", {
        ip: "fd00:96::1,10.96.0.1",
        externalIPs: ["192.0.2.1", "2001:db8::1"],
        ports: [{ port: 80, nodePort: 30080 }],
      }),
      makeSlice("shop/web-1", "web", ["10.0.0.1"]),
      makeSlice("shop/web-2", "web", ["fd00::1"]),
    );
    const [ipv4, ipv6] = [render(engine), render(engine, "ipv6")];
    for (const own of ["10.96.0.1", "192.0.2.1", "10.0.0.1"])
      assert.equal([ipv4.includes(own), ipv6.includes(own)], [true, false], own);
    for (const own of ["fd00:96::1", "2001:db8::1", "fd00::1"])
      assert.equal([ipv4.includes(own), ipv6.includes(own)], [false, true], own);
    assert.match(ipv4, "30080");
    assert.match(ipv6, "30080");
  });

  test(`${mode}: the text ends with a line end and holds no blank line and no blank at a line's end`, () => {
    const engine = makeEngine(mode, { clusterCidr: "10.244.0.0/16" });
    put(
      engine,
      big,
      spread(3),
      makeService("shop/web", { ingress: [{ ip: "192.0.2.1" }], loadBalancerSourceRanges: ["10.0.0.0/8"] }),
      small1,
    );
    for (const family of ["ipv4", "ipv6"] as const) {
      const text = render(engine, family);
      assert.ok(text.endsWith("\n"));
      assert.not.match(text, /\n\n| \n|\t|\r| {3}/);
    }
  });
}

test.run();
