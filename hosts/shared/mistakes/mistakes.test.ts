// Files that nothing is wrong with but what they mean: what is said, and where.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { fieldTree } from "../../../fixtures/recordings/openapi.ts";
import { placeText } from "../diagnostics.ts";
import type { Input } from "../manifests/input.ts";
import { parseSource } from "../manifests/parse.ts";
import { endpointSliceFields, serviceFields } from "./known-fields.ts";
import { findMistakes } from "./mistakes.ts";

const test = suite("silent mistakes");

function inputsOf(...texts: string[]): Input[] {
  return texts.flatMap((text, index) => {
    const bytes = new TextEncoder().encode(text);
    return [...parseSource({ name: `f${index}`, bytes })].map((parsed) => {
      if (!("input" in parsed)) throw new Error(parsed.diagnostic.message);
      return parsed.input;
    });
  });
}

/** `f0:3:4 warning unknown-field spec.x`, and the hint where there is one. */
function found(...texts: string[]): string[] {
  return [...findMistakes(inputsOf(...texts))].map((each) => {
    const { severity, code, field, hint } = each;
    return [placeText(each), severity, code, field, ...(hint === "" ? [] : [`(${hint})`])].join(" ");
  });
}

const service = (spec: string, metadata = "name: web") => `apiVersion: v1
kind: Service
metadata: {namespace: shop, ${metadata}}
spec: {clusterIP: 10.96.0.12, ports: [{name: http, port: 80}], ${spec}}
`;
const slice = (more: string, labels = "labels: {kubernetes.io/service-name: web}") => `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: shop, name: web-1, ${labels}}
endpoints: [{addresses: [10.32.0.15]}]
${more}
`;

const shop = { apiVersion: "v1", kind: "Service", metadata: { name: "web", namespace: "shop" }, spec: {} };

test("the known fields are those of the API server's schemas", () => {
  assert.equal(serviceFields, fieldTree("v1", "Service"));
  assert.equal(endpointSliceFields, fieldTree("discovery.k8s.io/v1", "EndpointSlice"));
});

test("unknown fields", () => {
  const of = (text: string) => found(service(text));
  assert.equal(of("sessionAfinity: ClientIP"), [
    "f0:4:64 warning unknown-field spec.sessionAfinity (did you mean sessionAffinity?)",
  ]);
  assert.equal(of("targetPort: 1"), [
    "f0:4:64 warning unknown-field spec.targetPort (it belongs to spec.ports.targetPort)",
  ]);
  assert.equal(of('topologyKeys: ["*"]'), ["f0:4:64 warning unknown-field spec.topologyKeys (remove it)"]);
  assert.equal(of("some_thing: 1"), ["f0:4:64 warning unknown-field spec.some_thing (remove it)"]);
  assert.equal(of("trafficShaping: 1"), ["f0:4:64 note unknown-field spec.trafficShaping"], "of a later version");
  assert.equal(of("selector: {any: thing}, sessionAffinityConfig: {clientIP: {timeout: 1}}"), [
    "f0:4:123 warning unknown-field spec.sessionAffinityConfig.clientIP.timeout (did you mean timeoutSeconds?)",
  ]);
  assert.equal(found(slice("addressType: IPv4\nport: [{name: http, port: 8080}]"), service("")), [
    "f0:6:1 warning unknown-field port (did you mean ports?)",
    "f0:1:1 warning slice-feeds-nobody ports (list them)",
  ]);
});

test("names that every JavaScript object has are fields like others", () => {
  for (const name of ["constructor", "toString", "__proto__"]) {
    const text = JSON.stringify(shop).replace('"spec"', `${JSON.stringify(name)}:1,"spec"`);
    const [said, ...more] = [...findMistakes(inputsOf(text))];
    assert.equal([said?.code, said?.field, more], ["unknown-field", name, []], name);
    assert.match(said?.message ?? "", /no such field/, name);
  }
});

test("objects that are nested too deeply are passed over, and those after them stand where they stand", () => {
  const nested = (levels: number) => `${"[".repeat(levels)}1${"]".repeat(levels)}`;
  const deep = JSON.stringify(shop).replace('"spec"', `"foo":${nested(20_000)},"spec"`);
  const list = `{"apiVersion":"v1","kind":"List","items":[${deep},${nested(20_000)},\n${JSON.stringify({ ...shop, foo: 1 })}]}`;
  assert.equal(found(list), ["f0:2:92 note unknown-field foo"]);
});

test("an unknown field of many objects is said once; what a cluster has sent is not looked at", () => {
  const texts = [
    service("foo: 1", "name: a"),
    service("foo: 1", "name: b"),
    service("foo: 1", "name: c, resourceVersion: '7'"),
  ];
  const [said, ...more] = [...findMistakes(inputsOf(...texts))];
  assert.is(said?.name, "a");
  assert.match(said?.message ?? "", "(and 1 object more)");
  assert.equal(more, []);
});

test("other kinds, groups and versions are nobody's business", () => {
  const knative = "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: web}\nspec: {template: {}}\n";
  const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nfoo: 1\n";
  assert.equal(found(knative, knative, pod, pod), []);
});

test("the same object twice", () => {
  assert.equal(found(service(""), service("type: NodePort")), [
    "f1:1:1 warning object-twice  (remove one, or rename it)",
  ]);
  assert.equal(found(`${service("")}---\n${service("")}`), ["f0:6:1 note object-twice "]);
  const all = [0, 1, 2, 3].map((index) => service("", `name: web-${index}`)).join("---\n");
  assert.equal(found(`${all}---\n${all}`).length, 1, "many are said once");
  const event = (type: string) => JSON.stringify({ type, object: JSON.parse(JSON.stringify(shop)) });
  assert.equal(found(`${event("ADDED")}\n${event("MODIFIED")}\n`), [], "of a watch");
  const list = {
    apiVersion: "v1",
    kind: "ServiceList",
    items: [shop, shop].map(({ metadata, spec }) => ({ metadata, spec })),
  };
  assert.equal(found(JSON.stringify(list, undefined, 1)).length, 1, "in a typed list");
});

test("placeholders of kubectl --dry-run=server", () => {
  const dryRun = (addresses: string) =>
    `apiVersion: v1\nkind: Service\nmetadata: {name: web, uid: "1"}\nspec: {clusterIPs: [${addresses}], ports: [{port: 80, nodePort: 32769}]}\n`;
  const codes = (...texts: string[]) =>
    [...findMistakes(inputsOf(...texts))].map(({ code, field }) => `${code} ${field}`);
  assert.equal(codes(dryRun("10.96.0.0")), [
    "dry-run-placeholder spec.clusterIPs[0]",
    "dry-run-placeholder spec.ports[0].nodePort",
  ]);
  const cidr =
    "apiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata: {name: k}\nspec: {cidrs: [10.43.0.0/16, 'fd00::/112']}\n";
  assert.equal(codes(dryRun("10.43.0.0, 'fd00::'"), cidr).length, 3);
  assert.equal(codes(dryRun("10.43.0.0, 'fd00::'")), ["dry-run-placeholder spec.ports[0].nodePort"]);
});

test("slices that feed nobody", () => {
  const of = (...args: Parameters<typeof slice>) => found(slice(...args), service(""));
  const http = "ports: [{name: http, port: 8080}]";
  assert.equal(of(`addressType: IPv4\n${http}`), []);
  assert.equal(of(`addressType: IPv4\n${http}`, "labels: {app: web}"), [
    "f0:3:42 warning slice-without-service metadata.labels (add `kubernetes.io/service-name: NAME`)",
  ]);
  assert.equal(of(`addressType: IPv4\n${http}`, "labels: {kubernetes.io/service-name: other}"), [
    'f0:3:51 warning slice-without-service metadata.labels["kubernetes.io/service-name"]',
  ]);
  assert.equal(of(`addressType: IPv6\n${http}`), [
    "f0:5:1 warning slice-feeds-nobody addressType (give the Service one, or leave the slice out)",
  ]);
  assert.equal(
    found(
      slice(`addressType: FQDN\n${http}`, "resourceVersion: '7', labels: {kubernetes.io/service-name: web}"),
      service(""),
    ),
    ["f0:5:1 warning slice-feeds-nobody addressType (use IPv4 or IPv6)"],
  );
  const bad =
    "{name: web, port: 1}, {name: http, port: 1, protocol: UDP}, {name: http}, {port: 1}, {name: http, port: 1}";
  const why = [...findMistakes(inputsOf(slice(`addressType: IPv4\nports: [${bad}]`), service("")))];
  assert.equal(
    why.map(({ field, message }) => `${field} ${message.replace(/^.*: /, "")}`),
    [
      "ports[0] the Service has no port web",
      "ports[1] the Service's port http is not UDP",
      "ports[2] it has no number",
      'ports[3] it has no name (a Service\'s port without one is called "")',
    ],
  );
});

test("a Service's port that is no number is said as it stands", () => {
  const web = JSON.stringify({
    ...shop,
    spec: { clusterIP: "10.96.0.12", ports: [{ port: { toString: 1, valueOf: 1 } }] },
  });
  const hints = [...findMistakes(inputsOf(slice("addressType: IPv4\nports: [{name: http, port: 1}]"), web))].map(
    ({ code, hint }) => [code, hint],
  );
  assert.equal(hints.at(-1), ["slice-feeds-nobody", 'Service web has {"toString":1,"valueOf":1}/TCP']);
});

test("a slice in another namespace than its Service's: the first one of that name is told", () => {
  const of = (namespace: string) => JSON.stringify({ ...shop, metadata: { name: "web", namespace } });
  const [said] = [...findMistakes(inputsOf(slice("addressType: IPv4"), of("a"), of("b")))];
  assert.is(said?.hint, "there is a/web: a slice is in its Service's namespace");
});

test("of many ports some are named", () => {
  const ports = Array.from({ length: 50 }, (_, i) => `{name: p${i}, port: 1}`).join(", ");
  const said = found(slice(`addressType: IPv4\nports: [${ports}]`), service(""));
  assert.is(said.length, 6);
  assert.match(said[5] ?? "", /slice-feeds-nobody ports$/);
});

test("slices that need not feed anybody", () => {
  const ports = "addressType: IPv4\nports: [{name: x, port: 8080}]";
  const headless = "apiVersion: v1\nkind: Service\nmetadata: {namespace: shop, name: web}\nspec: {clusterIP: None}\n";
  assert.equal(found(slice(ports), headless), []);
  assert.equal(found(slice(ports, 'labels: {service.kubernetes.io/headless: ""}')), []);
  assert.equal(
    found(slice(ports, "labels: {kubernetes.io/service-name: x}, resourceVersion: '7'")),
    [],
    "of a cluster",
  );
  assert.equal(
    found(slice("addressType: IPv4").replace(/^endpoints: .*$/m, "endpoints: []"), service("")),
    [],
    "empty",
  );
});

test("a slice without a namespace is in default, as its Service", () => {
  const ports = "addressType: IPv4\nports: [{name: http, port: 8080}]";
  const inDefault = (text: string) => text.replace("namespace: shop", "namespace: default");
  const without = (text: string) => text.replace("namespace: shop, ", "");
  assert.equal(found(without(slice(ports)), inDefault(service(""))), []);
  assert.equal(found(inDefault(slice(ports)), without(service(""))), []);
  assert.is(found(without(slice(ports)), service("")).length, 1);
});

test("kinds that rules come from, in versions and spellings that Kubernetes does not have", () => {
  const said = (apiVersion: string, kind: string, more = "") =>
    found(`apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: web${more}}\n`);
  assert.equal(said("apps/v1", "Service"), [
    "f0:1:1 warning no-such-kind apiVersion (write `apiVersion: v1` and `kind: Service`)",
  ]);
  assert.equal(said("v1", "service"), [
    "f0:2:1 warning no-such-kind kind (write `apiVersion: v1` and `kind: Service`)",
  ]);
  const hint = (apiVersion: string, kind: string) => said(apiVersion, kind).map((line) => /\((.*)\)$/.exec(line)?.[1]);
  assert.equal(hint("core/v1", "Pod"), ["write `apiVersion: v1` and `kind: Pod`"]);
  assert.equal(hint("v1", "Deployment"), ["write `apiVersion: apps/v1` and `kind: Deployment`"]);
  assert.equal(hint("discovery.k8s.io/v1beta1", "EndpointSlice"), [
    "write `apiVersion: discovery.k8s.io/v1` and `kind: EndpointSlice`",
  ]);
  for (const [apiVersion, kind] of [
    ["v1", "Service"],
    ["apps/v1", "Deployment"],
    ["batch/v1", "CronJob"],
    ["autoscaling/v1", "HorizontalPodAutoscaler"],
    ["networking.k8s.io/v1beta1", "ServiceCIDR"],
    ["extensions/v1beta1", "Deployment"],
    ["serving.knative.dev/v1", "Service"],
    ["v1", "Secret"],
  ] as const) {
    assert.equal(said(apiVersion, kind), [], `${apiVersion} ${kind}`);
  }
  assert.equal(said("discovery.k8s.io/v1beta1", "EndpointSlice", ", resourceVersion: '7'"), [], "of an older cluster");
});

test("files that are too large are said", () => {
  const json = new TextEncoder().encode(JSON.stringify({ kind: "List", items: [], padding: "x".repeat(8_000_000) }));
  const input = { file: "dump.json", json, position: () => ({ line: 0, column: 0 }), hint: () => "" };
  assert.equal(
    [...findMistakes([input])].map(({ code, file }) => `${file} ${code}`),
    ["dump.json large-file"],
  );
});

test("broken JSON ends it quietly", () => {
  assert.equal(found('{"kind":"Service","apiVersion":"v1","metadata":{"name":"a"},"foo_":1}\n{"kind":').length, 1);
});

test.run();
