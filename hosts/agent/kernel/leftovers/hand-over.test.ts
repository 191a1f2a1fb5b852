// A node's last rules stay until a kube-proxy answers and has written its own: real tables, and a kube-proxy's answers.
import { createServer, type Server } from "node:http";
import * as assert from "uvu/assert";
import { freshEngine, prepareNodeA } from "../../../../fixtures/agent/node.ts";
import { shopObjects } from "../../../../fixtures/api-server/shop.ts";
import { recording } from "../../../../fixtures/recordings/recordings.ts";
import { applyJson } from "../../../../fixtures/support/engine.ts";
import { listOf } from "../../../../fixtures/support/objects.ts";
import { runCli } from "../../../cli/testing/run-cli.ts";
import { inNamespaces } from "../../netlink/testing/namespace.ts";
import { sendBatches } from "../testing/flat.ts";
import { flushAll, hasLegacy, listEverything, shell } from "../testing/node.ts";
import { type CleanupOutcome, cleanupAfterHandOver } from "./cleanup.ts";

const HEALTH = "http://127.0.0.1:10256/livez";
const nft = recording("kube-proxy.nftables.nft.txt");
const saved = {
  iptables: recording("kube-proxy.iptables.iptables.txt"),
  ip6tables: recording("kube-proxy.iptables.ip6tables.txt"),
};

/** What a kube-proxy answers; 0: it is not there. */
class FakeKubeProxy {
  healthz = 200;
  livez = 200;
  #servers: Server[] = [];

  async start(mode: string): Promise<void> {
    const body = '{"lastUpdated":"2026-11-01T10:00:00Z","currentTime":"2026-11-01T10:00:00Z","nodeEligible":true}';
    const health = createServer(({ url }, response) => {
      response.writeHead(url === "/livez" ? this.livez : this.healthz).end(body);
    });
    const metrics = createServer((_, response) => void response.end(mode));
    this.#servers = [health, metrics];
    await new Promise<void>((resolve) => health.listen(10256, "127.0.0.1", resolve));
    await new Promise<void>((resolve) => metrics.listen(10249, "127.0.0.1", resolve));
  }

  async stop(): Promise<void> {
    for (const server of this.#servers) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    this.#servers = [];
  }
}

async function writeFlat(): Promise<void> {
  const engine = freshEngine("flat", (each) => applyJson(each, listOf(shopObjects())));
  engine.forget();
  await sendBatches(engine, engine.plan(0), 0);
  await sendBatches(engine, engine.plan(5000), 5000);
}

/** A cleanup at work. */
class Waiting {
  readonly said: string[] = [];
  readonly done: Promise<CleanupOutcome>;
  constructor(timeoutMs = 60_000) {
    const say = async (text: string) => void this.said.push(text);
    this.done = cleanupAfterHandOver({ timeoutMs, evenIfNothingTakesOver: false, say });
  }

  async says(text: string): Promise<void> {
    const end = performance.now() + 60_000;
    while (!this.said.some((each) => each.includes(text))) {
      if (performance.now() > end) throw new Error(`${text} was not said, but ${this.said.join(" / ")}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Each table's text of a ruleset of nft. */
const tableOf = (family: "ip" | "ip6") =>
  nft.slice(nft.indexOf(`table ${family} kube-proxy`)).replace(/\n\}\n[\s\S]*$/, "\n}\n");

/** As kube-proxy leaves nat between making its chains and writing its rules. */
const EMPTY_CHAINS =
  "*nat\n:KUBE-SERVICES - [0:0]\n-A PREROUTING -j KUBE-SERVICES\n-A OUTPUT -j KUBE-SERVICES\nCOMMIT\n";

inNamespaces(import.meta.url, ["root"], (test) => {
  const kubeProxy = new FakeKubeProxy();
  test.before(prepareNodeA);
  test.before.each(flushAll);
  test.after.each(async () => {
    await kubeProxy.stop();
    flushAll();
  });

  const ways: [name: string, mode: string, missing: string, steps: (() => void)[]][] = [
    [
      "nftables",
      "nftables",
      "IPv6",
      [
        // Somebody's Service that is called almost so, and a table of another kube-proxy's mode.
        () =>
          shell("nft -f -", "table ip kube-proxy {\n chain service-AAAAAAAA-xdefault/kubernetes/tcp/https {\n }\n}"),
        () => shell("nft -f -", `delete table ip kube-proxy\n${tableOf("ip")}`),
        () => shell("nft -f -", tableOf("ip6")),
      ],
    ],
    ...["-nft", ...(hasLegacy() ? ["-legacy"] : [])].map(
      (infix) =>
        [
          `iptables${infix}`,
          "iptables",
          "IPv6",
          [
            () => shell(`iptables${infix}-restore --noflush`, EMPTY_CHAINS),
            () => shell(`iptables${infix}-restore --noflush`, saved.iptables),
            () => {
              shell(`ip6tables${infix}-restore --noflush`, EMPTY_CHAINS);
              shell(`ip6tables${infix}-restore --noflush`, saved.ip6tables);
            },
          ],
        ] as [string, string, string, (() => void)[]],
    ),
  ];
  for (const [name, mode, missing, [begin, first, second]] of ways) {
    test(`kube-proxy in mode ${name} takes over step by step`, async () => {
      await writeFlat();
      const waiting = new Waiting();
      await waiting.says("no kube-proxy answers on this node");
      kubeProxy.livez = 503;
      kubeProxy.healthz = 503;
      await kubeProxy.start(mode);
      await waiting.says(`kube-proxy is not healthy (http://127.0.0.1:10256/healthz answers 503)`);
      // The node is being drained: only /healthz minds.
      kubeProxy.livez = 200;
      const notWritten = "kube-proxy is healthy, and has not written the rules of default/kubernetes";
      await waiting.says(notWritten);
      begin?.();
      await new Promise((resolve) => setTimeout(resolve, 1200));
      assert.match(waiting.said.at(-1) ?? "", notWritten);
      first?.();
      await waiting.says(`kube-proxy has not written its rules of ${missing}`);
      second?.();
      const done = await waiting.done;
      assert.is(done.outcome, "done");
      if (done.outcome !== "done") return;
      assert.equal(done.problems, []);
      assert.equal(done.removed, ["nftables table ip sluice", "nftables table ip6 sluice"]);
      for (const text of done.kept) assert.match(text, `${HEALTH} answers 200, and its rules are in the kernel`);
      assert.ok(done.kept.length >= 2);
      assert.not.match(listEverything(), "table ip sluice");
      assert.match(listEverything(), /default\/kubernetes|KUBE-SVC-/);
    });
  }

  test("rules of another mode than kube-proxy's do not count, and a kube-proxy of one family is enough for one family", async () => {
    await writeFlat();
    shell("nft -f -", tableOf("ip"));
    await kubeProxy.start("iptables");
    const timeoutMs = 0;
    const options = { timeoutMs, evenIfNothingTakesOver: false, say: async () => {} };
    assert.is((await cleanupAfterHandOver(options)).outcome, "nothing-takes-over");
    await kubeProxy.stop();
    await kubeProxy.start("nftables");
    assert.equal(await cleanupAfterHandOver(options), {
      outcome: "nothing-takes-over",
      missing: "kube-proxy has not written its rules of IPv6",
    });
    shell("nft delete table ip6 sluice");
    assert.is((await cleanupAfterHandOver(options)).outcome, "done");
    assert.not.match(listEverything(), "sluice");
  });

  test("the commands: nothing goes in vain, all goes when told so, and nothing to remove is nothing to wait for", async () => {
    await writeFlat();
    const before = listEverything();
    for (const args of [["cleanup"], ["agent", "--cleanup", "--healthz-bind-address=127.0.0.1:10256"]]) {
      const { code, stdout, stderr } = await runCli([...args, "--timeout", "600ms"]);
      assert.is(code, 1);
      assert.is(stdout, "");
      assert.match(stderr, /sluice: waiting for at most 600ms: no kube-proxy answers on this node\n/);
      assert.match(stderr, /nothing is removed.*: no kube-proxy answers.*\n.*--even-if-nothing-takes-over/);
      assert.is(listEverything(), before);
    }
    const { code, stdout, stderr } = await runCli(["cleanup", "--even-if-nothing-takes-over"]);
    assert.equal([code, stderr], [0, ""]);
    assert.match(stdout, "removed: nftables table ip sluice\n");
    assert.equal(await runCli(["cleanup"]), { code: 0, stdout: "there was nothing to remove\n", stderr: "" });
    for (const wrong of ["5", "-1s", "x"]) assert.is((await runCli(["cleanup", `--timeout=${wrong}`])).code, 64);
    assert.is((await runCli(["cleanup", "now"])).code, 64);
  });
});
