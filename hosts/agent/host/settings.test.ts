import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type AgentConfig, parseAgentConfig } from "../config/agent-config.ts";
import { applySettings } from "./apply.ts";
import { readTcpBeLiberal, wantedConntrackMax } from "./conntrack-settings.ts";
import { onlineCores } from "./cores.ts";
import { coversLoopback } from "./route-localnet.ts";
import { type Machine, type Setting, settingDiagnostics } from "./setting.ts";

const head = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";
const configOf = (yaml: string): AgentConfig =>
  parseAgentConfig({ name: "c", bytes: new TextEncoder().encode(head + yaml) }).config as AgentConfig;

const netfilter = "/proc/sys/net/netfilter/nf_conntrack_";
const hashsize = "/sys/module/nf_conntrack/parameters/hashsize";
const routeLocalnet = "/proc/sys/net/ipv4/conf/all/route_localnet";

interface Context {
  machine: Machine;
  put(path: string, value: string | number): void;
  get(path: string): string;
}

const settings = suite<Context>("kernel settings in a directory");
settings.before.each((context) => {
  const root = mkdtempSync(join(tmpdir(), "sluice-machine-"));
  context.machine = { root, readOnly: false };
  context.put = (path, value) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${value}\n`);
  };
  context.get = (path) => readFileSync(join(root, path), "utf8").trim();
  context.put("/proc/self/oom_score_adj", 0);
  context.put("/sys/devices/system/cpu/online", "0-3");
  context.put(`${netfilter}max`, 65_536);
  context.put(`${netfilter}tcp_timeout_established`, 432_000);
  context.put(`${netfilter}tcp_timeout_close_wait`, 60);
  context.put(`${netfilter}udp_timeout`, 30);
  context.put(`${netfilter}udp_timeout_stream`, 120);
  context.put(`${netfilter}tcp_be_liberal`, 0);
  context.put(hashsize, 16_384);
  context.put(routeLocalnet, 0);
});
settings.after.each(({ machine }) => rmSync(machine.root, { recursive: true, force: true }));

const short = (found: Setting[]) =>
  Object.fromEntries(
    found.map(({ name, wanted, action }) => [name.replace(/^net\.netfilter\.nf_/, ""), `${wanted} ${action}`]),
  );

settings("the defaults are kube-proxy's", async ({ machine, get }) => {
  const found = await applySettings(configOf(""), machine);
  assert.equal(short(found), {
    oom_score_adj: "-999 written",
    conntrack_max: "131072 written",
    "nf_conntrack hashsize": "32768 written",
    conntrack_tcp_timeout_established: "86400 written",
    conntrack_tcp_timeout_close_wait: "3600 written",
  });
  assert.is(get(`${netfilter}max`), "131072");
  assert.is(get(hashsize), "32768");
  assert.is(get("/proc/self/oom_score_adj"), "-999");
  assert.is(get(`${netfilter}udp_timeout`), "30");
  assert.equal(settingDiagnostics(found), []);
  const again = await applySettings(configOf(""), machine);
  assert.ok(again.every(({ action }) => action === "kept"));
});

settings("what is already enough is not touched, and needs no permission", async ({ machine, put, get }) => {
  put(`${netfilter}max`, 1_000_000);
  put(hashsize, 250_000);
  const found = short(await applySettings(configOf(""), machine));
  assert.is(found.conntrack_max, "131072 kept");
  assert.is(found["nf_conntrack hashsize"], "32768 kept");
  assert.is(get(`${netfilter}max`), "1000000");
  // Timeouts are written whenever they differ.
  put(`${netfilter}tcp_timeout_close_wait`, 9999);
  assert.is(short(await applySettings(configOf(""), machine)).conntrack_tcp_timeout_close_wait, "3600 written");
});

settings("all that can be asked for", async ({ machine, get }) => {
  const yaml =
    "mode: iptables\nconntrack: {maxPerCore: 100000, tcpEstablishedTimeout: 1h, tcpCloseWaitTimeout: 0s, tcpBeLiberal: true, udpTimeout: 10s, udpStreamTimeout: 1m}\noomScoreAdj: 0";
  const found = await applySettings(configOf(yaml), machine);
  assert.equal(short(found), {
    oom_score_adj: "0 kept",
    conntrack_max: "400000 written",
    "nf_conntrack hashsize": "100000 written",
    conntrack_tcp_timeout_established: "3600 written",
    conntrack_udp_timeout: "10 written",
    conntrack_udp_timeout_stream: "60 written",
    conntrack_tcp_be_liberal: "1 written",
    "net.ipv4.conf.all.route_localnet": "1 written",
  });
  assert.is(get(`${netfilter}tcp_timeout_close_wait`), "60");
  assert.is(await readTcpBeLiberal(machine), true);
  // Never set back.
  await applySettings(configOf("mode: iptables\niptables: {localhostNodePorts: false}"), machine);
  assert.is(get(routeLocalnet), "1");
  assert.is(get(`${netfilter}tcp_be_liberal`), "1");
});

settings("maxPerCore 0 leaves the table alone", async ({ machine }) => {
  const found = short(await applySettings(configOf("conntrack: {maxPerCore: 0}"), machine));
  assert.not("conntrack_max" in found);
  assert.not("nf_conntrack hashsize" in found);
});

settings("a module that is not loaded is told, and nothing is made", async ({ machine }) => {
  rmSync(join(machine.root, "/proc/sys/net/netfilter"), { recursive: true });
  const found = await applySettings(configOf(""), machine);
  assert.is(short(found).conntrack_max, "131072 absent");
  const said = settingDiagnostics(found);
  assert.is(said.length, 3);
  assert.match(said[0]?.message ?? "", /nf_conntrack_max should be 131072: absent \(there is no \/proc\/sys/);
  assert.throws(() => readFileSync(join(machine.root, `${netfilter}max`)), /ENOENT/);
  assert.is(await readTcpBeLiberal(machine), false);
});

settings("read-only: says what would be written", async ({ machine, get }) => {
  const found = short(await applySettings(configOf(""), { ...machine, readOnly: true }));
  assert.is(found.conntrack_max, "131072 to be written");
  assert.is(found["nf_conntrack hashsize"], "32768 to be written");
  assert.is(get(`${netfilter}max`), "65536");
});

settings("cores are those of the machine", async ({ machine, put }) => {
  assert.is(await onlineCores(machine), 4);
  put("/sys/devices/system/cpu/online", "0-1,4,8-15");
  assert.is(await onlineCores(machine), 11);
  put("/sys/devices/system/cpu/online", "0");
  assert.is(await onlineCores(machine), 1);
  put("/sys/devices/system/cpu/online", "none");
  assert.ok((await onlineCores(machine)) >= 1);
});

settings("nf_conntrack_max: scaled by cores, with a floor and a cap", () => {
  const max = (maxPerCore: number, min: number, cores: number) =>
    wantedConntrackMax({ ...configOf("").conntrack, maxPerCore, min }, cores);
  assert.is(max(32_768, 131_072, 2), 131_072);
  assert.is(max(32_768, 131_072, 8), 262_144);
  assert.is(max(32_768, 131_072, 32), 1_048_576);
  assert.is(max(32_768, 131_072, 96), 1_048_576);
  assert.is(max(32_768, 2_000_000, 8), 2_000_000);
  assert.is(max(32_768, 2_000_000, 96), 1_048_576);
  assert.is(max(0, 131_072, 8), undefined);
});

settings("which nodePortAddresses answer on loopback", () => {
  for (const entries of [
    [],
    ["all"],
    ["localhost"],
    ["127.0.0.0/8"],
    ["127.0.0.1/32"],
    ["0.0.0.0/0"],
    ["64.0.0.0/2"],
    ["fd00::/8"],
  ]) {
    assert.is(coversLoopback(entries), true, entries.join());
  }
  for (const entries of [["primary"], ["10.0.0.0/8"], ["primary", "10.0.0.0/8"], ["126.0.0.0/8", "fd00::/8"]]) {
    assert.is(coversLoopback(entries), false, entries.join());
  }
});

settings("route_localnet is for iptables mode alone", async ({ machine }) => {
  const has = async (yaml: string) =>
    (await applySettings(configOf(yaml), machine)).some(({ name }) => name.endsWith("route_localnet"));
  assert.is(await has("mode: iptables"), true);
  assert.is(await has("mode: iptables\nnodePortAddresses: [10.0.0.0/8]"), false);
  assert.is(await has("mode: iptables\niptables: {localhostNodePorts: false}"), false);
  assert.is(await has("mode: flat"), false);
  assert.is(await has("mode: nftables"), false);
});

settings.run();
