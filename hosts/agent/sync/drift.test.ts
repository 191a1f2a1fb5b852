// What somebody else does to our tables is found, mended, and reported as what it is; what is ours is not taken for it.
import { spawnSync } from "node:child_process";
import * as assert from "uvu/assert";
import { Random, seedFromEnvironment } from "../../../fixtures/random/random.ts";
import { World } from "../../../fixtures/random/world.ts";
import { makeService, makeServiceCIDR, makeSlice } from "../../../fixtures/support/engine-tests.ts";
import type { NetlinkMode } from "../kernel/writers/netlink-writer.ts";
import { inNamespaces } from "../netlink/testing/namespace.ts";
import { nft } from "../netlink/testing/nft.ts";
import { Node } from "./testing/node.ts";

const web = makeService("shop/web", {
  ip: "10.96.0.12",
  type: "LoadBalancer",
  ingress: [{ ip: "192.0.2.1" }],
  loadBalancerSourceRanges: ["198.51.100.0/24"],
});
const webSlice = makeSlice("shop/web-1", "web", ["10.0.0.1", "10.0.0.2"]);
const database = makeService("shop/database", { ip: "10.96.0.13", sessionAffinity: "ClientIP" });
const databaseSlice = makeSlice("shop/database-1", "database", ["10.0.0.3", "10.0.0.4"]);
const cidr = makeServiceCIDR("kubernetes", ["10.96.0.0/16"]);
const all = [web, webSlice, database, databaseSlice, cidr];
const seed = seedFromEnvironment();
const TABLES: Readonly<Record<NetlinkMode, string>> = { flat: "ip sluice", nftables: "ip kube-proxy" };

interface Damage {
  readonly what: string;
  /** For `nft`; T stands for the table, | for the end of a transaction. */
  readonly script: string;
  /** missing, changed, extra */
  readonly drift: readonly [number, number, number];
  readonly names: readonly string[];
  /** It can't be mended without making the table anew. */
  readonly rebuilt?: true;
}

const DAMAGES: readonly Damage[] = [
  {
    what: "a base chain's policy",
    script: "chain T filter-forward { policy drop; }",
    drift: [0, 1, 0],
    names: ["filter-forward"],
  },
  {
    what: "a base chain's priority",
    script:
      "delete chain T filter-input; add chain T filter-input { type filter hook input priority 300; policy drop; }",
    drift: [0, 1, 0],
    names: ["filter-input"],
  },
  {
    what: "a base chain's hook",
    script: "delete chain T nat-output; add chain T nat-output { type nat hook input priority 100; }",
    drift: [0, 1, 0],
    names: ["nat-output"],
  },
  {
    what: "a base chain's type",
    script:
      "delete chain T filter-output; add chain T filter-output { type route hook output priority 0; }; add rule T filter-output drop",
    drift: [0, 1, 0],
    names: ["filter-output"],
  },
  {
    what: "a base chain that is none any more",
    script: "delete chain T nat-prerouting; add chain T nat-prerouting; add rule T services jump nat-prerouting",
    drift: [0, 0, 0],
    names: ["nat-prerouting"],
    rebuilt: true,
  },
  {
    what: "a chain that has become a base chain",
    script:
      "flush chain T filter-forward; flush chain T filter-output; delete chain T cluster-ips-check; add chain T cluster-ips-check { type filter hook forward priority 5; policy drop; }",
    drift: [0, 3, 0],
    names: ["cluster-ips-check", "filter-forward", "filter-output"],
  },
  { what: "the table put to sleep", script: "table T { flags dormant; }", drift: [0, 1, 0], names: ["table"] },
  {
    what: "the table put to sleep, and a chain flushed",
    script: "table T { flags dormant; }; flush chain T services",
    drift: [0, 2, 0],
    names: ["table", "services"],
  },
  {
    what: "the table put to sleep, and a base chain deleted",
    script: "delete chain T nat-postrouting | table T { flags dormant; }",
    drift: [1, 1, 0],
    names: ["table", "nat-postrouting"],
  },
  {
    what: "a base chain of theirs",
    script: "add chain T theirs { type filter hook forward priority 50; policy drop; }; add rule T theirs counter",
    drift: [0, 0, 1],
    names: ["theirs"],
  },
  {
    what: "a chain of theirs with the look of an unnamed one, and a rule that leads there",
    script: "add chain T __theirs; add rule T __theirs drop; insert rule T services jump __theirs",
    drift: [0, 1, 1],
    names: ["services", "__theirs"],
  },
  {
    what: "a set of theirs with the look of an unnamed one",
    script: "add set T __set77 { type ipv4_addr; }; add element T __set77 { 192.0.2.9 }",
    drift: [0, 0, 1],
    names: ["__set77"],
  },
  {
    what: "a verdict map of theirs and a chain that looks it up",
    script:
      "add chain T theirs; add map T their-map { type ipv4_addr : verdict; }; add element T their-map { 192.0.2.9 : goto theirs }; add chain T their-base { type filter hook input priority 5; }; add rule T their-base ip daddr vmap @their-map",
    drift: [0, 0, 3],
    names: ["theirs", "their-base", "their-map"],
  },
  {
    what: "objects of theirs, used by a rule of theirs in a chain of ours",
    script:
      "add counter T their-counter; add quota T their-quota { over 1 mbytes; }; add limit T their-limit { rate 1/second; }; insert rule T services counter name their-counter; insert rule T services limit name their-limit drop",
    drift: [0, 1, 3],
    names: ["services", "their-counter", "their-limit", "their-quota"],
  },
  {
    what: "objects of theirs, used by a map of theirs",
    script:
      'add counter T their-counter; add map T their-objects { type ipv4_addr : counter; }; add element T their-objects { 192.0.2.9 : "their-counter" }; add chain T theirs; add rule T theirs counter name ip daddr map @their-objects',
    drift: [0, 0, 3],
    names: ["theirs", "their-objects", "their-counter"],
  },
  {
    what: "an element too many, one too few, one that leads elsewhere",
    script:
      "add element T cluster-ips { 10.96.0.99 }; delete element T cluster-ips { 10.96.0.13 }; delete element T service-ips { 10.96.0.13 . tcp . 80 }; add element T service-ips { 10.96.0.13 . tcp . 80 : goto reject-chain }",
    drift: [1, 1, 1],
    names: ["cluster-ips", "service-ips"],
  },
  {
    what: "an element with a comment of theirs",
    script: 'delete element T cluster-ips { 10.96.0.13 }; add element T cluster-ips { 10.96.0.13 comment "theirs" }',
    drift: [0, 1, 0],
    names: ["cluster-ips"],
  },
  {
    what: "a rule inserted, a rule of ours replaced, rules in another order",
    script:
      "insert rule T nat-postrouting ip daddr 192.0.2.9 accept; flush chain T masquerading; flush chain T filter-forward; add rule T filter-forward ct state new jump cluster-ips-check; add rule T filter-forward ct state new jump service-endpoints-check",
    drift: [0, 3, 0],
    names: ["filter-forward", "masquerading", "nat-postrouting"],
  },
  {
    what: "a chain renamed",
    script: "rename chain T masquerading theirs",
    drift: [1, 1, 1],
    names: ["masquerading", "nat-postrouting", "theirs"],
  },
  {
    what: "a set of ours with a time limit",
    script:
      "flush chain T cluster-ips-check; flush chain T services; delete set T cluster-ips; add set T cluster-ips { type ipv4_addr; timeout 1s; }",
    drift: [0, 0, 0],
    names: ["cluster-ips"],
    rebuilt: true,
  },
  {
    what: "a set of ours with a size",
    script:
      'flush chain T cluster-ips-check; flush chain T services; delete set T cluster-ips; add set T cluster-ips { type ipv4_addr; size 2; comment "Active ClusterIPs"; }',
    drift: [0, 0, 0],
    names: ["cluster-ips"],
    rebuilt: true,
  },
  {
    what: "a set of ours with a statement",
    script:
      'flush chain T cluster-ips-check; flush chain T services; delete set T cluster-ips; add set T cluster-ips { type ipv4_addr; counter; comment "Active ClusterIPs"; }',
    drift: [0, 0, 0],
    names: ["cluster-ips"],
    rebuilt: true,
  },
];

/** The lines of all tables, sorted; elements come in the kernel's order, and sets without names are numbered. */
function listing(): string[] {
  let table = "";
  let block = "";
  const lines: string[] = [];
  const text = spawnSync("nft", ["-s", "list", "ruleset"], { encoding: "utf8" }).stdout;
  for (const line of text
    .replace(/elements = \{[^}]*\}/g, (all) =>
      all
        .split(/[\s,{}]+/)
        .sort()
        .join(" "),
    )
    .split("\n")) {
    if (line.startsWith("table")) table = line;
    else if (/^\t[^\s}]/.test(line)) block = line;
    if (!/^\t?(\}|table.*|)$/.test(line)) lines.push(`${table}${block}${line}`);
  }
  return lines.sort();
}

/** What is in one list and not in the other. */
function difference(before: readonly string[], after: readonly string[]): string[] {
  return [...before.filter((line) => !after.includes(line)), ...after.filter((line) => !before.includes(line))];
}

inNamespaces(import.meta.url, ["user"], (test) => {
  test.before.each(() => nft("flush ruleset"));

  test("nftables: a renamed chain of a Service that goes just then is somebody else's doing, and the Service is not blamed", async () => {
    const node = await Node.start("nftables");
    node.put(...all);
    await node.settle();
    const [, chain = ""] = /chain (endpoint-\S+shop\/database\S+) /.exec(listing().join("\n")) ?? [];
    // Its rules keep the set of clients busy that goes with it.
    nft(`rename chain ip kube-proxy ${chain} theirs`);
    node.remove(database, databaseSlice);
    assert.is(await node.synchronizer.checkForDrift(), true);
    assert.is((await node.run()).failed, false, JSON.stringify(node.reports));
    const found = node.reports.find(({ family }) => family === "ipv4");
    assert.equal([found?.leftOut, found?.isForeign], [[], true]);
    assert.ok(found?.drift?.names.includes("theirs"), JSON.stringify(found?.drift));
    node.clock.spend(2000);
    await node.settle();
    assert.equal(await node.difference([web, webSlice, cidr]), []);
    await node.writer.close();
  });

  for (const mode of ["flat", "nftables"] as const) {
    const table = TABLES[mode];

    for (const { what, script, drift, names, rebuilt = false } of DAMAGES) {
      test(`${mode}: ${what}`, async () => {
        const node = await Node.start(mode);
        node.put(...all);
        await node.settle();
        assert.is(await node.synchronizer.checkForDrift(), false);
        const before = listing();
        for (const transaction of script.split(" | ")) nft(transaction.replaceAll(" T ", ` ${table} `));
        assert.not.equal(difference(before, listing()), []);
        assert.is(await node.synchronizer.checkForDrift(), true);
        assert.is((await node.run()).failed, false, JSON.stringify(node.reports));
        const found = node.reports.find(({ family }) => family === "ipv4")?.drift;
        assert.equal(found && [found.missing, found.changed, found.extra], drift, JSON.stringify(found));
        assert.is(found?.rebuilt, rebuilt);
        const expected = names.map((name) => (name === "table" ? table.slice(3) : name));
        assert.equal([...(found?.names ?? [])].sort(), expected.sort());
        if (rebuilt) assert.ok(node.reports.some(({ full }) => full));
        else
          assert.ok(
            node.reports.every(({ full }) => !full),
            "no table is made anew",
          );
        // What they have made is in use nowhere at once, and gone when chains may go.
        node.clock.spend(2000);
        await node.settle();
        assert.equal(difference(before, listing()), []);
        assert.equal(await node.difference(all), []);
        await node.writer.close();
      });
    }

    test(`${mode}: what is ours and on its way is not taken for drift, however often others write their own tables`, async () => {
      const random = new Random(seed);
      const node = await Node.start(mode);
      const world = new World(random);
      node.put(...world.list());
      await node.settle();
      nft("add table ip theirs; add set ip theirs busy { type ipv4_addr; }");
      let n = 0;
      const theyWrite = () => nft(`add element ip theirs busy { 192.0.${n >> 8}.${n++ & 255} }`);
      // Services come and go with their chains and slots, which are deleted a second later.
      const change = () => {
        const { type, object } = world.change();
        if (type === "DELETED") node.remove(object);
        else node.put(object);
      };
      node.writer.next = () => {
        if (random.chance(0.3)) theyWrite();
        return "write";
      };
      let read = 0;
      for (let step = 0; step < 30; step++) {
        for (let i = random.below(3); i >= 0; i--) change();
        if (random.chance(0.7)) theyWrite();
        if (random.chance(0.7)) await node.synchronizer.checkForDrift();
        assert.is((await node.run()).failed, false);
        for (const { drift, isForeign } of node.reports) {
          if (drift === undefined) continue;
          read++;
          assert.is(isForeign, true);
          assert.equal(
            drift,
            { missing: 0, changed: 0, extra: 0, names: [], rebuilt: false },
            `step ${step}, SEED=${seed}`,
          );
        }
        node.clock.spend(random.pick([10, 300, 1500]));
      }
      assert.ok(read > 10, `${read}`);
      node.clock.spend(2000);
      await node.settle();
      assert.equal(await node.difference(world.list()), []);
      await node.writer.close();
    });

    test(`${mode}: what they do to our rules while we write all the time is mended, and reported as theirs`, async () => {
      const node = await Node.start(mode);
      node.put(...all);
      await node.settle();
      for (let n = 0; n < 12; n++) {
        node.put(makeSlice("shop/web-1", "web", ["10.0.0.1", `10.0.2.${n}`, `10.0.3.${n}`].slice(0, 2 + (n % 2))));
        if (n % 3 === 0) node.put(makeService(`shop/new-${n}`, { ip: `10.96.1.${n}` }));
        if (n % 3 === 1) node.remove(makeService(`shop/new-${n - 1}`, { ip: `10.96.1.${n - 1}` }));
        const isDamage = n % 2 === 0;
        const damage = isDamage ? `delete element ${table} cluster-ips { 10.96.0.13 }` : "";
        // Between two of our transactions, so that one look at the generation sees both.
        let first = true;
        node.writer.next = () => {
          if (first) nft(damage);
          first = false;
          return "write";
        };
        assert.is((await node.run()).failed, false);
        assert.is(await node.synchronizer.checkForDrift(), isDamage);
        node.put(makeSlice("shop/database-1", "database", ["10.0.0.3", `10.0.4.${n}`]));
        assert.is((await node.run()).failed, false);
        const report = node.reports.find(({ family }) => family === "ipv4");
        if (isDamage) {
          const { missing, changed, extra, names } = report?.drift ?? {};
          assert.equal([missing, changed, extra, names], [1, 0, 0, ["cluster-ips"]], `${n}`);
          assert.is(report?.isForeign, true);
        } else {
          assert.is(report?.drift, undefined);
        }
        node.clock.spend(n % 2 === 0 ? 10 : 1500);
      }
      await node.writer.close();
    });
  }
});
