// Flows in a real kernel, made by hand: which are removed, and what is said of them.
import * as assert from "uvu/assert";
import {
  commitAll,
  type Endpoint,
  makeEngine,
  makeNode,
  makeService,
  makeSlice,
  put,
  remove,
} from "../../../fixtures/support/engine-tests.ts";
import type { EngineInstance } from "../../shared/engine.ts";
import { ENOENT } from "../netlink/messages/errno.ts";
import { NFPROTO_IPV4 } from "../netlink/messages/uapi.ts";
import { NetlinkSocket } from "../netlink/sockets/socket.ts";
import { inNamespaces } from "../netlink/testing/namespace.ts";
import { describeStalls, withStalls } from "../netlink/testing/stalls.ts";
import { ConntrackReconciler, type FlowRemoval } from "./reconciler.ts";
import { identityOf, removeFlows } from "./removal.ts";
import type { Flow } from "./testing/flows.ts";
import { flushFlows, listFlows, makeFlows, rawFlows } from "./testing/kernel.ts";

const dns = { name: "dns", port: 53, protocol: "UDP" };
const service = (fields: object = {}) => makeService("x/dns", { ip: "10.96.0.10", ports: [dns], ...fields });
const slice = (endpoints: (string | Endpoint)[]) =>
  makeSlice("x/dns-1", "dns", endpoints, { ports: [{ name: "dns", port: 5353, protocol: "UDP" }] });

function start(engine: EngineInstance, dryRun = false) {
  const removals: FlowRemoval[] = [];
  const reconciler = new ConntrackReconciler({
    engine: (run) => run(engine),
    dryRun,
    log: (removal) => removals.push(removal),
  });
  return { reconciler, removals };
}

function newEngine(): EngineInstance {
  const engine = makeEngine("flat", { nodeName: "node-a", interfaceAddresses: ["192.0.2.1"] }) as EngineInstance;
  put(engine, makeNode("node-a", { ips: ["192.0.2.1"] }));
  return engine;
}

let client = 40000;
const flow = (destination: string, answers?: string, more: Partial<Flow> = {}): Flow => ({
  client: `192.0.2.7:${client++}`,
  destination,
  ...(answers === undefined ? {} : { answers }),
  ...more,
});

inNamespaces(import.meta.url, ["root", "user"], (test, kind) => {
  test.before.each(flushFlows);

  test("stale flows go, and nothing else", async () => {
    const engine = newEngine();
    put(
      engine,
      service({ type: "LoadBalancer", ports: [{ ...dns, nodePort: 30053 }], ingress: [{ ip: "198.51.100.1" }] }),
      slice(["10.0.0.1"]),
    );
    commitAll(engine, 0);
    const stay = [
      flow("10.96.0.10:53", "10.0.0.1:5353"),
      flow("198.51.100.1:53", "10.0.0.1:5353"),
      flow("192.0.2.1:30053", "10.0.0.1:5353"),
      flow("10.96.0.10:53", "10.0.0.2:5353", { protocol: 6 }),
      flow("10.96.0.10:53", "10.0.0.2:5353", { zone: 7 }),
      flow("203.0.113.9:30053"),
      flow("203.0.113.9:53"),
    ];
    await makeFlows(stay);
    const before = await listFlows();
    assert.is(before.length, stay.length);
    await makeFlows([
      flow("10.96.0.10:53", "10.0.0.2:5353"),
      flow("10.96.0.10:53"),
      flow("198.51.100.1:53", "10.0.0.2:5353"),
      flow("192.0.2.1:30053", "10.0.0.2:5353"),
    ]);
    const { reconciler, removals } = start(engine);
    const [run, ...more] = await reconciler.runDue("udp");
    assert.equal([run?.errors, run?.removed, run?.complete, run?.dryRun, more.length], [[], 4, true, false, 0]);
    assert.equal(await listFlows(), before);
    assert.equal(removals.map(({ reason, entryPoint }) => `${entryPoint} ${reason}`).sort(), [
      "cluster-ip endpoint-gone",
      "cluster-ip never-translated",
      "load-balancer-ip endpoint-gone",
      "node-port endpoint-gone",
    ]);
    assert.equal(await reconciler.runDue("udp"), [], "nothing has changed since");
    // Kernels before 5.8 would send the others too; this one filters.
    assert.is(run?.flows, stay.length - 1 + 4);
  });

  test("what is said of a removal", async () => {
    const engine = newEngine();
    put(engine, service(), slice(["10.0.0.1"]));
    commitAll(engine, 0);
    await makeFlows([{ client: "192.0.2.7:4000", destination: "10.96.0.10:53", answers: "10.0.0.2:5353" }]);
    const { reconciler, removals } = start(engine);
    await reconciler.run("ipv4", "udp");
    assert.equal(removals, [
      {
        family: "ipv4",
        kind: "udp",
        reason: "endpoint-gone",
        entryPoint: "cluster-ip",
        namespace: "x",
        service: "dns",
        port: "dns",
        client: "192.0.2.7:4000",
        destination: "10.96.0.10:53",
        answers: "10.0.0.2:5353",
        dryRun: false,
      },
    ]);
  });

  test("a dry run says the same and removes nothing", async () => {
    const engine = newEngine();
    put(engine, service(), slice(["10.0.0.1"]));
    commitAll(engine, 0);
    await makeFlows([flow("10.96.0.10:53", "10.0.0.2:5353"), flow("10.96.0.10:53", "10.0.0.1:5353")]);
    const before = await listFlows();
    const { reconciler, removals } = start(engine, true);
    const [run] = await reconciler.runDue("udp");
    assert.equal([run?.removed, run?.dryRun, run?.complete], [1, true, true]);
    assert.equal([removals.length, removals[0]?.reason, removals[0]?.dryRun], [1, "endpoint-gone", true]);
    assert.equal(await listFlows(), before);
  });

  test("a restart removes no flow that is right", async () => {
    const objects = [service({ externalIPs: ["203.0.113.5"] }), slice(["10.0.0.1", "10.0.0.2"])];
    await makeFlows([
      flow("10.96.0.10:53", "10.0.0.1:5353"),
      flow("10.96.0.10:53", "10.0.0.2:5353"),
      flow("203.0.113.5:53", "10.0.0.2:5353"),
      flow("10.96.0.77:53", "10.0.0.9:5353"),
    ]);
    const before = await listFlows();
    for (let restart = 0; restart < 3; restart++) {
      const engine = newEngine();
      const { reconciler } = start(engine);
      put(engine, ...objects);
      assert.equal(await reconciler.runDue("udp"), [], "nothing is in the kernel yet");
      assert.is((await reconciler.run("ipv4", "udp")).removed, 0);
      commitAll(engine, 0);
      const [run] = await reconciler.runDue("udp");
      assert.equal([run?.removed, run?.complete], [0, true]);
      assert.equal(await listFlows(), before);
    }
  });

  test("a deleted Service, and one without endpoints", async () => {
    const engine = newEngine();
    const { reconciler, removals } = start(engine);
    put(engine, service({ ports: [{ ...dns, nodePort: 30053 }], type: "NodePort" }), slice(["10.0.0.1"]));
    let now = commitAll(engine, 0);
    await reconciler.runDue("udp");
    const flows = [flow("10.96.0.10:53", "10.0.0.1:5353"), flow("192.0.2.1:30053", "10.0.0.1:5353")];
    await makeFlows(flows);
    put(engine, slice([]));
    now = commitAll(engine, now);
    await reconciler.runDue("udp");
    assert.equal(await listFlows(), []);
    put(engine, slice(["10.0.0.1"]));
    now = commitAll(engine, now);
    await makeFlows([...flows, flow("203.0.113.9:30053", "10.0.0.1:5353")]);
    remove(engine, service());
    commitAll(engine, now);
    await reconciler.runDue("udp");
    assert.is((await listFlows()).length, 1);
    assert.equal(
      removals.map(({ reason }) => reason),
      ["no-endpoints", "no-endpoints", "service-gone", "service-gone"],
    );
  });

  test("TCP that nobody has answered goes with its endpoint; the kernel passes on nothing else", async () => {
    const engine = newEngine();
    const http = { name: "dns", port: 53 };
    put(
      engine,
      service({ ports: [http] }),
      makeSlice("x/dns-1", "dns", ["10.0.0.1"], { ports: [{ ...http, port: 8053 }] }),
    );
    commitAll(engine, 0);
    const tcp = (answers: string, unanswered: boolean) => flow("10.96.0.10:53", answers, { protocol: 6, unanswered });
    await makeFlows([tcp("10.0.0.1:8053", true), tcp("10.0.0.2:8053", false), flow("10.96.0.10:53", "10.0.0.2:5353")]);
    const before = await listFlows();
    await makeFlows([tcp("10.0.0.2:8053", true)]);
    const { reconciler, removals } = start(engine);
    const runs = await reconciler.runDue("unanswered-tcp");
    assert.equal(
      runs.map(({ family, kind, flows, removed, complete }) => [family, kind, flows, removed, complete]),
      [
        ["ipv4", "unanswered-tcp", 2, 1, true],
        ["ipv6", "unanswered-tcp", 0, 0, true],
      ],
    );
    assert.equal(await listFlows(), before);
    assert.is(removals[0]?.reason, "endpoint-gone");
    assert.equal(await reconciler.runDue("unanswered-tcp"), []);
  });

  test("IPv6", async () => {
    const engine = newEngine();
    put(engine, service({ ip: "fd00::10" }), slice(["fd01::1"]));
    commitAll(engine, 0);
    const from = { client: "[2001:db8::7]:40000" };
    await makeFlows([
      flow("[fd00::10]:53", "[fd01::1]:5353", from),
      flow("[fd00::10]:53", "[fd01::2]:5353", { client: "[2001:db8::7]:40001" }),
      flow("10.96.0.10:53"),
    ]);
    const { reconciler } = start(engine);
    const [run, ...more] = await reconciler.runDue("udp");
    assert.equal([run?.family, run?.flows, run?.removed, more.length], ["ipv6", 2, 1, 0]);
    assert.is((await listFlows()).length, 2);
  });

  test("a flow that was made anew meanwhile stays, and one that is gone is no error", async () => {
    const one = flow("10.96.0.10:53", "10.0.0.2:5353");
    const other = flow("10.96.0.10:53", "10.0.0.3:5353");
    await makeFlows([one, other]);
    const identities = (await rawFlows()).flatMap((message) => identityOf(message) ?? []);
    assert.is(identities.length, 2);
    await flushFlows();
    const socket = NetlinkSocket.open();
    assert.equal(await removeFlows(socket, NFPROTO_IPV4, identities), [ENOENT, ENOENT], "gone");
    // The kernel makes the id of tuple and memory address (nf_ct_get_id): in the very place of the old flow a new one has
    // the old id. So others are made before it, until both stand elsewhere.
    let now: Uint8Array[] = [];
    let others = 0;
    const isOld = (identity: Uint8Array) => identities.some((old) => Buffer.compare(old, identity) === 0);
    do {
      await flushFlows();
      others += 50;
      const made = Array.from({ length: others }, (_, i) => flow("10.96.0.99:53", `10.1.${i >> 8}.${i & 255}:53`));
      await makeFlows(made.map((each, i) => ({ ...each, client: `192.0.2.7:${10_000 + i}` })));
      await makeFlows([one, other]);
      const tuples = identities.map((identity) => Buffer.from(identity).subarray(0, identity.length - 8));
      now = (await rawFlows())
        .flatMap((message) => identityOf(message) ?? [])
        .filter((identity) => tuples.some((tuple) => tuple.compare(identity, 0, tuple.length) === 0));
    } while (now.some(isOld) && others < 2000);
    assert.is(now.length, 2);
    assert.is(now.some(isOld), false);
    assert.equal(await removeFlows(socket, NFPROTO_IPV4, identities), [ENOENT, ENOENT], "made anew");
    assert.is((await listFlows()).length, others + 2);
    const mixed = [now[0] as Uint8Array, identities[1] as Uint8Array, now[1] as Uint8Array];
    const errnos = await removeFlows(socket, NFPROTO_IPV4, mixed);
    assert.equal(errnos, [0, ENOENT, 0]);
    assert.is((await listFlows()).length, others);
    await socket.close();
  });

  test("calls beside each other", async () => {
    const engine = newEngine();
    put(engine, service(), slice(["10.0.0.1"]));
    commitAll(engine, 0);
    await makeFlows([flow("10.96.0.10:53", "10.0.0.2:5353")]);
    const { reconciler, removals } = start(engine);
    const runs = [reconciler.run("ipv4", "udp"), reconciler.run("ipv4", "udp"), reconciler.run("ipv6", "udp")];
    assert.is(runs[0], runs[1]);
    assert.equal(
      (await Promise.all(runs)).map(({ family, removed }) => [family, removed]),
      [
        ["ipv4", 1],
        ["ipv4", 1],
        ["ipv6", 0],
      ],
    );
    assert.is(removals.length, 1);
    await reconciler.close();
    assert.equal(await reconciler.runDue("udp"), []);
  });

  test("150,000 flows", async () => {
    const engine = newEngine();
    const count = 150_000;
    const at = (prefix: string, n: number) => `${prefix}.${(n >> 8) & 255}.${n & 255}`;
    const endpoints = Array.from({ length: 100 }, (_, n) => at("10.1", n));
    put(engine, service(), slice(endpoints));
    commitAll(engine, 0);
    const flows: Flow[] = Array.from({ length: count }, (_, n) => ({
      client: `${at(`100.${64 + (n >> 16)}`, n & 65535)}:4000`,
      // A third is of nobody here; of the rest every tenth goes to an endpoint that is gone.
      ...(n % 3 === 0
        ? { destination: "203.0.113.9:53" }
        : { destination: "10.96.0.10:53", answers: `${n % 10 === 1 ? "10.2.0.1" : at("10.1", n % 100)}:5353` }),
    }));
    const stale = flows.filter(({ answers }) => answers === "10.2.0.1:5353").length;
    await makeFlows(flows);
    const { reconciler } = start(engine);
    const measured = await withStalls(() => reconciler.run("ipv4", "udp"));
    const again = await withStalls(() => reconciler.run("ipv4", "udp"));
    assert.equal(measured.result.errors, []);
    assert.equal([measured.result.flows, measured.result.removed], [count, stale]);
    assert.equal([again.result.flows, again.result.removed], [count - stale, 0]);
    put(engine, slice([]));
    commitAll(engine, 20_000);
    const all = await withStalls(() => reconciler.run("ipv4", "udp"));
    assert.equal([all.result.flows, all.result.removed], [count - stale, (count * 2) / 3 - stale]);
    console.log(`${kind}: ${count} flows, ${stale} removed: ${describeStalls(measured)}`);
    console.log(`${kind}: ${count - stale} flows, none removed: ${describeStalls(again)}`);
    console.log(`${kind}: ${count - stale} flows, ${all.result.removed} removed: ${describeStalls(all)}`);
  });
});
