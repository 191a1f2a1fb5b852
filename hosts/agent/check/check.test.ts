import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ApiServer } from "../../../fixtures/api-server/api-server.ts";
import { makeNode } from "../../../fixtures/support/engine-tests.ts";
import { type AgentConfig, parseAgentConfig } from "../config/agent-config.ts";
import type { Machine } from "../host/setting.ts";
import { ApiClient } from "../kube/client/api-client.ts";
import { isServed } from "../kube/client/discovery.ts";
import { plainAccess } from "../kube/testing/reflecting.ts";
import { FEATURES } from "../netlink/probe/probe-features.ts";
import type { AccessReviews } from "./api-access.ts";
import { type CheckOptions, checkConfiguration, runCheck } from "./check.ts";
import type { Finding } from "./finding.ts";
import type { KernelProbes } from "./kernel-features.ts";
import { formatFindings } from "./table.ts";

const head = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";
const read = (yaml: string) => parseAgentConfig({ name: "c.yaml", bytes: new TextEncoder().encode(head + yaml) });
/** Ports that nobody else has. */
const quiet = "healthzBindAddress: 127.0.0.1:18256\nmetricsBindAddress: 127.0.0.1:18249\n";
const allCapabilities = "CapEff:\t000001ffffffffff\n";

const good: KernelProbes = {
  probe: async () => ({ outcome: "supported" }),
  findIptables: async () => ({ outcome: "missing", message: "no iptables here" }),
  findMissingExtensions: async () => [],
  findHazards: async () => new Map(),
};
const allowAll: AccessReviews = {
  post: async () => ({ status: { allowed: true } }),
  get: async () => ({ items: [{ metadata: { name: "node-a" } }] }),
  serves: async () => true,
};

const reviewsOf = (server: ApiServer): AccessReviews => {
  const client = new ApiClient(plainAccess(server.url), { userAgent: "sluice/test" });
  return {
    post: (path, body) => client.json({ method: "POST", path, body }),
    get: (path) => client.json({ method: "GET", path }),
    serves: (path) => isServed(client, path),
  };
};

interface Context {
  machine: Machine;
  put(path: string, text: string): void;
  run(more?: Partial<CheckOptions>, yaml?: string): Promise<{ findings: readonly Finding[]; exitCode: number }>;
}

const check = suite<Context>("--check");
check.before.each((context) => {
  const root = mkdtempSync(join(tmpdir(), "sluice-check-"));
  context.machine = { root, readOnly: false };
  context.put = (path, text) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  context.put("/proc/self/status", `Name:\tnode\n${allCapabilities}`);
  context.put("/proc/self/oom_score_adj", "-999\n");
  context.put("/sys/devices/system/cpu/online", "0-1\n");
  context.put("/sys/module/nf_conntrack/parameters/hashsize", "65536\n");
  context.put("/proc/sys/net/netfilter/nf_conntrack_max", "262144\n");
  context.put("/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established", "86400\n");
  context.put("/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_close_wait", "60\n");
  context.run = (more = {}, yaml = `mode: flat\n${quiet}`) => {
    const { config, diagnostics } = read(`${yaml}clusterCIDR: 10.244.0.0/16\n`);
    const { machine } = context;
    return runCheck({
      config: config as AgentConfig,
      diagnostics,
      hostname: "node-a",
      reviews: allowAll,
      machine,
      kernel: good,
      ...more,
    });
  };
});
check.after.each(({ machine }) => rmSync(machine.root, { recursive: true, force: true }));

const notOk = (findings: readonly Finding[]) =>
  findings.filter(({ status }) => status !== "ok").map(({ status, subject }) => `${status} ${subject}`);

check("a node that is fit", async ({ run }) => {
  const { findings, exitCode } = await run();
  assert.equal(notOk(findings), []);
  assert.is(exitCode, 0);
  const text = formatFindings(findings);
  assert.match(text, /^ok {2}permissions {4}CAP_NET_ADMIN .* held$/m);
  assert.match(text, /close_wait +is 60, can be set to 3600$/m);
  assert.match(text, /nf_conntrack_max +is 262144, 131072 is enough$/m);
  assert.match(text, /^ok {2}API server {5}watch endpointslices.discovery.k8s.io +allowed$/m);
  assert.match(text, /\nfailed: 0, warnings: 0\. The agent can work here\.\n$/);
});

check("what kube-proxy and the agent only warn of in a configuration fails, with file and line", async ({ run }) => {
  const yaml = `mode: flat\n${quiet}udpIdleTimeout: 250ms\nmode: flat\niptables: {masqueradeBit: 41}\nfooBar: 1\n`;
  const { findings, exitCode } = await run(
    {},
    `${yaml}featureGates: {AllowServiceExternalIP: false, HPAScaleToZero: true}\n`,
  );
  assert.equal(notOk(findings).sort(), [
    "failed featureGates.AllowServiceExternalIP",
    "failed file",
    "failed fooBar",
    "failed iptables.masqueradeBit",
    "failed udpIdleTimeout",
    "warning featureGates.HPAScaleToZero",
  ]);
  assert.is(exitCode, 1);
  assert.match(formatFindings(findings), /c\.yaml:6:1: not known since Kubernetes 1\.26/);
});

check("without CAP_NET_ADMIN it is not, and the table says what to do", async ({ run, put }) => {
  put("/proc/self/status", "CapEff:\t00000000a80425fb\n");
  const { findings, exitCode } = await run();
  assert.equal(notOk(findings), ["failed CAP_NET_ADMIN"]);
  assert.is(exitCode, 1);
  assert.match(formatFindings(findings), /FAILED .*CAP_NET_ADMIN .*\n +→ .*NET_ADMIN/);
});

check("without /proc nothing is known of capabilities, which is a warning", async ({ run, put }) => {
  put("/proc/self/status", "Name:\tnode\n");
  const { findings, exitCode } = await run();
  assert.equal([notOk(findings), exitCode], [["warning CAP_NET_ADMIN"], 0]);
});

check("warnings of the configuration are shown; errors end with 1", async ({ run }) => {
  const { findings } = await run({}, `mode: flat\n${quiet}ipvs: {scheduler: rr2}\n`);
  assert.equal(notOk(findings), ["warning ipvs.scheduler"]);
  assert.match(findings.find(({ subject }) => subject === "ipvs.scheduler")?.detail ?? "", /^c\.yaml:6:19: /);
  const broken = read("mode: ipvs\n");
  assert.equal(notOk(checkConfiguration(broken.config, broken.diagnostics)), ["failed mode"]);
});

check("a lower OOM score needs a capability of its own", async ({ run, put }) => {
  put("/proc/self/oom_score_adj", "0\n");
  assert.equal(notOk((await run()).findings), []);
  put("/proc/self/status", "CapEff:\t0000000000001000\n");
  assert.equal(notOk((await run()).findings), ["warning oom_score_adj"]);
  put("/proc/self/oom_score_adj", "-1000\n");
  assert.equal(notOk((await run()).findings), []);
});

check("settings that are not there are warnings", async ({ run, machine }) => {
  rmSync(join(machine.root, "/proc/sys/net"), { recursive: true });
  const { findings, exitCode } = await run();
  assert.is(exitCode, 0);
  assert.is(notOk(findings).length, 3);
});

check("what the kernel lacks", async ({ run }) => {
  const [feature] = FEATURES;
  if (feature === undefined) throw new Error("no features are probed");
  const error = { name: "ENOENT" } as never;
  const missing = await run({
    kernel: {
      ...good,
      probe: async () => ({ outcome: "missing", missing: [{ family: "ip6", feature, error }], message: "" }),
    },
  });
  assert.equal([notOk(missing.findings), missing.exitCode], [["failed nf_tables (ip6)"], 1]);
  const denied = await run({ kernel: { ...good, probe: async () => ({ outcome: "not-permitted", message: "no" }) } });
  assert.is(denied.exitCode, 1);
  const unknown = await run({ kernel: { ...good, probe: async () => ({ outcome: "unknown", message: "busy" }) } });
  assert.equal([notOk(unknown.findings), unknown.exitCode], [["warning nf_tables"], 0]);
  const thrown = await run({ kernel: { ...good, probe: () => Promise.reject(new Error("no socket")) } });
  assert.equal([notOk(thrown.findings), thrown.exitCode], [["failed flat"], 1]);
});

check("iptables mode needs its commands, and nothing of nf_tables", async ({ run, put }) => {
  put("/proc/sys/net/ipv4/conf/all/route_localnet", "0\n");
  const yaml = `mode: iptables\nnodePortAddresses: [primary]\n${quiet}`;
  const { findings } = await run({ kernel: { ...good, probe: () => Promise.reject(new Error("asked")) } }, yaml);
  assert.equal(notOk(findings), ["failed iptables"]);
});

check("an address that is taken: a warning, or worse with bindAddressHardFail", async ({ run }) => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const yaml = `mode: flat\nmetricsBindAddress: 127.0.0.1:18249\nhealthzBindAddress: 127.0.0.1:${port}\n`;
  const soft = await run({}, yaml);
  const hard = await run({}, `${yaml}bindAddressHardFail: true\n`);
  await new Promise((resolve) => server.close(resolve));
  assert.equal(notOk(soft.findings), ["warning healthzBindAddress"]);
  assert.equal(notOk(hard.findings), ["failed healthzBindAddress"]);
  const foreign = await run({}, "mode: flat\nmetricsBindAddress: 127.0.0.1:18249\nhealthzBindAddress: 192.0.2.1:1\n");
  assert.equal(notOk(foreign.findings), ["failed healthzBindAddress"]);
});

check("permissions in the cluster, asked of an API server", async ({ run }) => {
  const asked: string[] = [];
  const server = await ApiServer.start({
    allow({ verb, group, resource }) {
      asked.push(`${verb} ${resource}.${group}`);
      return resource !== "nodes" && group !== "events.k8s.io";
    },
  });
  try {
    const { findings, exitCode } = await run({ reviews: reviewsOf(server) });
    assert.equal(notOk(findings), [
      "failed list nodes",
      "failed watch nodes",
      "warning create events.events.k8s.io",
      "warning patch events.events.k8s.io",
    ]);
    assert.is(exitCode, 1);
    assert.is(asked.length, 11, "the last is for this node's object");
    assert.ok(asked.includes("watch endpointslices.discovery.k8s.io"));
  } finally {
    await server.close();
  }
});

check("permissions for what the API server does not have are not missed", async ({ run }) => {
  const allow = ({ resource }: { resource: string }) => resource !== "servicecidrs";
  for (const absent of [["servicecidrs"], []]) {
    const server = await ApiServer.start({ allow, absent });
    server.apply(makeNode("node-a"));
    try {
      const { findings, exitCode } = await run({ reviews: reviewsOf(server) });
      const missed = ["warning list servicecidrs.networking.k8s.io", "warning watch servicecidrs.networking.k8s.io"];
      assert.equal(notOk(findings), absent.length === 0 ? missed : []);
      assert.is(exitCode, 0);
    } finally {
      await server.close();
    }
  }
});

check("a node name that no Node has: it fails, and names those that there are", async ({ run }) => {
  const server = await ApiServer.start();
  try {
    server.apply(makeNode("n1"), makeNode("n2"));
    const { findings, exitCode } = await run({ hostname: "worker-7", reviews: reviewsOf(server) });
    assert.equal([notOk(findings), exitCode], [["failed Node worker-7"], 1]);
    assert.match(
      formatFindings(findings),
      /no Node is called worker-7.* the server has n1, n2\n +→ .*--hostname-override/,
    );
    const known = await run({ hostname: "n2", reviews: reviewsOf(server) });
    assert.equal([notOk(known.findings), known.exitCode], [[], 0]);
  } finally {
    await server.close();
  }
});

check("no clusterCIDR where it is to tell pods from others", async ({ run }) => {
  const empty = `mode: flat\n${quiet}`;
  const { config, diagnostics } = read(empty);
  const { findings, exitCode } = await run({ config: config as AgentConfig, diagnostics });
  assert.equal([notOk(findings), exitCode], [["warning clusterCIDR"], 0]);
  for (const more of ["detectLocalMode: NodeCIDR\n", "nftables: {masqueradeAll: true}\n"]) {
    const other = read(`${empty}${more}`);
    const found = await run({ config: other.config as AgentConfig, diagnostics: other.diagnostics });
    assert.equal(notOk(found.findings), [], more);
  }
});

check("others' rules: what is found is shown, and that they can't be read", async ({ run }) => {
  const hazard = { subject: "ip filter FORWARD", message: "it drops", hint: "let it accept" };
  const { findings, exitCode } = await run({
    kernel: { ...good, findHazards: async () => new Map([["forwarding", [hazard]]]) },
  });
  assert.equal([notOk(findings), exitCode], [["warning ip filter FORWARD"], 0]);
  const unread = await run({ kernel: { ...good, findHazards: () => Promise.reject(new Error("EPERM")) } });
  assert.equal(notOk(unread.findings), ["warning others' rules"]);
});

check("no way to the API server, and one that does not answer", async ({ run }) => {
  const none = await run({ reviews: undefined, reason: "no kubeconfig is given" });
  assert.equal(notOk(none.findings), ["failed access"]);
  const refused = await run({
    reviews: { ...allowAll, post: () => Promise.reject(new Error("connection refused")) },
  });
  assert.equal(notOk(refused.findings), ["failed list services"]);
  assert.match(formatFindings(refused.findings), /FAILED .*connection refused/);
});

check.run();
