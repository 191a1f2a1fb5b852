import { test } from "uvu";
import * as assert from "uvu/assert";
import { configFields } from "../../shared/config/fields.ts";
import { type AgentConfig, agentConfigFromFlags, parseAgentConfig } from "./agent-config.ts";
import { leaves, partOf, whatChanged } from "./what-changed.ts";
import { configurationFile, kubeProxyConfiguration } from "./write-config.ts";

const head = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";
const read = (text: string) => parseAgentConfig({ name: "c", bytes: new TextEncoder().encode(text) });
const configOf = (yaml: string): AgentConfig => read(head + yaml).config as AgentConfig;

const configurations = [
  "",
  "mode: iptables\niptables: {masqueradeBit: 0, masqueradeAll: true, localhostNodePorts: false, syncPeriod: 1m1s, minSyncPeriod: 1500ms}",
  "mode: iptables\niptables: {localhostNodePorts: true}",
  "mode: nftables\nnftables: {masqueradeBit: 31, masqueradeAll: true, syncPeriod: 1h, minSyncPeriod: 250ms}\nnodePortAddresses: [primary, 10.0.0.0/8]",
  "iptables: {localhostNodePorts: false}",
  "hostnameOverride: 'on'\nbindAddress: fd00::1\noomScoreAdj: 0\nbindAddressHardFail: true\nenableProfiling: true",
  "healthzBindAddress: '[fd00::1]:1'\nmetricsBindAddress: 10.0.0.1:2\nfeatureGates: {AllBeta: true, NFTablesProxyMode: false}",
  "clientConnection: {kubeconfig: /k, qps: -1, burst: 3}\nlogging: {format: json, verbosity: 9, flushFrequency: 1s}",
  "detectLocalMode: BridgeInterface\ndetectLocal: {bridgeInterface: cbr0}",
  "detectLocalMode: InterfaceNamePrefix\ndetectLocal: {interfaceNamePrefix: cali}",
  "detectLocalMode: NodeCIDR",
  "clusterCIDR: 10.0.0.0/8,fd00::/8\nconfigSyncPeriod: 1m",
  "conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 1m30s, tcpBeLiberal: true, udpTimeout: 5s, udpStreamTimeout: 5m}",
];

for (const yaml of configurations) {
  test(`written and read again: ${yaml.replaceAll("\n", "; ") || "the defaults"}`, () => {
    const config = configOf(yaml);
    const { text, lost } = configurationFile(config);
    assert.equal(lost, []);
    const again = read(text);
    assert.equal(again.config, config);
    const warnings = (found: typeof again) => found.diagnostics.filter(({ severity }) => severity === "warning");
    assert.equal(
      warnings(again).map(({ field }) => field),
      warnings(read(head + yaml)).map(({ field }) => field),
    );
  });
}

test("what no file can say is named", () => {
  const { config } = agentConfigFromFlags([
    { field: "healthzBindAddress", value: "", flag: "--healthz-bind-address" },
    { field: "metricsBindAddress", value: "", flag: "--metrics-bind-address" },
  ]);
  assert.equal(configurationFile(config as AgentConfig).lost, ["--healthz-bind-address=", "--metrics-bind-address="]);
});

test("only fields of the type are written", () => {
  for (const name of Object.keys(kubeProxyConfiguration(configOf("")))) assert.ok(name in configFields, name);
});

const changes: [before: string, after: string, parts: string[]][] = [
  ["", "", []],
  ["", "mode: flat", []],
  ["", "mode: iptables", ["mode", "periods", "rules"]],
  ["", "mode: nftables", ["mode"]],
  ["", "hostnameOverride: x", ["node-name"]],
  ["", "clientConnection: {qps: 50}", ["api-client"]],
  ["", "clientConnection: {kubeconfig: /x}", ["api-client"]],
  ["", "healthzBindAddress: 1.2.3.4:5", ["healthz-server"]],
  ["", "metricsBindAddress: 1.2.3.4:5", ["metrics-server"]],
  ["", "bindAddress: 1.2.3.4", ["rules"]],
  ["", "bindAddress: '::'", ["rules", "healthz-server", "metrics-server"]],
  ["", "nodePortAddresses: [all]", ["rules"]],
  ["nodePortAddresses: [primary]", "nodePortAddresses: [primary]", []],
  ["", "nftables: {masqueradeAll: true}", ["rules"]],
  ["", "clusterCIDR: 10.0.0.0/8", ["rules"]],
  ["", "nftables: {syncPeriod: 10s}", ["periods"]],
  ["", "logging: {verbosity: 3}", ["logging"]],
  ["", "oomScoreAdj: 5", ["machine"]],
  ["", "conntrack: {min: 5}", ["machine"]],
  ["", "conntrack: {tcpBeLiberal: true}", ["machine", "rules"]],
  ["", "featureGates: {AllBeta: true}", ["localhost-gate"]],
  ["", "featureGates: {NFTablesNetlink: true}", ["nothing"]],
  ["", "featureGates: {AllowServiceExternalIPs: false}", ["rules"]],
  ["", "portRange: 5-6", []],
];

for (const [before, after, expected] of changes) {
  test(`from ${before || "the defaults"} to ${after || "the defaults"}: ${expected.join(", ") || "no change"}`, () => {
    const { inPlace, restart, fields } = whatChanged(configOf(before), configOf(after));
    assert.equal([...inPlace, ...restart].sort(), [...expected].sort());
    assert.is(fields.length > 0, expected.length > 0);
  });
}

test("a change tells the field, before and after", () => {
  const { fields } = whatChanged(configOf(""), configOf("oomScoreAdj: 5"));
  assert.equal(fields, [{ field: "oomScoreAdj", before: -999, after: 5 }]);
});

test("every field that is written belongs to a part", () => {
  let seen = 0;
  for (const [field] of leaves(kubeProxyConfiguration(configOf("")), "")) {
    if (field === "apiVersion" || field === "kind") continue;
    assert.type(partOf(field), "string");
    seen++;
  }
  assert.ok(seen > 30);
});

test.run();
