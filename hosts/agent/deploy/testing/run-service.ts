// Run by a test in a network namespace: the fake API server, and the extracted program as systemd would start it. Prints what
// happened as JSON.
//   run-service.ts PROGRAM DIRECTORY (which can be written; nothing else can)
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { ApiServer } from "../../../../fixtures/api-server/api-server.ts";
import { loadShop } from "../../../../fixtures/api-server/shop.ts";

const [program = "", directory = ""] = process.argv.slice(2);
const patience = 30_000;

/** What the unit leaves of root's powers. */
const only = ["--no-new-privs", "--bounding-set=-all,+net_admin", "--inh-caps=-all,+net_admin"];

function start(args: string[]): ChildProcess {
  return spawn("setpriv", [...only, program, ...args], {
    env: {},
    cwd: "/",
    stdio: ["ignore", "inherit", "inherit"],
  });
}

function table(): string {
  return spawnSync("nft", ["list", "table", "ip", "sluice"], { encoding: "utf8" }).stdout;
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + patience;
  while (!(await holds())) {
    if (agent.exitCode !== null)
      throw new Error(`the agent ended with ${agent.exitCode}; it should have been: ${what}`);
    if (Date.now() > end) throw new Error(`not within ${patience} ms: ${what}`);
    await sleep(50);
  }
}

async function answer(path: string): Promise<number> {
  try {
    return (await fetch(`http://127.0.0.1:10256${path}`)).status;
  } catch {
    return 0;
  }
}

function debugPage(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ socketPath: join(directory, "debug.sock"), path }, (response) => {
      text(response).then(resolve, reject);
    });
    request.on("error", reject);
  });
}

execFileSync("ip", ["link", "set", "lo", "up"]);
const server = await ApiServer.start();
loadShop(server);

mkdirSync(join(directory, "etc"));
const kubeconfig = join(directory, "etc/kubeconfig.conf");
const config = join(directory, "etc/config.conf");
const cluster = { name: "default", cluster: { server: server.url } };
const context = { name: "default", context: { cluster: "default", user: "default" } };
const users = [{ name: "default", user: {} }];
const header = { apiVersion: "v1", kind: "Config", "current-context": "default" };
writeFileSync(kubeconfig, JSON.stringify({ ...header, clusters: [cluster], contexts: [context], users }));
writeFileSync(
  config,
  JSON.stringify({
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    clientConnection: { kubeconfig },
    clusterCIDR: "10.244.0.0/16,fd00:244::/32",
  }),
);

const args = [`--config=${config}`, "--hostname-override=node-a", `--debug-socket=${join(directory, "debug.sock")}`];
const agent = start(["agent", ...args]);
const exited = once(agent, "exit");
const happened: Record<string, unknown> = {};
try {
  await until("ready", async () => (await answer("/readyz")) === 200);
  happened.livez = await answer("/livez");
  happened.rules = table().includes("10.96.");
  happened.described = (await debugPage("/debug/describe")).startsWith("{");
  agent.kill("SIGTERM");
  [happened.exitCode] = await exited;
  happened.rulesStay = table().includes("10.96.");
  const cleanup = start(["cleanup", "--even-if-nothing-takes-over"]);
  [happened.cleanupCode] = await once(cleanup, "exit");
  happened.rulesLeft = table() !== "";
} finally {
  if (agent.exitCode === null) agent.kill("SIGKILL");
  await server.close();
}
console.log(JSON.stringify(happened));
