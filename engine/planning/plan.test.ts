// The protocol between the engine and a host that programs the kernel: plan, committed, failed, forget.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  addresses,
  commitAll,
  defaultOptions,
  type Engine,
  FakeIptables,
  FakeNft,
  linesWith,
  type Mode,
  makeEngine,
  makeNode,
  makeService,
  makeServiceCIDR,
  makeSlice,
  type PlannedBatch,
  plan,
  put,
  remove,
  render,
} from "../../fixtures/support/engine-tests.ts";

const test = suite("planning: plan");
const modes: Mode[] = ["iptables", "nftables"];

const web = makeService("shop/web");
const web1 = makeSlice("shop/web-1", "web", ["10.0.0.1"]);

/** nftables: the table that may be there is dropped first. */
const restarted = (text: string) => text.replace(/^add table .*\ndelete table .*\n/, "");

/** Both kernels of a host; `family` ipv4. */
class Host {
  readonly engine: Engine;
  readonly nft = new FakeNft();
  readonly iptables = new FakeIptables();
  readonly mode: Mode;
  now = 0;

  constructor(mode: Mode) {
    this.mode = mode;
    this.engine = makeEngine(mode);
  }

  load(text: string): void {
    if (this.mode === "nftables") this.nft.load(text);
    else this.iptables.restore(text);
  }

  /** Plans, loads and acknowledges; what may not go at once goes when it is due. Returns what was sent. */
  sync(): PlannedBatch[] {
    const batches = plan(this.engine, this.now);
    for (const batch of batches) {
      if (batch.family === "ipv4") this.load(batch.text);
      this.engine.committed(batch.id, this.now + batch.notBeforeMs);
    }
    this.now += 2000;
    return batches;
  }

  /** The kernel holds what `render` says, and nothing else. */
  assertInSync(what: string): void {
    if (this.mode === "nftables") {
      const fresh = new FakeNft();
      fresh.load(render(this.engine));
      assert.equal(this.nft.state(), fresh.state(), what);
    } else {
      const fresh = new FakeIptables();
      fresh.restore(render(this.engine));
      assert.equal(this.iptables.state(), fresh.state(), what);
    }
  }
}

for (const mode of modes) {
  test(`${mode}: the first plan writes both families, and a second one has nothing to do`, () => {
    const engine = makeEngine(mode);
    const batches = plan(engine, 0);
    assert.equal(
      batches.map(({ family, notBeforeMs, full, services }) => [family, notBeforeMs, full, services]),
      [
        ["ipv4", 0, true, 0],
        ["ipv6", 0, true, 0],
      ],
    );
    for (const { id } of batches) engine.committed(id, 0);
    assert.equal(plan(engine, 1), []);
    assert.equal(plan(engine, 1_000_000), []);
  });

  test(`${mode}: what was not closed, or failed, is planned again`, () => {
    const engine = makeEngine(mode);
    put(engine, web, web1);
    const texts = () => plan(engine, 0).map(({ text, services, full }) => ({ text, services, full }));
    const first = texts();
    assert.equal(texts(), first, "superseded");
    for (const { id } of plan(engine, 0)) engine.failed(id, 0);
    assert.equal(texts(), first, "failed");
    const [ipv4, ipv6] = plan(engine, 0);
    engine.committed(ipv4?.id ?? 0, 0);
    engine.failed(ipv6?.id ?? 0, 0);
    assert.equal(texts(), first.slice(1), "each batch is acknowledged on its own");
  });

  test(`${mode}: ids grow, and those of earlier plans mean nothing`, () => {
    const engine = makeEngine(mode);
    put(engine, web, web1);
    const old = plan(engine, 0);
    const young = plan(engine, 0);
    assert.ok(Math.min(...young.map(({ id }) => id)) > Math.max(...old.map(({ id }) => id)));
    for (const { id } of old) engine.committed(id, 0);
    engine.committed(12345, 0);
    engine.failed(54321, 0);
    assert.is(plan(engine, 0).length, 2);
  });

  test(`${mode}: closing twice is closing once`, () => {
    const engine = makeEngine(mode);
    put(engine, web, web1);
    for (const { id } of plan(engine, 0)) {
      engine.committed(id, 0);
      engine.failed(id, 0);
      engine.committed(id, 0);
    }
    assert.equal(plan(engine, 1), []);
  });

  test(`${mode}: changed and changed back before the plan: nothing`, () => {
    const engine = makeEngine(mode);
    put(engine, web, web1, makeNode("node-a", { ips: ["192.0.2.1"] }), makeServiceCIDR("k", ["10.96.0.0/16"]));
    commitAll(engine, 0);
    put(
      engine,
      makeService("shop/web", { ip: "10.96.0.9" }),
      makeService("shop/new", { ip: "10.96.0.8", externalIPs: ["192.0.2.9"] }),
    );
    put(
      engine,
      makeSlice("shop/web-1", "web", ["10.0.0.1", "10.0.0.2 node-a"]),
      makeNode("node-a", { ips: ["192.0.2.2"] }),
    );
    put(engine, makeServiceCIDR("k", ["10.97.0.0/16"]), makeSlice("shop/new-1", "new", ["10.0.0.7"]));
    render(engine);
    put(engine, web, web1, makeNode("node-a", { ips: ["192.0.2.1"] }), makeServiceCIDR("k", ["10.96.0.0/16"]));
    remove(engine, makeService("shop/new"), makeSlice("shop/new-1", "new", []));
    // In iptables mode, any claim that came and went has the dispatch chains written; no Service's chains are.
    assert.equal(
      plan(engine, 5000).map(({ services }) => services),
      mode === "nftables" ? [] : [0],
    );
  });

  test(`${mode}: changed back while a batch is open: the next plan undoes it`, () => {
    const host = new Host(mode);
    put(host.engine, web, web1);
    host.sync();
    put(host.engine, makeSlice("shop/web-1", "web", ["10.0.0.2"]));
    const open = plan(host.engine, host.now);
    put(host.engine, web1);
    for (const { id, text } of open) {
      host.load(text);
      host.engine.committed(id, host.now);
    }
    assert.match(host.sync()[0]?.text ?? "", "10.0.0.1:8080");
    host.assertInSync("back");
  });

  test(`${mode}: a change in one Service writes that Service, counts it, and is not full`, () => {
    const engine = makeEngine(mode);
    put(engine, web, web1, makeService("shop/api", { ip: "10.96.0.2" }), makeSlice("shop/api-1", "api", ["10.0.1.1"]));
    commitAll(engine, 0);
    put(engine, makeSlice("shop/web-1", "web", ["10.0.0.1", "10.0.0.2"]));
    const [batch, ...others] = plan(engine, 100);
    assert.is(others.length, 0);
    assert.equal([batch?.family, batch?.services, batch?.full], ["ipv4", 1, false]);
    const chains = linesWith(batch?.text ?? "", mode === "nftables" ? "add chain" : ":KUBE-S").filter(
      (line) => !line.includes("KUBE-SERVICES"),
    );
    assert.is(chains.length, mode === "nftables" ? 1 : 3, "its own chains only");
    assert.not.match(chains.join("\n"), "api");
  });

  test(`${mode}: a description and texts made in between do not hide a change from the plan`, () => {
    const host = new Host(mode);
    put(host.engine, web, web1);
    host.sync();
    put(host.engine, makeSlice("shop/web-1", "web", ["10.0.0.3"]), makeService("shop/x", { ip: "10.96.0.3" }));
    render(host.engine);
    host.engine.describe();
    host.engine.blame("ipv4");
    host.engine.problems();
    host.engine.node();
    assert.is(host.sync()[0]?.services, 2);
    host.assertInSync("all of it");
  });

  test(`${mode}: forget writes everything again`, () => {
    const engine = makeEngine(mode);
    put(engine, web, web1, makeService("shop/api", { ip: "10.96.0.2,fd00:96::2", sessionAffinity: "ClientIP" }));
    put(engine, makeSlice("shop/api-1", "api", ["10.0.1.1 node-a"]), makeSlice("shop/api-2", "api", ["fd00:1::1"]));
    const first = plan(engine, 0).map(({ text, full, services }) => ({ text, full, services }));
    commitAll(engine, 0);
    engine.forget();
    const again = plan(engine, 100);
    assert.equal(
      again.map(({ text, full, services }) => ({ text: restarted(text), full, services })),
      first,
    );
    assert.is(
      again.every(({ text }) => restarted(text) !== text),
      mode === "nftables",
    );
  });

  test(`${mode}: forget also forgets what was deleted meanwhile`, () => {
    const engine = makeEngine(mode);
    put(engine, web, web1);
    commitAll(engine, 0);
    remove(engine, web, web1);
    plan(engine, 10);
    engine.forget();
    const fresh = plan(makeEngine(mode), 0).map(({ text }) => text);
    assert.equal(
      plan(engine, 100).map(({ text }) => restarted(text)),
      fresh,
    );
  });

  test(`${mode}: after forget the kernel may hold any earlier state`, () => {
    const host = new Host(mode);
    put(
      host.engine,
      makeService("shop/web", { sessionAffinity: "ClientIP", externalIPs: ["192.0.2.1"] }),
      makeSlice("shop/web-1", "web", ["10.0.0.7"]),
    );
    host.sync();
    put(host.engine, makeService("shop/web", { externalIPs: ["192.0.2.2"], ports: [{ port: 81 }] }), web1);
    host.engine.forget();
    host.sync();
    if (mode === "nftables") host.assertInSync("nothing is left of it");
    else assert.is(host.iptables.chains("*nat").includes("KUBE-SERVICES"), true);
    host.engine.forget();
    host.sync();
    assert.equal(host.sync(), []);
  });

  test(`${mode}: options that change rules are planned, others are not`, () => {
    const host = new Host(mode);
    put(host.engine, web, web1, makeNode("node-a", { ips: ["192.0.2.1"] }));
    host.sync();
    const configure = (options: object) =>
      assert.equal(host.engine.configure({ ...defaultOptions(mode), ...options }), []);
    configure({});
    assert.equal(host.sync(), [], "the same options again");
    configure({ masqueradeBit: 3 });
    const [batch] = host.sync();
    assert.equal([batch?.full, batch?.services], [true, 1]);
    host.assertInSync("masqueradeBit");
    configure({ masqueradeBit: 3, clusterCidr: "10.244.0.0/16" });
    assert.is(host.sync()[0]?.family, "ipv4");
    host.assertInSync("clusterCIDR");
    const nodePortAddresses = mode === "nftables" ? ["all"] : ["127.0.0.0/8", "192.0.2.0/24"];
    configure({ masqueradeBit: 3, clusterCidr: "10.244.0.0/16", nodePortAddresses });
    assert.is(host.sync()[0]?.full, true);
    host.assertInSync("nodePortAddresses");
    assert.is(host.engine.configure({ ...defaultOptions(mode), clusterCidr: "bad" }).length, 1);
    assert.equal(host.sync(), [], "refused options");
  });

  test(`${mode}: node addresses and ServiceCIDRs rewrite the stock rules alone`, () => {
    const host = new Host(mode);
    put(host.engine, web, web1);
    host.sync();
    put(host.engine, makeServiceCIDR("k", ["10.96.0.0/16"]));
    const [batch] = host.sync();
    assert.equal([batch?.full, batch?.services], [true, 0]);
    host.assertInSync("a ServiceCIDR comes");
    put(
      host.engine,
      makeServiceCIDR("k", ["10.96.0.0/16", "10.100.0.0/16", "10.96.0.0/16"]),
      makeServiceCIDR("k2", ["10.96.0.0/16"]),
    );
    host.sync();
    host.assertInSync("another");
    remove(host.engine, makeServiceCIDR("k2", []));
    assert.equal(host.sync(), [], "of equal CIDRs one is enough");
    remove(host.engine, makeServiceCIDR("k", []));
    host.sync();
    host.assertInSync("they go");
    put(host.engine, makeNode("node-a", { ips: ["192.0.2.1"] }));
    assert.equal(
      host.sync().map(({ full, text }) => [full, text.includes("shop/web")]),
      mode === "nftables"
        ? [
            [true, false],
            [true, false],
          ]
        : [],
    );
    host.assertInSync("a node IP");
  });

  test(`${mode}: another mode begins from nothing`, () => {
    const other = modes.find((each) => each !== mode) as Mode;
    const engine = makeEngine(other);
    put(
      engine,
      web,
      web1,
      makeService("shop/gone", { ip: "10.96.0.7" }),
      makeSlice("shop/gone-1", "gone", ["10.0.7.7 node-a"]),
    );
    commitAll(engine, 0);
    engine.configure(defaultOptions(mode));
    commitAll(engine, 10_000);
    remove(engine, makeService("shop/gone"), makeSlice("shop/gone-1", "gone", []));
    commitAll(engine, 20_000);
    engine.configure(defaultOptions(other));
    const fresh = makeEngine(other);
    put(fresh, web, web1);
    assert.equal(
      plan(engine, 30_000).map(({ text, full, services, family }) => ({
        text: restarted(text),
        full,
        services,
        family,
      })),
      plan(fresh, 0).map(({ text, full, services, family }) => ({ text, full, services, family })),
      "nothing of a Service that went in the other mode comes back",
    );
  });

  test(`${mode}: both families of a Service change on their own`, () => {
    const engine = makeEngine(mode);
    put(
      engine,
      makeService("shop/web", { ip: "10.96.0.1,fd00:96::1" }),
      web1,
      makeSlice("shop/web-2", "web", ["fd00::1"]),
    );
    commitAll(engine, 0);
    put(engine, makeSlice("shop/web-2", "web", ["fd00::2"]));
    const batches = plan(engine, 5000);
    assert.equal(
      batches.map(({ family, services }) => [family, services]),
      [["ipv6", 1]],
    );
    assert.match(batches[0]?.text ?? "", "[fd00::2]:8080");
    for (const { id } of batches) engine.committed(id, 5000);
    put(engine, web);
    const gone = plan(engine, 9000).find(({ family }) => family === "ipv6");
    assert.is(gone?.services, 1, "the Service becomes single-stack");
    assert.match(
      gone?.text ?? "",
      mode === "nftables" ? "delete element ip6 kube-proxy cluster-ips { fd00:96::1 }" : "-X KUBE-SVC-",
    );
  });

  test(`${mode}: 1, 2 and 1,000 endpoints, more and fewer of them, all states legal`, () => {
    const host = new Host(mode);
    put(host.engine, web);
    for (const count of [1, 2, 1000, 999, 2, 1, 0, 1]) {
      put(host.engine, makeSlice("shop/web-1", "web", addresses(count), { addressType: "IPv4" }));
      host.sync();
      host.sync();
      host.assertInSync(`${count} endpoints`);
    }
  });

  test(`${mode}: session affinity goes on, off, and changes its timeout`, () => {
    const host = new Host(mode);
    const affine = (timeoutSeconds?: number) =>
      makeService("shop/web", {
        sessionAffinity: "ClientIP",
        ...(timeoutSeconds === undefined ? {} : { sessionAffinityConfig: { clientIP: { timeoutSeconds } } }),
      });
    const steps: [string, () => void][] = [
      ["on", () => void put(host.engine, affine(), makeSlice("shop/web-1", "web", ["10.0.0.1", "10.0.0.2 node-a"]))],
      ["an endpoint replaced", () => void put(host.engine, makeSlice("shop/web-1", "web", ["10.0.0.1", "10.0.0.3"]))],
      ["timeout", () => void put(host.engine, affine(60))],
      ["off", () => void put(host.engine, web)],
      ["on again", () => void put(host.engine, affine(60))],
      ["an endpoint back", () => void put(host.engine, makeSlice("shop/web-1", "web", ["10.0.0.1", "10.0.0.2"]))],
      ["none", () => void remove(host.engine, web1)],
      ["gone", () => void remove(host.engine, web)],
    ];
    for (const [what, step] of steps) {
      step();
      const text = host
        .sync()
        .filter(({ family }) => family === "ipv4")
        .map((batch) => batch.text)
        .join("");
      host.assertInSync(what);
      if (what === "timeout") assert.match(text, mode === "nftables" ? "timeout 60s" : "--rcheck --seconds 60 --reap");
    }
  });

  test(`${mode}: histories of failures end where they should`, () => {
    // Every way to close the batches of one change, then another change, then all is acknowledged.
    const states = [
      [web, web1],
      [
        makeService("shop/web", { sessionAffinity: "ClientIP", externalIPs: ["192.0.2.1"] }),
        makeSlice("shop/web-1", "web", ["10.0.0.1", "10.0.0.2 node-a"]),
      ],
      [
        makeService("shop/web", {
          externalTrafficPolicy: "Local",
          type: "NodePort",
          ports: [{ port: 80, nodePort: 30080 }],
        }),
        makeSlice("shop/web-1", "web", ["10.0.0.2 node-a"]),
      ],
      [makeService("shop/web", { ingress: [{ ip: "192.0.2.2" }], loadBalancerSourceRanges: ["10.0.0.0/8"] }), web1],
      [web],
      [],
    ];
    const all = [web, web1];
    for (const from of states) {
      for (const over of states) {
        for (const to of states) {
          for (const outcome of ["failed", "superseded", "first failed", "first committed"]) {
            const host = new Host(mode);
            const become = (state: typeof from) => {
              remove(host.engine, ...all.filter(({ kind }) => !state.some((object) => object.kind === kind)));
              put(host.engine, ...state);
            };
            become(from);
            host.sync();
            host.sync();
            become(over);
            const batches = plan(host.engine, host.now);
            for (const [i, { id, text, family }] of batches.entries()) {
              if (outcome === "superseded") break;
              if (outcome === "failed" || (outcome === "first failed") === (i === 0)) {
                host.engine.failed(id, host.now);
              } else if (outcome === "first committed") {
                if (family === "ipv4") host.load(text);
                host.engine.committed(id, host.now);
                break;
              }
            }
            host.now += 5000;
            become(to);
            host.sync();
            host.sync();
            host.assertInSync(`${states.indexOf(from)} → ${states.indexOf(over)} (${outcome}) → ${states.indexOf(to)}`);
            assert.equal(host.sync(), []);
          }
        }
      }
    }
  });
}

// ---- nftables: chains that nothing needs any more

const chain = "service-3VKYQGVF-shop/web/tcp/";

function emptied(): Engine {
  const engine = makeEngine();
  put(engine, web, web1);
  commitAll(engine, 0);
  remove(engine, web1);
  return engine;
}

function nameOf(engine: Engine): string {
  return /service-\S+-shop\/web\/tcp\/\S*/.exec(render(engine))?.[0] ?? "";
}

test("a stale chain is emptied at once and deleted a second later, in a batch of its own", () => {
  const engine = makeEngine();
  put(engine, web, web1);
  const name = nameOf(engine);
  assert.is(name.length, chain.length);
  commitAll(engine, 0);
  remove(engine, web1);
  const batches = plan(engine, 10_000);
  assert.equal(
    batches.map(({ notBeforeMs, services, full }) => [notBeforeMs, services, full]),
    [
      [0, 1, false],
      [1000, 0, false],
    ],
  );
  const [flush, deletion] = batches;
  assert.match(flush?.text ?? "", `flush chain ip kube-proxy ${name}\n`);
  assert.is(deletion?.text, `delete chain ip kube-proxy ${name}\n`);
  // The clock of the rest begins when the kernel has acknowledged that it is empty.
  engine.committed(flush?.id ?? 0, 10_300);
  assert.equal(
    plan(engine, 10_800).map(({ notBeforeMs, text }) => [notBeforeMs, text]),
    [[500, deletion?.text]],
  );
  assert.equal(
    plan(engine, 11_400).map(({ notBeforeMs }) => notBeforeMs),
    [0],
  );
});

test("a deletion that the kernel refuses is tried again after another second", () => {
  const engine = emptied();
  const [flush, deletion] = plan(engine, 0);
  engine.committed(flush?.id ?? 0, 0);
  engine.failed(deletion?.id ?? 0, 1000);
  const [again] = plan(engine, 1200);
  assert.equal([again?.notBeforeMs, again?.text], [800, deletion?.text]);
  engine.committed(again?.id ?? 0, 2000);
  assert.equal(plan(engine, 9000), []);
});

test("a stale chain that is wanted again is not deleted, whether the deletion was due or not", () => {
  for (const later of [100, 5000]) {
    const engine = emptied();
    const [flush] = plan(engine, 0);
    engine.committed(flush?.id ?? 0, 0);
    put(engine, web1);
    const batches = plan(engine, later);
    assert.is(batches.length, 1);
    assert.not.match(batches[0]?.text ?? "", "delete chain");
    engine.committed(batches[0]?.id ?? 0, later);
    assert.equal(plan(engine, later + 5000), []);
  }
});

test("if the batch that wanted it again fails and it is not wanted any more, the deletion comes after all", () => {
  const engine = emptied();
  const [flush] = plan(engine, 0);
  engine.committed(flush?.id ?? 0, 0);
  put(engine, web1);
  const [revival] = plan(engine, 100);
  engine.failed(revival?.id ?? 0, 100);
  remove(engine, web1);
  const batches = plan(engine, 5000);
  assert.equal(
    batches.map(({ notBeforeMs, text }) => [notBeforeMs, /^delete chain/.test(text)]),
    [[0, true]],
  );
});

for (const outcome of ["failed", "never sent"] as const) {
  test(`a chain whose emptying ${outcome} stays if it is needed after all`, () => {
    const engine = emptied();
    const [flush] = plan(engine, 0);
    if (outcome === "failed") engine.failed(flush?.id ?? 0, 0);
    put(engine, web1);
    assert.equal(plan(engine, 5000), []);
    assert.equal(plan(engine, 9000), []);
    remove(engine, web1);
    const [again, deletion] = plan(engine, 10_000);
    assert.match(again?.text ?? "", "flush chain");
    assert.is(deletion?.notBeforeMs, 1000);
  });
}

test("deletions that are due and those that are not are two batches", () => {
  const engine = makeEngine();
  const api = makeService("shop/api", { ip: "10.96.0.2" });
  const api1 = makeSlice("shop/api-1", "api", ["10.0.1.1"]);
  put(engine, web, web1, api, api1);
  commitAll(engine, 0);
  remove(engine, web1);
  engine.committed(plan(engine, 0)[0]?.id ?? 0, 0);
  remove(engine, api1);
  const batches = plan(engine, 1000);
  assert.equal(
    batches.map(({ notBeforeMs, text }) => [notBeforeMs, /^delete chain .*shop\/(\w+)/.exec(text)?.[1]]),
    [
      [0, undefined],
      [0, "web"],
      [1000, "api"],
    ],
  );
});

test("an affinity set goes at once with the rules that used it, its chain later", () => {
  const engine = makeEngine();
  put(
    engine,
    makeService("shop/web", { sessionAffinity: "ClientIP" }),
    makeSlice("shop/web-1", "web", ["10.0.0.1", "10.0.0.2"]),
  );
  commitAll(engine, 0);
  put(engine, makeSlice("shop/web-1", "web", ["10.0.0.1"]));
  const [first, second] = plan(engine, 5000);
  const order = (first?.text ?? "").split("\n").filter((line) => /__10\.0\.0\.2/.test(line));
  assert.equal(
    order.map((line) => line.split(" ").slice(0, 2).join(" ")),
    ["flush chain", "delete set"],
  );
  assert.match(second?.text ?? "", /^delete chain ip kube-proxy endpoint-\S+__10\.0\.0\.2\/8080\n$/);
});

test("chains of an endpoint go by the name that they came with, however short address and port are", () => {
  for (const mode of ["nftables", "flat"] as const) {
    for (const [ip, port] of [
      ["10.0.0.1", 1],
      ["10.0.0.12", 1],
      ["10.0.0.1", 12],
      ["fd00::1", 1],
    ] as const) {
      const engine = makeEngine(mode);
      const family = ip.includes(":") ? { ip: "fd00:96::1", ipFamilies: ["IPv6"] } : {};
      put(engine, makeService("shop/web", { sessionAffinity: "ClientIP", ...family }));
      put(engine, makeSlice("shop/web-1", "web", [ip], { ports: [{ name: "", port, protocol: "TCP" }] }));
      const chains = (text: string, command: string) =>
        [...text.matchAll(new RegExp(`^${command} chain (ip6? \\S+ endpoint-.*)$`, "gm"))].map(([, chain]) => chain);
      const texts = () => {
        const batches = plan(engine, 0);
        for (const { id } of batches) engine.committed(id, 0);
        return batches.map(({ text }) => text).join("");
      };
      const made = chains(texts(), "add");
      assert.is(made.length, 1, `${mode}: ${ip} ${port}`);
      remove(engine, makeService("shop/web"));
      assert.equal(chains(texts(), "flush"), made, `${mode}: ${ip} ${port}`);
    }
  }
});

// ---- nftables: big loads

function big(count: number, extra: object = {}) {
  return addresses(count, "10.96").flatMap((ip, i) => {
    const name = `s${String(i).padStart(5, "0")}`;
    return [makeService(`x/${name}`, { ip, ...extra }), makeSlice(`x/${name}-1`, name, [`10.0.${i >> 8}.${i & 255}`])];
  });
}

test("a cold load comes in chunks of 1,000 Services, each complete in itself", () => {
  const engine = makeEngine();
  put(engine, ...big(2500));
  const batches = plan(engine, 0).filter(({ family }) => family === "ipv4");
  assert.equal(
    batches.map(({ services, full }) => [services, full]),
    [
      [1000, true],
      [1000, false],
      [500, false],
    ],
  );
  const kernel = new FakeNft();
  const elements = () => kernel.state().sets["service-ips"] ?? [];
  for (const [i, { text }] of batches.entries()) {
    kernel.load(text);
    assert.is(elements().length, Math.min(2500, (i + 1) * 1000));
    for (const element of elements()) {
      const target = /goto (\S+)/.exec(element)?.[1] ?? "";
      assert.is(kernel.state().chains[target]?.length, 1, `${target} has its rule in the same chunk`);
      break;
    }
  }
  const fresh = new FakeNft();
  fresh.load(render(engine));
  assert.equal(kernel.state(), fresh.state());
});

test("a table that is replaced is one transaction, unless the kernel takes none so long", () => {
  const engine = makeEngine();
  put(engine, ...big(1100));
  for (const batch of plan(engine, 0)) engine.committed(batch.id, 0);
  engine.forget();
  const replaced = plan(engine, 1000).filter(({ family }) => family === "ipv4");
  assert.equal(
    replaced.map(({ services, full }) => [services, full]),
    [[1100, true]],
  );
  assert.match(replaced[0]?.text ?? "", /^delete table ip kube-proxy$/m);
  engine.setBatchLimits(0, 200_000);
  assert.ok(plan(engine, 1000).filter(({ family }) => family === "ipv4").length > 1);
});

test("within a chunk, a Service's chains come before the elements that lead to them", () => {
  const engine = makeEngine();
  put(engine, ...big(1100, { externalIPs: ["192.0.2.1"] }));
  for (const { text } of plan(engine, 0)) {
    const known = new Set<string>();
    for (const line of text.split("\n")) {
      const added = /^add chain ip6? kube-proxy (\S+)/.exec(line)?.[1];
      if (added !== undefined) known.add(added);
      const target = /^add element .* : goto (\S+)/.exec(line)?.[1];
      if (target !== undefined) assert.ok(known.has(target), line);
    }
  }
});

test("of a load in chunks, what failed and what stands behind it comes again", () => {
  for (const [failing, left] of [
    [2, 1],
    [1, 2],
    [0, 3],
  ] as const) {
    const engine = makeEngine();
    put(engine, ...big(2500));
    const batches = plan(engine, 0).filter(({ family }) => family === "ipv4");
    for (const [i, { id }] of batches.entries()) {
      if (i < failing) engine.committed(id, 0);
      else if (i === failing) engine.failed(id, 0);
    }
    const again = plan(engine, 10).filter(({ family }) => family === "ipv4");
    assert.equal(
      again.map(({ text }) => text),
      batches.slice(-left).map(({ text }) => text),
    );
  }
});

test("batches closed in an order that makes no sense spoil nothing else", () => {
  for (const order of [[1], [1, 0], [2, 0, 1], [2, 1, 0], [0, 2, 1]]) {
    for (const outcome of ["committed", "failed"] as const) {
      const engine = makeEngine();
      put(engine, web, web1, makeService("shop/api", { ip: "10.96.0.2", sessionAffinity: "ClientIP" }));
      put(engine, makeSlice("shop/api-1", "api", ["10.0.1.1", "10.0.1.2"]));
      commitAll(engine, 0);
      remove(engine, web1);
      commitAll(engine, 100);
      put(engine, makeSlice("shop/api-1", "api", ["10.0.1.1"]), makeService("shop/web"));
      remove(engine, makeService("shop/web"));
      const batches = plan(engine, 300);
      for (const i of order) {
        const id = batches[i]?.id ?? 0;
        if (outcome === "committed") engine.committed(id, 5000);
        else engine.failed(id, 5000);
      }
      // Blocks that were freed are used again by what comes now.
      const objects = big(50, { sessionAffinity: "ClientIP" });
      put(engine, ...objects);
      commitAll(engine, 10_000);
      commitAll(engine, 20_000);
      const fresh = makeEngine();
      put(fresh, makeService("shop/api", { ip: "10.96.0.2", sessionAffinity: "ClientIP" }), ...objects);
      put(fresh, makeSlice("shop/api-1", "api", ["10.0.1.1"]));
      assert.is(render(engine), render(fresh), `${order} ${outcome}`);
    }
  }
});

test("a Service of many ports is never split", () => {
  const engine = makeEngine();
  const ports = Array.from({ length: 5 }, (_, i) => ({ name: `p${i}`, port: 80 + i }));
  put(
    engine,
    ...addresses(1001, "10.96").map((ip, i) => makeService(`x/s${String(i).padStart(5, "0")}`, { ip, ports })),
  );
  const batches = plan(engine, 0).filter(({ family }) => family === "ipv4");
  assert.equal(
    batches.map(({ services }) => services),
    [1000, 1],
  );
  const elements = batches.map(({ text }) => linesWith(text, "add element ip kube-proxy no-endpoint-services").length);
  assert.equal(elements, [5000, 5]);
});

for (const failing of [-1, 0, 1, 2]) {
  test(`big changes in chunks, of which ${failing < 0 ? "none" : `number ${failing}`} fails, leave each Service whole`, () => {
    const host = new Host("nftables");
    put(host.engine, ...big(2100, { sessionAffinity: "ClientIP" }));
    host.sync();
    remove(host.engine, ...big(50));
    const objects = big(2100).slice(100);
    put(host.engine, ...objects);
    const batches = plan(host.engine, host.now).filter(({ family }) => family === "ipv4");
    assert.ok(batches.length >= 3);
    for (const [i, { id, text, notBeforeMs }] of batches.entries()) {
      if (i === failing) {
        host.engine.failed(id, host.now);
        if (notBeforeMs === 0) break; // a host stops here and plans anew
        continue;
      }
      host.load(text);
      host.engine.committed(id, host.now + notBeforeMs);
      const { chains, sets } = host.nft.state();
      for (const element of sets["service-ips"] ?? []) {
        const name = /goto (\S+)/.exec(element)?.[1] ?? "";
        assert.ok((chains[name]?.length ?? 0) > 0, `${name} is not empty while something leads to it`);
      }
    }
    host.now += 10_000;
    host.sync();
    host.sync();
    host.assertInSync("at the end");
    assert.equal(host.sync(), []);
  });
}

test.run();
