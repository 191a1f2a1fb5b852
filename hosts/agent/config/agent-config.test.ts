import { test } from "uvu";
import * as assert from "uvu/assert";
import { defaultRules } from "../../shared/config/rules.ts";
import { kubeadmConfig } from "../deploy/testing/kubeadm.ts";
import { type AgentConfig, type AgentConfigResult, agentConfigFromFlags, parseAgentConfig } from "./agent-config.ts";

const head = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";
const parse = (yaml: string): AgentConfigResult =>
  parseAgentConfig({ name: "c.yaml", bytes: new TextEncoder().encode(head + yaml) });

function accepted(yaml: string): AgentConfig {
  const { config, diagnostics } = parse(yaml);
  assert.equal(
    diagnostics.filter(({ severity }) => severity === "error"),
    [],
  );
  return config as AgentConfig;
}

const defaults: AgentConfig = {
  mode: "flat",
  rules: { ...defaultRules(), mode: "flat", bindAddress: "0.0.0.0" },
  kubeconfig: "",
  qps: 5,
  burst: 10,
  healthzBindAddress: { host: "0.0.0.0", port: 10256 },
  metricsBindAddress: { host: "127.0.0.1", port: 10249 },
  bindAddressHardFail: false,
  enableProfiling: false,
  syncPeriodMs: 30_000,
  minSyncPeriodMs: 0,
  configSyncPeriodMs: 900_000,
  oomScoreAdj: -999,
  conntrack: {
    maxPerCore: 32_768,
    min: 131_072,
    tcpEstablishedTimeoutSeconds: 86_400,
    tcpCloseWaitTimeoutSeconds: 3600,
    udpTimeoutSeconds: 0,
    udpStreamTimeoutSeconds: 0,
  },
  logging: { format: "text", verbosity: 0, flushFrequencyMs: 5000 },
  featureGates: {},
};

test("nothing given is kube-proxy's defaults, in flat mode, which is said", () => {
  const { config, diagnostics } = parse("");
  assert.equal(config, defaults);
  assert.equal(
    diagnostics.map(({ severity, code }) => [severity, code]),
    [["note", "mode-default"]],
  );
});

test("kubeadm's file is the defaults too, without a warning", () => {
  const text = kubeadmConfig.replace(",fd00:244::/32", "");
  const { config, diagnostics } = parseAgentConfig({ name: "config.conf", bytes: new TextEncoder().encode(text) });
  const expected = {
    ...defaults,
    kubeconfig: "/var/lib/kube-proxy/kubeconfig.conf",
    rules: { ...defaults.rules, clusterCidr: "10.244.0.0/16" },
  };
  assert.equal(config, expected);
  assert.equal(
    diagnostics.map(({ code }) => code),
    ["mode-default"],
  );
});

const meanings: [yaml: string, expected: Partial<AgentConfig>][] = [
  ["clientConnection: {kubeconfig: /k, qps: 50.5, burst: 100}", { kubeconfig: "/k", qps: 50.5, burst: 100 }],
  ["clientConnection: {qps: -1}", { qps: -1 }],
  ["healthzBindAddress: 10.0.0.1", { healthzBindAddress: { host: "10.0.0.1", port: 10256 } }],
  ["healthzBindAddress: '[::1]:1'", { healthzBindAddress: { host: "::1", port: 1 } }],
  ["healthzBindAddress: 'fd00::1'", { healthzBindAddress: { host: "fd00::1", port: 10256 } }],
  ["metricsBindAddress: 0.0.0.0:9", { metricsBindAddress: { host: "0.0.0.0", port: 9 } }],
  ["bindAddressHardFail: true", { bindAddressHardFail: true }],
  ["configSyncPeriod: 1h", { configSyncPeriodMs: 3_600_000 }],
  ["oomScoreAdj: -1000", { oomScoreAdj: -1000 }],
  ["oomScoreAdj: 0", { oomScoreAdj: 0 }],
  ["nftables: {syncPeriod: 1m30s, minSyncPeriod: 250ms}", { syncPeriodMs: 90_000, minSyncPeriodMs: 250 }],
  ["nftables: {syncPeriod: 9999h, minSyncPeriod: 1000h}", { syncPeriodMs: 2 ** 31 - 1, minSyncPeriodMs: 2 ** 31 - 1 }],
  ["logging: {format: json, verbosity: 4}", { logging: { format: "json", verbosity: 4, flushFrequencyMs: 5000 } }],
  ["logging: {flushFrequency: 2000000000}", { logging: { format: "text", verbosity: 0, flushFrequencyMs: 2000 } }],
  ["featureGates: {NFTablesProxyMode: true}", { featureGates: { NFTablesProxyMode: true } }],
  [
    "conntrack: {maxPerCore: 0, min: 5, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 90s, udpTimeout: 1.5s, udpStreamTimeout: 2m}",
    {
      conntrack: {
        maxPerCore: 0,
        min: 5,
        tcpEstablishedTimeoutSeconds: 0,
        tcpCloseWaitTimeoutSeconds: 90,
        udpTimeoutSeconds: 1,
        udpStreamTimeoutSeconds: 120,
      },
    },
  ],
];

for (const [yaml, expected] of meanings) {
  test(`${yaml} is understood`, () => assert.equal(accepted(yaml), { ...defaults, ...expected }));
}

test("health and metrics follow bindAddress to IPv6", () => {
  const { healthzBindAddress, metricsBindAddress } = accepted("bindAddress: fd00::1");
  assert.equal(healthzBindAddress, { host: "::", port: 10256 });
  assert.equal(metricsBindAddress, { host: "::1", port: 10249 });
});

test("each mode reads its own periods; only iptables has a floor without being told", () => {
  const both = "iptables: {syncPeriod: 10s}\nnftables: {syncPeriod: 20s}\n";
  const of = (mode: string, more = both) => {
    const { syncPeriodMs, minSyncPeriodMs } = accepted(`mode: ${mode}\n${more}`);
    return [syncPeriodMs, minSyncPeriodMs];
  };
  assert.equal(of("iptables"), [10_000, 1000]);
  assert.equal(of("nftables"), [20_000, 0]);
  assert.equal(of("flat"), [20_000, 0]);
  assert.equal(of("iptables", "iptables: {minSyncPeriod: 2s}"), [30_000, 2000]);
  assert.equal(of("flat", "nftables: {minSyncPeriod: 2s}"), [30_000, 2000]);
});

const refused: [yaml: string, code: string, place: string][] = [
  ["mode: ipvs", "mode-ipvs", "3:7"],
  ["bindAddress: localhost", "invalid-address", "3:14"],
  ["healthzBindAddress: ':10256'", "listen-address", "3:21"],
  ["healthzBindAddress: 1.2.3.4:0", "listen-address", "3:21"],
  ["metricsBindAddress: 1.2.3.4:70000", "listen-address", "3:21"],
  ["metricsBindAddress: localhost:10249", "listen-address", "3:21"],
  ["metricsBindAddress: '[::1]'", "listen-address", "3:21"],
  ["clientConnection:\n  burst: -1", "out-of-range", "4:10"],
  ["oomScoreAdj: 1001", "out-of-range", "3:14"],
  ["conntrack:\n  maxPerCore: -1", "out-of-range", "4:15"],
  ["conntrack:\n  min: -1", "out-of-range", "4:8"],
  ["conntrack:\n  udpTimeout: -1s", "negative-duration", "4:15"],
  ["configSyncPeriod: -1s", "negative-duration", "3:19"],
  ["mode: flat\nnftables:\n  syncPeriod: -1s", "negative-duration", "5:15"],
  ["mode: nftables\nnftables:\n  minSyncPeriod: 1m", "min-sync-period", "5:18"],
  ["mode: iptables\niptables:\n  syncPeriod: 500ms", "min-sync-period", "5:15"],
  ["clusterCIDR: 10.0.0.0", "invalid-cidr", "3:14"],
  ["clusterCIDR: 10.0.0.0/33", "invalid-cidr", "3:14"],
  ["clusterCIDR: 10.0.0.0/8,10.1.0.0/16", "cluster-cidrs", "3:14"],
  ["clusterCIDR: 10.0.0.0/8,fd00::/8,fd01::/16", "cluster-cidrs", "3:14"],
  ["nodePortAddresses:\n- primary\n- secondary", "invalid-cidr", "5:3"],
  ["detectLocalMode: BridgeInterface", "detect-local", "1:1"],
  ["detectLocalMode: InterfaceNamePrefix\ndetectLocal:\n  interfaceNamePrefix: a b", "invalid-interface", "5:24"],
  ["logging:\n  format: xml", "logging-format", "4:11"],
  ["portRange: 5-", "port-range", "3:12"],
];

for (const [yaml, code, place] of refused) {
  test(`${yaml.replaceAll("\n", "; ")} is refused at its place`, () => {
    const { config, diagnostics } = parse(`${yaml}\n`);
    assert.is(config, undefined);
    const errors = diagnostics.filter(({ severity }) => severity === "error");
    assert.equal(
      errors.map((found) => [found.code, `${found.line}:${found.column}`, found.file]),
      [[code, place, "c.yaml"]],
    );
  });
}

test("all that is wrong is said at once", () => {
  const yaml = "oomScoreAdj: 5000\nbindAddress: x\nmode: ipvs\nhealthzBindAddress: nowhere\nconntrack: {min: -1}\n";
  const codes = parse(yaml).diagnostics.flatMap(({ severity, code }) => (severity === "error" ? [code] : []));
  assert.equal(codes.sort(), ["invalid-address", "listen-address", "mode-ipvs", "out-of-range", "out-of-range"]);
});

test("unknown fields, wrong types and bad values are said together, each at its place and with what to do", () => {
  const yaml = [
    "modes: x",
    "oomScoreAdj: 5000",
    "detectLocalMode: BridgeInterface",
    "detectLocal: {bridgeInterface: 5}",
    "nodePortAddresses: [5, nowhere]",
    "nftables: {syncPeriod: 500, minSyncPeriod: 1m}",
    "featureGates: {NoSuch: true}",
    "bindAddress: localhost",
  ];
  const { config, diagnostics } = parse(yaml.join("\n"));
  assert.is(config, undefined);
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  assert.equal(errors.map(({ field, code, line }) => `${line} ${field}: ${code}`).sort(), [
    "10 bindAddress: invalid-address",
    "4 oomScoreAdj: out-of-range",
    "6 detectLocal.bridgeInterface: wrong-type",
    "7 nodePortAddresses[0]: wrong-type",
    "7 nodePortAddresses[1]: invalid-cidr",
    "8 nftables.syncPeriod: wrong-type",
  ]);
  for (const { hint, message } of errors) assert.ok(hint !== "", message);
});

test("a mode of the wrong type does not bring what its default would be told", () => {
  const { diagnostics } = parse("mode: 5\niptables: {masqueradeAll: true}\nnftables: {minSyncPeriod: 1m}");
  assert.equal(
    diagnostics.map(({ code }) => code),
    ["wrong-type"],
  );
});

const interfaces: [mode: string, detect: "BridgeInterface" | "InterfaceNamePrefix", name: string, said: string[]][] = [
  ["flat", "BridgeInterface", "_veth", []],
  ["flat", "BridgeInterface", ".a", []],
  ["nftables", "BridgeInterface", "eth+", []],
  ["iptables", "BridgeInterface", "eth+", ["warning interface-wildcard"]],
  ["iptables", "InterfaceNamePrefix", "eth+", []],
  ["flat", "InterfaceNamePrefix", "gke0123456789a+", []],
  ["iptables", "InterfaceNamePrefix", "gke0123456789a+", ["error interface-wildcard"]],
  ["iptables", "InterfaceNamePrefix", "gke0123456789ab", []],
  ["iptables", "InterfaceNamePrefix", "gke0123456789abc", ["error invalid-interface"]],
  ["flat", "InterfaceNamePrefix", "0a", []],
  ["flat", "InterfaceNamePrefix", "a*b", ["error invalid-interface"]],
  ["flat", "InterfaceNamePrefix", "a/b", ["error invalid-interface"]],
  ["flat", "BridgeInterface", "..", ["error invalid-interface"]],
  ["flat", "BridgeInterface", "!", ["error invalid-interface"]],
  ["flat", "BridgeInterface", "vethé", []],
];

for (const [mode, detect, name, said] of interfaces) {
  test(`${mode}, ${detect} ${name}: ${said.join() || "taken"}`, () => {
    const field = detect === "BridgeInterface" ? "bridgeInterface" : "interfaceNamePrefix";
    const yaml = `mode: ${mode}\ndetectLocalMode: ${detect}\ndetectLocal: {${field}: ${JSON.stringify(name)}}`;
    const { diagnostics } = parse(yaml);
    assert.equal(
      diagnostics.map(({ severity, code }) => `${severity} ${code}`),
      said,
    );
  });
}

const withoutEffect: [yaml: string, field: string, why: RegExp][] = [
  ["clientConnection: {contentType: application/cbor}", "clientConnection.contentType", /JSON/],
  ["clientConnection: {acceptContentTypes: text/x}", "clientConnection.acceptContentTypes", /JSON/],
  ["enableProfiling: true", "enableProfiling", /pprof/],
  ["showHiddenMetricsForVersion: '1.36'", "showHiddenMetricsForVersion", /metric/],
  ["logging: {vmodule: [{filePattern: a, verbosity: 4}]}", "logging.vmodule", /verbosity/],
  ["logging: {flushFrequency: 1s}", "logging.flushFrequency", /at once/],
  ["logging: {options: {json: {splitStream: true}}}", "logging.options.json.splitStream", /standard output/],
  ["configSyncPeriod: 1m", "configSyncPeriod", /syncPeriod/],
  ["portRange: 1000-2000", "portRange", /ports/],
  ["windowsRunAsService: true", "windowsRunAsService", /Windows/],
  ["winkernel: {networkName: l2}", "winkernel.networkName", /Windows/],
  ["ipvs: {scheduler: lc}", "ipvs.scheduler", /ipvs/],
  ["ipvs: {excludeCIDRs: [10.0.0.0/8]}", "ipvs.excludeCIDRs", /ipvs/],
  ["ipvs: {strictARP: true}", "ipvs.strictARP", /ipvs/],
  ["featureGates: {KubeProxyIPVS: true}", "featureGates.KubeProxyIPVS", /ipvs/],
  ["iptables: {masqueradeAll: true}", "iptables.masqueradeAll", /nftables\.masqueradeAll/],
  ["iptables: {masqueradeBit: 0}", "iptables.masqueradeBit", /nftables\.masqueradeBit/],
  ["iptables: {syncPeriod: 1m}", "iptables.syncPeriod", /nftables\.syncPeriod/],
  ["mode: iptables\nnftables: {masqueradeAll: true}", "nftables.masqueradeAll", /iptables\.masqueradeAll/],
  ["iptables: {localhostNodePorts: true}", "iptables.localhostNodePorts", /iptables mode/],
  ["detectLocalMode: NodeCIDR\nclusterCIDR: 10.0.0.0/8", "clusterCIDR", /NodeCIDR/],
  ["detectLocal: {bridgeInterface: cbr0}", "detectLocal.bridgeInterface", /ClusterCIDR/],
  ["conntrack: {udpTimeout: 500ms}", "conntrack.udpTimeout", /whole seconds/],
];

for (const [yaml, field, why] of withoutEffect) {
  test(`${yaml.replaceAll("\n", "; ")} is accepted, and says that it has no effect`, () => {
    const { config, diagnostics } = parse(yaml);
    assert.ok(config !== undefined);
    const warnings = diagnostics.filter(({ severity }) => severity === "warning");
    assert.equal(
      warnings.map((found) => [found.code, found.field]),
      [["no-effect", field]],
    );
    assert.match(warnings[0]?.message ?? "", why);
    assert.ok((warnings[0]?.line ?? 0) >= 3);
  });
}

test("the same value for both kinds of modes has its effect", () => {
  const yaml = "iptables: {masqueradeAll: true, syncPeriod: 60s}\nnftables: {masqueradeAll: true, syncPeriod: 1m0s}";
  assert.equal(
    parse(yaml).diagnostics.map(({ code }) => code),
    ["mode-default"],
  );
  assert.is(accepted(yaml).rules.masquerade.flat.all, true);
});

test("flags win over the file, and what is wrong in them is said by their names", () => {
  const source = { name: "c.yaml", bytes: new TextEncoder().encode(`${head}hostnameOverride: a\nmode: iptables\n`) };
  const { config, diagnostics } = parseAgentConfig(source, [
    { field: "hostnameOverride", value: "B", flag: "--hostname-override" },
  ]);
  assert.equal(diagnostics, []);
  assert.is(config?.rules.hostnameOverride, "b");
  const wrong = parseAgentConfig(source, [{ field: "logging.format", value: "xml", flag: "--logging-format" }]);
  assert.is(wrong.config, undefined);
  assert.equal(
    wrong.diagnostics.map(({ field, file }) => [field, file]),
    [["--logging-format", ""]],
  );
});

test("flags alone: health and metrics stay on IPv4, and an empty address switches them off", () => {
  const flags = [
    { field: "mode", value: "iptables", flag: "--proxy-mode" },
    { field: "bindAddress", value: "::", flag: "--bind-address" },
  ];
  const config = agentConfigFromFlags(flags).config as AgentConfig;
  assert.equal(config.healthzBindAddress, { host: "0.0.0.0", port: 10256 });
  assert.equal(config.metricsBindAddress, { host: "127.0.0.1", port: 10249 });
  const off = agentConfigFromFlags([
    ...flags,
    { field: "healthzBindAddress", value: "", flag: "--healthz-bind-address" },
    { field: "metricsBindAddress", value: "", flag: "--metrics-bind-address" },
  ]).config as AgentConfig;
  assert.is(off.healthzBindAddress, undefined);
  assert.is(off.metricsBindAddress, undefined);
});

test.run();
