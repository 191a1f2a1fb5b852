import { test } from "uvu";
import * as assert from "uvu/assert";
import { type ConfigResult, readConfig } from "./config.ts";
import { configFields, type Fields, type FieldType } from "./fields.ts";
import { defaultKubeVersion, parseKubeVersion } from "./kube-version.ts";
import { decidedLocalhost, namesLoopback } from "./localhost-gate.ts";
import { defaultRules, engineOptions, type ProxyConfig } from "./rules.ts";
import { asStrict } from "./strict.ts";

const head = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";
const parse = (text: string): ConfigResult => readConfig({ name: "c.yaml", bytes: new TextEncoder().encode(text) });

function accepted(text: string): ProxyConfig {
  const { config, diagnostics } = parse(head + text);
  assert.equal(
    diagnostics.filter(({ code }) => code !== "no-effect"),
    [],
  );
  assert.ok(config !== undefined);
  return config.rules;
}

const errors = ({ diagnostics }: ConfigResult) => diagnostics.filter(({ severity }) => severity === "error");
const noGates = { own: undefined, allAlpha: undefined, allBeta: undefined };
/** A file with nothing in it, in flat mode. */
const nothing: ProxyConfig = { ...defaultRules(), mode: "flat", bindAddress: "0.0.0.0" };

test("an empty configuration is kube-proxy's defaults", () => {
  assert.equal(accepted(""), nothing);
  assert.equal(defaultRules(), {
    mode: undefined,
    hostnameOverride: "",
    bindAddress: "",
    detectLocalMode: "cluster-cidr",
    clusterCidr: "",
    bridgeInterface: "",
    interfaceNamePrefix: "",
    nodePortAddresses: [],
    masquerade: { iptables: { all: false, bit: 14 }, nftables: { all: false, bit: 14 }, flat: { all: false, bit: 14 } },
    localhostNodePorts: true,
    allowServiceExternalIps: true,
    localhostGates: noGates,
    conntrackTcpBeLiberal: false,
  });
});

const meanings: [yaml: string, expected: Partial<ProxyConfig>][] = [
  ["mode: iptables", { mode: "iptables" }],
  ['mode: ""', {}],
  ["mode:", {}],
  ["mode: nftables", { mode: "nftables" }],
  ["mode: flat", { mode: "flat" }],
  ["hostnameOverride: ' Node-A '", { hostnameOverride: "node-a" }],
  ["bindAddress: '::'", { bindAddress: "::" }],
  ["clusterCIDR: 10.0.0.0/8,fd00::/8", { clusterCidr: "10.0.0.0/8,fd00::/8" }],
  ["detectLocalMode: ''", {}],
  ["detectLocalMode: NodeCIDR", { detectLocalMode: "node-cidr" }],
  [
    "detectLocalMode: BridgeInterface\ndetectLocal: {bridgeInterface: cbr0}",
    { detectLocalMode: "bridge-interface", bridgeInterface: "cbr0" },
  ],
  [
    "detectLocalMode: InterfaceNamePrefix\ndetectLocal: {interfaceNamePrefix: cali}",
    { detectLocalMode: "interface-name-prefix", interfaceNamePrefix: "cali" },
  ],
  ["nodePortAddresses: [primary]", { nodePortAddresses: ["primary"] }],
  ["nodePortAddresses: null", {}],
  ["iptables: {localhostNodePorts: false}", { localhostNodePorts: false }],
  ["iptables: {localhostNodePorts: null}", {}],
  ["iptables:", {}],
  [
    "iptables: {masqueradeBit: 0, masqueradeAll: true}",
    {
      masquerade: { iptables: { all: true, bit: 0 }, nftables: { all: false, bit: 14 }, flat: { all: false, bit: 14 } },
    },
  ],
  [
    "nftables: {masqueradeBit: 31, masqueradeAll: true}",
    {
      masquerade: { iptables: { all: false, bit: 14 }, nftables: { all: true, bit: 31 }, flat: { all: true, bit: 31 } },
    },
  ],
  ["featureGates: {AllowServiceExternalIPs: false}", { allowServiceExternalIps: false }],
  ["featureGates: {AllowServiceExternalIPs: true, AllAlpha: true}", { localhostGates: { ...noGates, allAlpha: true } }],
  ["featureGates: {AllowServiceExternalIPs: null, AllBeta: false}", { localhostGates: { ...noGates, allBeta: false } }],
  ["featureGates: {KubeProxyNFTablesLocalhostNodePorts: true}", { localhostGates: { ...noGates, own: true } }],
  ["conntrack: {tcpBeLiberal: true}", { conntrackTcpBeLiberal: true }],
  ["configSyncPeriod: 15m0s", {}],
];

for (const [yaml, expected] of meanings) {
  test(`${yaml.replaceAll("\n", "; ")} is understood`, () => assert.equal(accepted(yaml), { ...nothing, ...expected }));
}

test("the options follow the mode's own section", () => {
  const config = accepted("iptables: {masqueradeBit: 1}\nnftables: {masqueradeBit: 2, masqueradeAll: true}");
  const iptables = engineOptions(config, {
    mode: "iptables",
    node: "n",
    nfacct: false,
    kubeVersion: defaultKubeVersion,
  });
  assert.is(iptables.masqueradeBit, 1);
  assert.is(iptables.masqueradeAll, false);
  assert.is(iptables.nfacctInvalidDropped, false);
  const nftables = engineOptions(config, {
    mode: "nftables",
    node: "n",
    nfacct: true,
    kubeVersion: defaultKubeVersion,
  });
  assert.is(nftables.masqueradeBit, 2);
  assert.is(nftables.masqueradeAll, true);
  assert.is(nftables.nodeName, "n");
  const flat = engineOptions(config, { mode: "flat", node: "n", nfacct: true, kubeVersion: defaultKubeVersion });
  assert.equal([flat.mode, flat.masqueradeBit, flat.masqueradeAll], ["flat", 2, true]);
});

const localhost: [gates: string, before: boolean, from138: boolean][] = [
  ["{}", false, true],
  ["{KubeProxyNFTablesLocalhostNodePorts: true}", true, true],
  ["{KubeProxyNFTablesLocalhostNodePorts: false}", false, false],
  ["{AllAlpha: true}", true, true],
  ["{AllBeta: false}", false, false],
  ["{AllAlpha: true, AllBeta: false}", true, false],
  ["{AllAlpha: true, AllBeta: false, KubeProxyNFTablesLocalhostNodePorts: true}", true, true],
];
for (const [gates, before, from138] of localhost) {
  test(`node ports on localhost with featureGates ${gates}`, () => {
    const config = accepted(`featureGates: ${gates}`);
    const isOn = (mode: "flat" | "nftables" | "iptables", text: string) => {
      const kubeVersion = parseKubeVersion(text);
      assert.ok(kubeVersion);
      return engineOptions(config, { mode, node: "n", nfacct: true, kubeVersion }).nftablesLocalhostNodePorts;
    };
    for (const mode of ["flat", "nftables"] as const) {
      for (const version of ["1.30", "1.37", "v1.37.2"]) assert.is(isOn(mode, version), before, version);
      for (const version of ["1.38", "v1.38.0-beta.0", "1.38+", "1.43", "2.0"])
        assert.is(isOn(mode, version), from138, version);
      assert.is(decidedLocalhost(config.localhostGates, mode), before === from138 ? before : undefined);
    }
    assert.is(isOn("iptables", "1.38"), false);
    assert.is(decidedLocalhost(config.localhostGates, "iptables"), false);
  });
}

test("which nodePortAddresses name loopback: what the engine listens for is decided alike", () => {
  for (const named of ["localhost", "127.0.0.0/8", "127.0.0.1/32", "126.0.0.0/7", "::1/128", "::/64", "::/1"]) {
    assert.is(namesLoopback(["primary", named]), true, named);
  }
  assert.is(namesLoopback(["primary", "all", "0.0.0.0/0", "::/0", "127.0.0.2/32", "10.0.0.0/8", "fd00::/8"]), false);
});

test("versions that are none", () => {
  for (const text of ["", "1", "1.x", "one.two", "1.38 beta", "undefined.undefined"]) {
    assert.is(parseKubeVersion(text), undefined, text);
  }
});

const refused: [yaml: string, code: string, place: string, message: RegExp][] = [
  ["mode: ipvs", "mode-ipvs", "3:7", /deprecate/],
  ["mode: kernelspace", "mode-windows", "3:7", /Windows/],
  ["mode: iptable", "mode-unknown", "3:7", /no mode/],
  ["mode: 5", "wrong-type", "3:7", /text is wanted/],
  ["hostnameOverride: ' '", "hostname-blank", "3:19", /blanks/],
  ["detectLocalMode: clustercidr", "detect-local-mode", "3:18", /none of the modes/],
  ["mode: iptables\niptables:\n  masqueradeBit: 32", "masquerade-bit", "5:18", /no bit/],
  ["iptables:\n  masqueradeBit: 1.5", "wrong-type", "4:18", /whole number/],
  ["iptables:\n  masqueradeAll: 'true'", "wrong-type", "4:18", /true or false/],
  ["iptables: []", "wrong-type", "3:11", /mapping/],
  ["nodePortAddresses: 10.0.0.0/8", "wrong-type", "3:20", /a list/],
  ["nodePortAddresses:\n- all\n- 5", "wrong-type", "5:3", /text is wanted/],
  ["conntrack:\n  udpTimeout: 30", "wrong-type", "4:15", /duration/],
  ["conntrack:\n  udpTimeout: 30 s", "wrong-type", "4:15", /duration/],
  ["featureGates: {A: 1}", "wrong-type", "3:19", /true or false/],
  ["mode: [", "yaml-syntax", "4:1", /./],
];

for (const [yaml, code, place, message] of refused) {
  test(`${yaml.replaceAll("\n", "; ")} is refused at its place`, () => {
    const { config, diagnostics } = parse(`${head}${yaml}\n`);
    assert.is(config, undefined);
    assert.equal(
      diagnostics.map((found) => found.code),
      [code],
    );
    assert.is(diagnostics[0]?.severity, "error");
    assert.is(`${diagnostics[0]?.line}:${diagnostics[0]?.column}`, place);
    assert.match(diagnostics[0]?.message ?? "", message);
    assert.is(diagnostics[0]?.file, "c.yaml");
  });
}

test("all that is wrong is said at once", () => {
  assert.is(parse(`${head}modes: x\nclusterCIDR: 5\niptables: {masqueradeBit: x}\n`).diagnostics.length, 3);
});

test("an unknown field or a wrong type hides no other error, and brings none that only follows from it", () => {
  const found = (text: string) => parse(head + text).diagnostics.map(({ field, line, code }) => [field, line, code]);
  assert.equal(found("modes: x\nmode: nftables\nnftables:\n  masqueradeBit: 99\n"), [
    ["modes", 3, "unknown-field"],
    ["nftables.masqueradeBit", 6, "masquerade-bit"],
  ]);
  assert.equal(found("hostnameOverride: 5\ndetectLocalMode: BridgeInterface\ndetectLocal: {bridgeInterface: 5}\n"), [
    ["hostnameOverride", 3, "wrong-type"],
    ["detectLocal.bridgeInterface", 5, "wrong-type"],
  ]);
});

const warned: [yaml: string, code: string, place: string, message: RegExp, hint: RegExp][] = [
  ["clusterCIDRs: x", "unknown-field", "3:1", /no such field/, /clusterCIDR/],
  ["clustercidr: x", "unknown-field", "3:1", /no such field/, /clusterCIDR/],
  ["iptables:\n  masqueradeBits: 3", "unknown-field", "4:3", /no such field/, /masqueradeBit/],
  ["udpIdleTimeout: 250ms", "former-field", "3:1", /not known since Kubernetes 1\.26/, /remove/],
  ["resourceContainer: /kube-proxy", "former-field", "3:1", /not known since Kubernetes 1\.16/, /remove/],
  ["conntrack:\n  max: 0", "former-field", "4:3", /not known since Kubernetes/, /remove/],
  ["ipvs:\nstrictARP: true", "unknown-field", "4:1", /no such field/, /below `ipvs:`/],
  ["what: {ever: [a]}", "unknown-field", "3:1", /no such field/, /remove/],
  ["mode: iptables\nmode: nftables", "yaml-duplicate-key", "4:1", /twice/, /last one counts/],
  [
    "mode: iptables\nnftables:\n  masqueradeBit: 41",
    "unused-value",
    "5:18",
    /no bit.*iptables mode does not read/,
    /0 to 31/,
  ],
  ["mode: nftables\niptables:\n  syncPeriod: -5s", "unused-value", "5:15", /negative.*nftables mode/, /0s/],
  ["mode: flat\niptables:\n  minSyncPeriod: 40s", "unused-value", "5:18", /longer.*flat mode/, /syncPeriod/],
  ["nftables:\n  masqueradeBit: 41", "unused-value", "4:18", /no bit.*no mode is given/, /0 to 31/],
  ["featureGates:\n  Bogus: true", "unknown-feature-gate", "4:10", /no release/, /remove/],
  [
    "featureGates:\n  AllowServiceExternalIp: false",
    "unknown-feature-gate",
    "4:27",
    /no release/,
    /AllowServiceExternalIPs/,
  ],
  ["featureGates:\n  AllowExternalIPs: false", "unknown-feature-gate", "4:21", /no release/, /AllowServiceExternalIPs/],
];

for (const [yaml, code, place, message, hint] of warned) {
  test(`${yaml.replaceAll("\n", "; ")} is warned of at its place, and an error only where one asks for it`, () => {
    const { config, diagnostics } = parse(`${head}${yaml}\n`);
    assert.ok(config !== undefined);
    const found = diagnostics.filter((each) => each.code !== "no-effect");
    assert.equal(
      found.map((each) => [each.severity, each.code, `${each.line}:${each.column}`, each.file]),
      [["warning", code, place, "c.yaml"]],
    );
    assert.match(found[0]?.message ?? "", message);
    assert.match(found[0]?.hint ?? "", hint);
    assert.equal(
      asStrict(diagnostics).flatMap((each) => (each.severity === "error" ? [each.code] : [])),
      [code],
    );
  });
}

const last = (text: string) => parse(head + text).config?.rules ?? nothing;

test("of keys given twice the last counts, also of sections, and in JSON", () => {
  assert.is(last("mode: iptables\nmode: nftables").mode, "nftables");
  const sections = last("nftables: {masqueradeAll: true}\nnftables: {masqueradeBit: 3}");
  assert.equal(sections.masquerade.nftables, { all: false, bit: 3 });
  const json = parse(`{"kind": "KubeProxyConfiguration", "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
    "mode": "iptables", "mode": "nftables"}`);
  assert.is(json.config?.mode, "nftables");
  assert.equal(
    json.diagnostics.map(({ code, line }) => [code, line]),
    [["yaml-duplicate-key", 2]],
  );
});

test("a wrong value that does not count is not in force", () => {
  const { config } = parse(`${head}mode: iptables\nnftables: {masqueradeBit: 41, syncPeriod: -5s}\n`);
  assert.is(config?.rules.masquerade.nftables.bit, 14);
  const noMode = parse(
    `${head}nftables: {masqueradeBit: 41, syncPeriod: 10s, minSyncPeriod: 20s, masqueradeAll: true}\n`,
  );
  assert.equal(noMode.config?.rules.masquerade.flat, { all: true, bit: 14 });
  assert.equal([noMode.config?.syncPeriodMs, noMode.config?.minSyncPeriodMs], [30_000, 0]);
});

test("no message shows what may be a secret", () => {
  const secrets = [
    "hunter2hunter2hunter2hunter2hunter2hunter2hunter2",
    "https://admin:s3cr3t@10.0.0.1:6443/",
    "a {b} c",
  ];
  const fields = [
    "token: S",
    "clientConnection: {token: S, password: S, burst: S}",
    "bindAddress: S",
    "mode: S",
    "detectLocalMode: S",
    "clusterCIDR: S",
    "nodePortAddresses: [S]",
    "healthzBindAddress: S",
    "metricsBindAddress: S",
    "logging: {format: S, verbosity: S}",
    "portRange: S",
    "conntrack: {udpTimeout: S}",
    "detectLocalMode: InterfaceNamePrefix\ndetectLocal: {interfaceNamePrefix: S}",
    "kind: S",
  ];
  for (const secret of secrets) {
    for (const field of fields) {
      const { diagnostics } = parse(head + field.replaceAll("S", JSON.stringify(secret)));
      assert.ok(diagnostics.length > 0, field);
      assert.not.match(JSON.stringify(diagnostics), secret.slice(0, 12), field);
    }
  }
});

test("every error says what to do", () => {
  for (const [yaml] of refused.filter(([, code]) => !code.startsWith("yaml-"))) {
    for (const { hint, message } of errors(parse(`${head}${yaml}\n`))) assert.ok(hint !== "", `${yaml}: ${message}`);
  }
});

test("hints name words that are booleans", () => {
  assert.match(parse(`${head}hostnameOverride: on`).diagnostics[0]?.hint ?? "", 'write "on"');
});

test("other documents are no configuration", () => {
  const codes = (text: string) => parse(text).diagnostics.map(({ code }) => code);
  assert.equal(codes("kind: ConfigMap\napiVersion: v1\n"), ["config-kind"]);
  assert.match(parse("kind: ConfigMap\n").diagnostics[0]?.hint ?? "", "kubectl");
  assert.equal(codes("mode: iptables\n"), ["config-kind"]);
  assert.equal(codes("kind: KubeProxyConfiguration\napiVersion: kubeproxy.config.k8s.io/v1alpha2\n"), [
    "config-version",
  ]);
  assert.equal(codes(`${head}---\n${head}`), ["config-documents"]);
  assert.equal(codes(""), ["empty-file"]);
  assert.equal(codes("# nothing\n"), ["no-objects"]);
  assert.equal(codes("- a\n"), ["not-an-object"]);
});

test("JSON is read too, tabs included", () => {
  const json =
    '{\n\t"apiVersion": "kubeproxy.config.k8s.io/v1alpha1",\n\t"kind": "KubeProxyConfiguration",\n\t"mode": "iptables"\n}';
  const { config, diagnostics } = parse(json);
  assert.equal(diagnostics, []);
  assert.is(config?.mode, "iptables");
});

/** A value that fits each type, and one that doesn't. */
const samples: Record<string, [fits: unknown, misfits: unknown]> = {
  string: ["x", 5],
  bool: [true, "true"],
  int32: [-5, 2 ** 31],
  uint32: [5, -5],
  float: [0.5, "x"],
  duration: ["1h2m3.5s", 5],
  durationOrNumber: ["5s", "x"],
  quantity: ["64Ki", true],
};

function sample(type: FieldType, which: 0 | 1): unknown {
  if (typeof type === "string") return samples[type]?.[which];
  if (which === 1) return "x";
  if ("list" in type) return [sample(type.list, 0)];
  if ("map" in type) return { key: sample(type.map, 0) };
  return Object.fromEntries(Object.entries(type.fields).map(([name, field]) => [name, sample(field, 0)]));
}

const base = { apiVersion: "kubeproxy.config.k8s.io/v1alpha1", kind: "KubeProxyConfiguration" };
const meaningful = { ...base, mode: "iptables", detectLocalMode: "ClusterCIDR" };
const masquerade = { iptables: { masqueradeBit: 3 }, nftables: { masqueradeBit: 3 } };

/** What is said of names and types; the values of samples mean nothing. */
const misfits = (value: object) =>
  parse(JSON.stringify(value)).diagnostics.flatMap(({ code, field }) =>
    ["unknown-field", "former-field", "wrong-type"].includes(code) ? [[code, field]] : [],
  );

test("every field of the type is accepted, alone and all together", () => {
  const all = Object.fromEntries(Object.entries(configFields).map(([name, type]) => [name, sample(type, 0)]));
  assert.equal(misfits({ ...all, ...meaningful, ...masquerade }), []);
  for (const name of Object.keys(configFields)) {
    if (name in meaningful) continue;
    const value = name in masquerade ? { masqueradeAll: true } : all[name];
    assert.equal(misfits({ ...base, [name]: value }), [], name);
    assert.equal(misfits({ ...base, [name]: null }), [], `${name}: null`);
  }
});

test("every field refuses a value of another type", () => {
  let seen = 0;
  const visit = (fields: Fields, wrap: (value: unknown) => unknown) => {
    for (const [name, type] of Object.entries(fields)) {
      if (name in base) continue;
      const value = { ...base, ...(wrap({ [name]: sample(type, 1) }) as object) };
      assert.equal(
        misfits(value).map(([code]) => code),
        ["wrong-type"],
        name,
      );
      assert.is(parse(JSON.stringify(value)).config, undefined);
      seen++;
      if (typeof type === "object" && "fields" in type) visit(type.fields, (inner) => wrap({ [name]: inner }));
    }
  };
  visit(configFields, (value) => value);
  assert.ok(seen > 50, `${seen} fields`);
});

test.run();
