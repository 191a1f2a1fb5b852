// Real datagrams through our rules: a client that keeps its port reaches who serves now, after each change. These are
// the Conntrack cases of Kubernetes' own end-to-end tests (test/e2e/network/conntrack.go), and more.
import { execFileSync } from "node:child_process";
import * as assert from "uvu/assert";
import {
  type Endpoint,
  type KubernetesObject,
  makeEngine,
  makeNode,
  makeService,
  makeSlice,
  put,
  remove,
} from "../../../fixtures/support/engine-tests.ts";
import type { Batch, Mode } from "../../shared/contract.ts";
import type { EngineInstance } from "../../shared/engine.ts";
import { flushAll } from "../kernel/testing/node.ts";
import type { KernelWriter } from "../kernel/writer.ts";
import { IptablesWriter } from "../kernel/writers/iptables-writer.ts";
import { openNetlinkWriter } from "../kernel/writers/netlink-writer.ts";
import { inNamespaces } from "../netlink/testing/namespace.ts";
import { ConntrackReconciler, type FlowRemoval } from "./reconciler.ts";
import { flushFlows, listFlows } from "./testing/kernel.ts";
import { closeAll, setUpAddresses, startClient, startPod } from "./testing/pods.ts";

const NODE = "192.0.2.1";
const CLIENT = "192.0.2.7";
const POD1 = "10.0.0.1";
const POD2 = "10.0.0.2";
const REMOTE = "203.0.113.9";
const VIP = "10.96.0.10";
const LOAD_BALANCER = "198.51.100.1";
const NODE_PORT = 30053;

const dns = { name: "dns", port: 53, protocol: "UDP", nodePort: NODE_PORT };
const service = makeService("x/dns", {
  ip: VIP,
  type: "LoadBalancer",
  ports: [dns],
  ingress: [{ ip: LOAD_BALANCER }],
});
const slice = (endpoints: (string | Endpoint)[], port = 5353) =>
  makeSlice("x/dns-1", "dns", endpoints, { ports: [{ name: "dns", port, protocol: "UDP" }] });
const notReady: Endpoint = { ip: POD1, ready: false, serving: false };

const DESTINATIONS: readonly (readonly [string, number])[] = [
  [VIP, 53],
  [LOAD_BALANCER, 53],
  [NODE, NODE_PORT],
];

/** An agent in small: engine, writer and reconciler. */
class Agent {
  readonly removals: FlowRemoval[] = [];
  readonly #engine: EngineInstance;
  readonly #writer: KernelWriter;
  readonly #reconciler: ConntrackReconciler;
  #now = 0;

  private constructor(mode: Mode, writer: KernelWriter) {
    this.#engine = makeEngine(mode, {
      nodeName: "node-a",
      interfaceAddresses: ["127.0.0.1", NODE],
      nodePortAddresses: ["primary"],
      nfacctInvalidDropped: false,
      nfacctLocalhostAccepted: false,
    }) as EngineInstance;
    if (mode !== "iptables") this.#engine.setEncoding("netlink");
    this.#writer = writer;
    this.#reconciler = new ConntrackReconciler({
      engine: (run) => run(this.#engine),
      dryRun: false,
      log: (removal) => this.removals.push(removal),
    });
  }

  /** Takes over what an earlier one has left in the kernel. */
  static async start(mode: Mode, ...objects: KubernetesObject[]): Promise<Agent> {
    const opened = await (mode === "iptables" ? IptablesWriter.open() : openNetlinkWriter(mode));
    if (opened.outcome !== "opened") throw new Error(opened.message);
    const agent = new Agent(mode, opened.writer);
    put(agent.#engine, makeNode("node-a", { ips: [NODE] }), ...objects);
    for (const family of ["ipv4", "ipv6"] as const) {
      const dump = await agent.#writer.dump(family);
      if (dump.outcome === "dumped") await agent.#write(agent.#engine.reconcile(family, dump.pieces, agent.#now));
    }
    await agent.#plan();
    return agent;
  }

  put(...objects: KubernetesObject[]): Promise<void> {
    put(this.#engine, ...objects);
    return this.#plan();
  }

  remove(object: KubernetesObject): Promise<void> {
    remove(this.#engine, object);
    return this.#plan();
  }

  /** Reasons of what was removed. */
  async reconcile(): Promise<string[]> {
    const before = this.removals.length;
    for (const { errors } of await this.#reconciler.runDue("udp")) assert.equal(errors, []);
    return this.removals.slice(before).map(({ reason }) => reason);
  }

  async stop(): Promise<void> {
    await this.#reconciler.close();
    await this.#writer.close();
  }

  async #plan(): Promise<void> {
    this.#now += 10_000;
    await this.#write(this.#engine.plan(this.#now));
  }

  async #write(batches: readonly Batch[]): Promise<void> {
    for (const batch of batches) {
      const result = await this.#writer.write(batch);
      assert.equal(result, { outcome: "written" });
      this.#engine.committed(batch.id, this.#now + batch.notBeforeMs);
    }
  }
}

let isSetUp = false;

inNamespaces(import.meta.url, ["root", "user"], (test) => {
  test.before.each(async () => {
    if (!isSetUp) setUpAddresses([NODE, CLIENT, POD1, POD2, REMOTE], ["10.96.0.0/16", "198.51.100.0/24"]);
    isSetUp = true;
    flushAll();
    await flushFlows();
  });
  test.after.each(closeAll);

  for (const mode of ["flat", "nftables", "iptables"] as const) {
    test(`${mode}: a pod is replaced`, async () => {
      const agent = await Agent.start(mode, service, slice([POD1]));
      await agent.reconcile();
      const stop = await startPod("one", POD1, 5353);
      await startPod("two", POD2, 5353);
      const client = await startClient(CLIENT);
      for (const [ip, port] of DESTINATIONS) assert.is(await client.ask(ip, port), "one", ip);
      await stop();
      await agent.put(slice([POD2]));
      for (const [ip, port] of DESTINATIONS)
        assert.is(await client.ask(ip, port), "nobody", `${ip}: the flow is stale`);
      assert.equal(await agent.reconcile(), ["endpoint-gone", "endpoint-gone", "endpoint-gone"]);
      for (const [ip, port] of DESTINATIONS) assert.is(await client.ask(ip, port), "two", ip);
      await agent.stop();
    });

    test(`${mode}: a terminating pod keeps its clients as long as it serves`, async () => {
      const agent = await Agent.start(mode, service, slice([POD1]));
      await startPod("one", POD1, 5353);
      await startPod("two", POD2, 5353);
      const client = await startClient(CLIENT);
      assert.is(await client.ask(VIP, 53), "one");
      await agent.put(slice([{ ip: POD1, ready: false, serving: true, terminating: true }, POD2]));
      assert.equal(await agent.reconcile(), []);
      assert.is(await client.ask(VIP, 53), "one");
      await agent.put(slice([{ ip: POD1, ready: false, serving: false, terminating: true }, POD2]));
      assert.equal(await agent.reconcile(), ["endpoint-gone"]);
      assert.is(await client.ask(VIP, 53), "two");
      await agent.stop();
    });

    test(`${mode}: the first pod becomes ready`, async () => {
      const agent = await Agent.start(mode, service, slice([notReady]));
      await agent.reconcile();
      await startPod("one", POD1, 5353);
      const client = await startClient(CLIENT);
      for (const [ip, port] of DESTINATIONS) assert.is(await client.ask(ip, port), "nobody", ip);
      await agent.put(slice([POD1]));
      await agent.reconcile();
      for (const [ip, port] of DESTINATIONS) assert.is(await client.ask(ip, port), "one", ip);
      await agent.stop();
    });

    test(`${mode}: the target port changes`, async () => {
      const agent = await Agent.start(mode, service, slice([POD1]));
      const stop = await startPod("one", POD1, 5353);
      await startPod("one again", POD1, 5354);
      const client = await startClient(CLIENT);
      assert.is(await client.ask(VIP, 53), "one");
      await stop();
      await agent.put(slice([POD1], 5354));
      assert.equal(await agent.reconcile(), ["endpoint-gone"]);
      assert.is(await client.ask(VIP, 53), "one again");
      await agent.stop();
    });

    test(`${mode}: all endpoints go, and one comes back`, async () => {
      const agent = await Agent.start(mode, service, slice([POD1]));
      await startPod("one", POD1, 5353);
      await startPod("two", POD2, 5353);
      const client = await startClient(CLIENT);
      for (const [ip, port] of DESTINATIONS) assert.is(await client.ask(ip, port), "one", ip);
      await agent.put(slice([]));
      assert.equal(await agent.reconcile(), ["no-endpoints", "no-endpoints", "no-endpoints"]);
      for (const [ip, port] of DESTINATIONS) assert.is(await client.ask(ip, port), "nobody", ip);
      // What is rejected makes no flow, but for packets of the node itself to its own node port (and in iptables mode to
      // external addresses): they are rejected as they come in, if at all, when conntrack has confirmed them as they left.
      const left = (await listFlows()).map((flow) => flow.replace(/^.* > /, ""));
      const nodePort = `${NODE}:${NODE_PORT} < ${NODE}:${NODE_PORT}`;
      const external = `${LOAD_BALANCER}:53 < ${LOAD_BALANCER}:53`;
      assert.equal(left, mode === "iptables" ? [nodePort, external] : [nodePort]);
      await agent.put(slice([POD2]));
      assert.equal(
        await agent.reconcile(),
        left.map(() => "never-translated"),
      );
      for (const [ip, port] of DESTINATIONS) assert.is(await client.ask(ip, port), "two", ip);
      await agent.stop();
    });

    test(`${mode}: the Service is deleted`, async () => {
      const agent = await Agent.start(mode, service, slice([POD1]));
      await agent.reconcile();
      await startPod("one", POD1, 5353);
      const client = await startClient(CLIENT);
      for (const [ip, port] of DESTINATIONS) assert.is(await client.ask(ip, port), "one", ip);
      await agent.remove(service);
      assert.is(await client.ask(VIP, 53), "one", "conntrack goes on");
      assert.equal(await agent.reconcile(), ["service-gone", "service-gone", "service-gone"]);
      for (const [ip, port] of DESTINATIONS) assert.is(await client.ask(ip, port), "nobody", ip);
      await agent.stop();
    });

    // iptables mode cannot read its rules back.
    if (mode !== "iptables")
      test(`${mode}: the Service is deleted while no agent runs`, async () => {
        const first = await Agent.start(mode, service, slice([POD1]));
        await startPod("one", POD1, 5353);
        const client = await startClient(CLIENT);
        for (const [ip, port] of DESTINATIONS) assert.is(await client.ask(ip, port), "one", ip);
        await first.stop();
        const second = await Agent.start(mode, slice([POD1]));
        assert.is(await client.ask(VIP, 53), "one", "conntrack goes on");
        assert.equal(await second.reconcile(), ["service-gone", "service-gone", "service-gone"]);
        assert.equal(
          second.removals.map(({ entryPoint, service }) => entryPoint + service),
          ["unknown", "unknown", "unknown"],
        );
        assert.equal(await second.reconcile(), []);
        for (const [ip, port] of DESTINATIONS) assert.is(await client.ask(ip, port), "nobody", ip);
        await second.stop();
      });

    test(`${mode}: the Service comes after the first packets`, async () => {
      const other = makeService("x/other", { ip: "10.96.0.99" });
      const agent = await Agent.start(mode, other);
      await agent.reconcile();
      await startPod("one", POD1, 5353);
      const client = await startClient(CLIENT);
      for (const [ip, port] of DESTINATIONS) assert.is(await client.ask(ip, port), "nobody", ip);
      await agent.put(service, slice([POD1]));
      // Nobody listens at the node port, so the kernel has answered that datagram with an ICMP error; the flow is there.
      for (const [ip, port] of DESTINATIONS)
        assert.is(await client.ask(ip, port), "nobody", `${ip}: still untranslated`);
      assert.equal(await agent.reconcile(), ["never-translated", "never-translated", "never-translated"]);
      for (const [ip, port] of DESTINATIONS) assert.is(await client.ask(ip, port), "one", ip);
      await agent.stop();
    });

    test(`${mode}: a restart, other protocols and other hosts`, async () => {
      const first = await Agent.start(mode, service, slice([POD1, POD2]));
      await first.reconcile();
      await startPod("one", POD1, 5353);
      await startPod("two", POD2, 5353);
      await startPod("remote", REMOTE, NODE_PORT);
      const client = await startClient(CLIENT);
      const answers: string[] = [];
      for (const [ip, port] of DESTINATIONS) answers.push(await client.ask(ip, port));
      assert.is(await client.ask(REMOTE, NODE_PORT), "remote");
      execFileSync("bash", ["-c", `exec 3<>/dev/tcp/${NODE}/9 || true`], { stdio: "ignore" });
      const before = await listFlows();
      assert.is(before.filter((flow) => flow.startsWith("udp")).length, 4);
      await first.stop();

      const second = await Agent.start(mode, service, slice([POD1, POD2]));
      assert.equal(await second.reconcile(), []);
      const stays = before.filter((flow) => flow.startsWith("udp"));
      assert.equal(
        (await listFlows()).filter((flow) => flow.startsWith("udp")),
        stays,
      );
      const again: string[] = [];
      for (const [ip, port] of DESTINATIONS) again.push(await client.ask(ip, port));
      assert.equal(again, answers);
      await second.put(slice([]));
      await second.reconcile();
      assert.is(await client.ask(REMOTE, NODE_PORT), "remote");
      assert.is((await listFlows()).filter((flow) => flow.includes(`> ${REMOTE}:${NODE_PORT}`)).length, 1);
      await second.stop();
    });
  }
});
