// Runs against the kernel of a network namespace, also with writes that fail, get lost, or are undone by somebody else.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import * as assert from "uvu/assert";
import { Random, seedFromEnvironment } from "../../../fixtures/random/random.ts";
import { World } from "../../../fixtures/random/world.ts";
import { makeService, makeServiceCIDR, makeSlice } from "../../../fixtures/support/engine-tests.ts";
import { inNamespaces } from "../netlink/testing/namespace.ts";
import { nft } from "../netlink/testing/nft.ts";
import { Node } from "./testing/node.ts";

const kubernetes = makeService("default/kubernetes", { ip: "10.96.0.1" });
const kubernetesSlice = makeSlice("default/kubernetes", "kubernetes", ["192.0.2.1"]);
const web = makeService("shop/web", { ip: "10.96.0.12,fd00::12" });
const webSlice = makeSlice("shop/web-1", "web", ["10.0.0.1", "10.0.0.2"]);
const cidr = makeServiceCIDR("kubernetes", ["10.96.0.0/16"]);
const all = [kubernetes, kubernetesSlice, web, webSlice, cidr];
const listing = () => spawnSync("nft", ["-s", "list", "ruleset"], { encoding: "utf8" }).stdout;

inNamespaces(import.meta.url, ["user"], (test) => {
  test.before.each(() => nft("flush ruleset"));

  for (const mode of ["flat", "nftables"] as const) {
    test(`${mode}: a cold start has a first wave; a change is written alone; a restart writes nothing`, async () => {
      const node = await Node.start(mode);
      node.put(...all);
      await node.settle();
      assert.is(node.waves.length, 1);
      const [first] = node.writer.written;
      assert.is(first?.full, true);
      assert.equal(await node.difference(all), []);

      const replaced = makeSlice("shop/web-1", "web", ["10.0.0.1", "10.0.0.9"]);
      node.put(replaced);
      const before = node.writer.written.length;
      await node.settle();
      assert.ok(node.writer.written.length > before);
      assert.ok(node.writer.written.slice(before).every(({ full, services }) => !full && services <= 1));
      assert.match(listing(), "10.0.0.9");

      const again = await Node.start(mode);
      again.put(...all.slice(0, 3), replaced, cidr);
      await again.settle();
      assert.equal(again.writer.written, [], "a restart into an unchanged world writes nothing");
      assert.equal(again.waves, []);
      for (const { drift } of again.reports) assert.is(drift?.missing ?? 0, 0);
      await node.writer.close();
      await again.writer.close();
    });

    test(`${mode}: the first wave may go ahead of the lists; what is in them adds to it, and takes out what is not`, async () => {
      const node = await Node.start(mode);
      assert.is(await node.synchronizer.mayWriteAhead(), true);
      const dns = makeService("kube-system/kube-dns", { ip: "10.96.0.10" });
      node.put(kubernetes, kubernetesSlice, dns, makeSlice("kube-system/kube-dns-1", "kube-dns", ["10.0.0.53"]));
      assert.is(await node.synchronizer.writeAhead(), true);
      assert.is(node.waves.length, 1);
      assert.match(listing(), /10\.0\.0\.53/);
      const ahead = node.writer.written.length;
      assert.is(await node.synchronizer.mayWriteAhead(), false, "only once");

      // DNS went while it was being listed.
      for (const [kind, objects] of [
        ["service", [kubernetes, web]],
        ["endpoint-slice", [kubernetesSlice, webSlice]],
        ["service-cidr", [cidr]],
      ] as const) {
        const store = node.state.store(kind);
        store.beginList();
        node.put(...objects);
        store.endList();
      }
      await node.settle();
      assert.equal(await node.difference(all), []);
      assert.not.match(listing(), /10\.0\.0\.53/);
      assert.ok(node.writer.written.length > ahead);
      assert.is(node.waves.length, 1);
      await node.writer.close();
    });

    test(`${mode}: nothing goes ahead where the kernel has rules already, nor where they come meanwhile`, async () => {
      const before = await Node.start(mode);
      before.put(...all);
      await before.settle();
      const node = await Node.start(mode);
      assert.is(await node.synchronizer.mayWriteAhead(), false);
      const there = listing();
      node.put(kubernetes, kubernetesSlice);
      assert.is(await node.synchronizer.writeAhead(), false);
      assert.is(listing(), there);
      assert.equal(node.writer.written, []);
      node.put(...all);
      await node.settle();
      assert.equal(node.writer.written, []);
      await before.writer.close();
      await node.writer.close();
    });

    test(`${mode}: a first wave ahead of the lists that is refused costs nothing but time`, async () => {
      const node = await Node.start(mode);
      node.writer.next = ({ family }) => (family === "ipv6" ? "refuse" : "write");
      node.put(kubernetes, kubernetesSlice);
      assert.is(await node.synchronizer.writeAhead(), false);
      node.writer.next = () => "write";
      node.put(...all);
      await node.settle();
      assert.equal(await node.difference(all), []);
      await node.writer.close();
    });

    test(`${mode}: what somebody else does to the table is found, said and undone`, async () => {
      const node = await Node.start(mode);
      node.put(...all);
      await node.settle();
      assert.is(await node.synchronizer.checkForDrift(), false);
      const table = mode === "flat" ? "sluice" : "kube-proxy";
      nft(`delete element ip ${table} cluster-ips { 10.96.0.12 }`);
      assert.is(await node.synchronizer.checkForDrift(), true);
      const { failed } = await node.run();
      assert.is(failed, false);
      const drift = node.reports.find(({ family }) => family === "ipv4")?.drift;
      assert.is(drift?.missing, 1);
      assert.equal(drift?.names, ["cluster-ips"]);
      nft(`delete table ip ${table}`);
      assert.is(await node.synchronizer.checkForDrift(), true);
      node.reports.length = 0;
      await node.settle();
      assert.is(node.reports.find(({ family }) => family === "ipv4")?.drift?.rebuilt, true);
      assert.equal(await node.difference(all), []);
      await node.writer.close();
    });
  }

  test("no Service is blamed for what somebody else has deleted: the table is read, and all is written", async () => {
    const node = await Node.start("flat");
    node.put(...all);
    await node.settle();
    nft("delete element ip sluice backends { 10.96.0.12 . tcp . 80 . 1 }");
    // The change deletes that very element; nobody has looked at the kernel before.
    const fewer = makeSlice("shop/web-1", "web", ["10.0.0.1"]);
    node.put(fewer);
    assert.is((await node.run()).failed, true);
    const report = node.reports.find(({ family }) => family === "ipv4");
    assert.match(report?.failure ?? "", "ENOENT");
    assert.equal(report?.leftOut, []);
    assert.is((await node.run()).failed, false);
    assert.equal(node.reports.find(({ family }) => family === "ipv4")?.leftOut, []);
    await node.settle();
    assert.equal(await node.difference([kubernetes, kubernetesSlice, web, fewer, cidr]), []);
    await node.writer.close();
  });

  test("a family that fails does not stop the other, and is written when it can be", async () => {
    const node = await Node.start("flat");
    node.put(...all);
    node.writer.next = ({ family }) => (family === "ipv4" ? "refuse" : "write");
    const { failed } = await node.run();
    assert.is(failed, true);
    assert.equal(
      node.reports.map(({ family, failure }) => [family, failure]),
      [
        ["ipv4", "told to"],
        ["ipv6", undefined],
      ],
    );
    assert.match(listing(), "table ip6 sluice");
    assert.not.match(listing(), "table ip sluice");
    node.writer.next = () => "write";
    await node.settle();
    assert.equal(await node.difference(all), []);
    await node.writer.close();
  });

  test("while a family that has failed waits for another try, the other is written, heavy Services too", async () => {
    const node = await Node.start("flat");
    node.state.use((engine) => engine.setPortion(40));
    node.put(...all);
    await node.settle();
    node.writer.next = ({ family }) => (family === "ipv6" ? "refuse" : "write");
    const heavy = makeService("evil/heavy", {
      ip: "10.96.9.9",
      externalIPs: Array.from({ length: 60 }, (_, i) => `198.51.100.${i + 1}`),
    });
    const dual = [
      makeService("story/web", { ip: "10.96.77.1,fd00:96::77" }),
      makeSlice("story/web-1", "web", ["10.0.7.1"]),
      makeSlice("story/web-2", "web", ["fd00:7::1"]),
    ];
    node.put(heavy, ...dual, makeSlice("evil/heavy-1", "heavy", ["10.0.7.7"]));
    const first = await node.run();
    assert.equal([first.failed, first.othersGoOn], [true, true]);
    assert.match(listing(), "10.96.77.1 . tcp . 80 . 0 : 10.0.7.1 . 8080");
    for (let i = 0; i < 20 && !listing().includes("198.51.100.60 . tcp"); i++) await node.run(false);
    assert.match(listing(), "198.51.100.60 . tcp . 80");
    let tries = 0;
    node.writer.next = ({ family }) => {
      if (family === "ipv6") tries++;
      return "write";
    };
    node.put(makeSlice("story/web-1", "web", ["10.0.7.2"]));
    const { failed, othersGoOn } = await node.run(false);
    assert.equal([failed, othersGoOn, tries], [true, true, 0]);
    assert.equal(
      node.reports.map(({ family }) => family),
      ["ipv4"],
      "nothing is said of a family that waits",
    );
    assert.match(listing(), "10.96.77.1 . tcp . 80 . 0 : 10.0.7.2 . 8080");
    assert.not.match(listing(), "fd00:96::77");
    assert.is((await node.run()).failed, false);
    assert.match(listing(), "fd00:96::77");
    await node.writer.close();
  });

  test("a table that another process owns is no Service's fault", async () => {
    const node = await Node.start("flat");
    node.put(...all);
    await node.settle();
    spawnSync("nft", ["delete", "table", "ip6", "sluice"]);
    const owner = spawn("nft", ["-i"], { stdio: ["pipe", "ignore", "ignore"] });
    try {
      owner.stdin.write("add table ip6 sluice { flags owner; }\n");
      while (!/table ip6 sluice \{[^}]*owner/.test(listing())) await setTimeout(10);
      await node.synchronizer.checkForDrift();
      for (let i = 0; i < 5; i++) {
        const { failed } = await node.run();
        const [ipv4, ipv6] = node.reports;
        assert.equal([failed, ipv4?.failure, ipv6?.leftOut], [true, undefined, []]);
        assert.match(ipv6?.failure ?? "", /EPERM.*flag `owner`/);
      }
      assert.equal(
        node.state.use((engine) => engine.leftOut()),
        [],
      );
    } finally {
      owner.stdin.end();
      await once(owner, "exit");
    }
    await node.synchronizer.checkForDrift();
    await node.settle();
    assert.equal(await node.difference(all), []);
    await node.writer.close();
  });

  test("a family that is not programmed here is left alone", async () => {
    const node = await Node.start("flat", ["ipv4"]);
    node.put(...all);
    await node.settle();
    assert.match(listing(), "table ip sluice");
    assert.not.match(listing(), "table ip6 sluice");
    await node.writer.close();
  });

  test("a kernel that can't be read is not written", async () => {
    const node = await Node.start("flat");
    node.writer.dumpFails = true;
    node.put(...all);
    assert.equal(await node.run(), { failed: true, inSync: [], dueIn: undefined });
    assert.equal(node.writer.written, []);
    await node.writer.close();
  });

  test("a table that reconciliation can't mend is made anew", async () => {
    const node = await Node.start("flat");
    node.put(...all);
    await node.settle();
    nft("flush chain ip sluice masquerading"); // which belongs to no Service
    node.synchronizer.doubt();
    const small = node.writer;
    small.next = (batch) => (batch.family === "ipv4" && !batch.full ? "refuse" : "write");
    for (let i = 0; i < 3; i++) assert.is((await node.run()).failed, true);
    await node.run();
    assert.ok(small.written.some(({ family, full }) => family === "ipv4" && full));
    small.next = () => "write";
    await node.settle();
    assert.equal(await node.difference(all), []);
    await node.writer.close();
  });

  const seed = seedFromEnvironment();
  test(`whatever fails or gets lost on the way, the kernel ends where it should be (SEED=${seed})`, async () => {
    for (let round = 0; round < 12; round++) {
      nft("flush ruleset");
      const random = new Random(seed + round);
      const mode = random.pick(["flat", "flat", "nftables"] as const);
      const node = await Node.start(mode);
      const world = new World(random);
      node.put(...world.list());
      const change = () => {
        const { type, object } = world.change();
        if (type === "DELETED") node.remove(object);
        else node.put(object);
      };
      node.writer.next = () => {
        // Objects also change while a batch is on its way.
        if (random.chance(0.2)) change();
        const dice = random.below(10);
        return dice === 0 ? "refuse" : dice === 1 ? "lose" : dice === 2 ? "lose-written" : "write";
      };
      for (let step = 0; step < 15; step++) {
        change();
        const { dueIn } = await node.run();
        if (random.chance(0.2)) node.synchronizer.doubt();
        node.clock.spend(random.chance(0.5) ? 10 : (dueIn ?? 1000));
      }
      node.writer.next = () => "write";
      node.synchronizer.retryLeftOut();
      await node.settle();
      assert.equal(await node.difference(world.list()), [], `round ${round} (${mode})`);
      await node.writer.close();
    }
  });
});
