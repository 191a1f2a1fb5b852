// The chart and the kustomizations, as helm and kustomize render them. Their answers are recorded; where Go is at hand they are asked
// for again: GO=1 npm test deploy/chart.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parse } from "yaml";
import { schemaProblems } from "../../../fixtures/recordings/openapi.ts";
import packageJson from "../../../package.json" with { type: "json" };
import { parseAgentConfig } from "../config/agent-config.ts";
import { kustomize, type Manifest } from "./testing/kustomize.ts";
import { ask, manifestsOf, recorded, renderings } from "./testing/renderings.ts";

const deploy = fileURLToPath(new URL(".", import.meta.url));
const test = suite("chart and kustomizations");
const rendered = recorded();

function manifests(name: string): Manifest[] {
  const found = rendered[name];
  if (found === undefined) throw new Error(`${name} was not recorded`);
  assert.is(found.error, "", name);
  return manifestsOf(found);
}

const sorted = (all: Manifest[]) =>
  [...all].sort((a, b) => (`${a.kind}${a.metadata.name}` < `${b.kind}${b.metadata.name}` ? -1 : 1));
const plain = (all: Manifest[]): unknown => JSON.parse(JSON.stringify(sorted(all)));
const configMap = (all: Manifest[]) => all.find(({ kind }) => kind === "ConfigMap");

function configOf(all: Manifest[]) {
  const { "config.conf": text = "" } = { ...(configMap(all)?.data as Record<string, string> | undefined) };
  const { config, diagnostics } = parseAgentConfig({ name: "config.conf", bytes: Buffer.from(text) });
  assert.equal(diagnostics, []);
  return config;
}

test("our renderer renders the kustomizations as kustomize does, hashes included", () => {
  const directory = mkdtempSync(join(tmpdir(), "sluice-chart-"));
  try {
    cpSync(deploy, directory, { recursive: true });
    for (const [name, each] of Object.entries(renderings(directory))) {
      if ("directory" in each) assert.equal(plain(kustomize(each.directory)), plain(manifests(name)), name);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("another configuration is another ConfigMap, to which the DaemonSet refers: pods are replaced in turn", () => {
  for (const tool of ["base", "chart"]) {
    const [before, after] = [manifests(tool), manifests(`${tool}, another clusterCIDR`)];
    const names = [before, after].map((all) => configMap(all)?.metadata.name ?? "");
    for (const [index, all] of [before, after].entries()) {
      assert.match(names[index] ?? "", /^sluice-[0-9a-z]{10}$/);
      const daemonSet = JSON.stringify(all.find(({ kind }) => kind === "DaemonSet"));
      assert.match(daemonSet, `"configMap":{"name":"${names[index]}"}`);
    }
    assert.is.not(names[0], names[1], tool);
  }
  assert.match(configMap(manifests("replace-kube-proxy"))?.metadata.name ?? "", /^sluice-[0-9a-z]{10}$/);
});

test("the chart renders what base is, to the letter, and with values the same as components", () => {
  assert.equal(plain(manifests("chart")), plain(manifests("base")));
  assert.equal(plain(manifests("chart, another clusterCIDR")), plain(manifests("base, another clusterCIDR")));
  assert.equal(plain(manifests("chart and both components")), plain(manifests("base and both components")));
});

test("all that the chart renders fits the API server's schemas, and the agent reads its configuration", () => {
  for (const [name, each] of Object.entries(rendered)) {
    if (!name.startsWith("chart") || each.error !== "") continue;
    const all = manifests(name);
    for (const manifest of all) {
      if (!manifest.apiVersion.startsWith("monitoring.coreos.com/")) assert.equal(schemaProblems(manifest), [], name);
    }
    configOf(all);
  }
});

test("its values", () => {
  const iptables = manifests("chart, mode iptables");
  assert.is(configOf(iptables)?.mode, "iptables");
  assert.equal(configOf(iptables)?.rules.nodePortAddresses, ["primary"]);
  assert.match(JSON.stringify(iptables), '"add":["NET_ADMIN","NET_RAW"]');
  assert.match(JSON.stringify(iptables), '"/run/xtables.lock"');
  const elsewhere = JSON.stringify(manifests("chart, elsewhere"));
  for (const part of [
    "server: https://192.0.2.1:6443",
    '"image":"registry/sluice:1"',
    '"resources":{"requests":{"cpu":"1","memory":"128Mi"}}',
    '"nodeSelector":{"kubernetes.io/os":"linux","service-proxy":"sluice"}',
  ]) {
    assert.ok(elsewhere.includes(part), part);
  }
  assert.match(rendered["chart, a mode that is none"]?.error ?? "", "'/mode': value must be one of");
  const chart = parse(readFileSync(join(deploy, "chart/Chart.yaml"), "utf8"));
  const values = parse(readFileSync(join(deploy, "chart/values.yaml"), "utf8"));
  assert.equal([chart.version, chart.appVersion, values.image.tag], Array(3).fill(packageJson.version));
});

test("monitoring: metrics on the node's addresses, a PodMonitor, rules and a dashboard; without it nothing of that", () => {
  const all = manifests("chart, monitored");
  assert.equal(configOf(all)?.metricsBindAddress, { host: "0.0.0.0", port: 10249 });
  assert.match(JSON.stringify(all), '"ports":[{"name":"metrics","containerPort":10249}]');
  const of = (kind: string) => all.find((manifest) => manifest.kind === kind);
  const { labels } = { ...of("PodMonitor")?.metadata } as { labels?: object };
  assert.equal(labels, { "k8s-app": "sluice", release: "prometheus" });
  const rules = parse(readFileSync(join(deploy, "chart/files/prometheus-rules.yaml"), "utf8"));
  assert.equal(of("PrometheusRule")?.spec, rules);
  const dashboard = all.find(({ metadata }) => metadata.name === "sluice-dashboard");
  assert.is(
    { ...(dashboard?.data as Record<string, string> | undefined) }["sluice.json"],
    readFileSync(join(deploy, "chart/files/grafana-dashboard.json"), "utf8"),
  );
  assert.equal(readdirSync(join(deploy, "chart/files")).length, 2);
  assert.not.match(JSON.stringify(manifests("chart")), /monitoring|dashboard|10249/);
});

if (process.env.GO === "1") test("the tools answer today as they did", () => assert.equal(ask(), rendered));

test.run();
