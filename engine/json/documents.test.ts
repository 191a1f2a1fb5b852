// What API servers send and people write: lists, pages, watch lines, one document after the other.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  type ApplyResult,
  applyText,
  encode,
  endpointsOf,
  type KubernetesObject,
  makeEngine,
  makeNode,
  makeService,
  makeServiceCIDR,
  makeSlice,
  put,
  renderAll,
  serviceNames,
} from "../../fixtures/support/engine-tests.ts";

const test = suite("json: documents");

const bare = ({ apiVersion: _, kind: __, ...item }: KubernetesObject) => item;
const line = (type: string, object: unknown) => `${JSON.stringify({ type, object })}\n`;
const counts = ({ services, endpointSlices, nodes, serviceCidrs, changed }: ApplyResult) => ({
  services,
  endpointSlices,
  nodes,
  serviceCidrs,
  changed,
});
const codes = ({ problems }: ApplyResult) => problems.map(({ code }) => code);

const a = makeService("shop/a", { ip: "10.96.0.1" });
const b = makeService("shop/b", { ip: "10.96.0.2" });
const c = makeService("shop/c", { ip: "10.96.0.3" });
const sliceOfA = makeSlice("shop/a-1", "a", ["10.0.0.1"]);

test("a page: items without kind, the list's resourceVersion, the token of the next page", () => {
  const engine = makeEngine();
  const page = (token: string | undefined, items: KubernetesObject[]) =>
    JSON.stringify({
      kind: "ServiceList",
      apiVersion: "v1",
      metadata: { resourceVersion: "117", ...(token === undefined ? {} : { continue: token, remainingItemCount: 1 }) },
      items: items.map((item) => ({ ...bare(item), metadata: { ...item.metadata, resourceVersion: "9" } })),
    });
  const first = applyText(engine, page("eyJ2IjoibWV0YSJ9", [a, b]));
  assert.equal(counts(first), { services: 2, endpointSlices: 0, nodes: 0, serviceCidrs: 0, changed: 2 });
  assert.is(first.continueToken, "eyJ2IjoibWV0YSJ9");
  assert.is(first.resourceVersion, "117");
  const last = applyText(engine, page(undefined, [c]));
  assert.is(last.continueToken, "");
  assert.is(last.resourceVersion, "117");
  assert.equal(serviceNames(engine), ["shop/a", "shop/b", "shop/c"]);
});

test("typed lists of all four kinds", () => {
  const engine = makeEngine();
  const cidr = makeServiceCIDR("kubernetes", ["10.96.0.0/16"]);
  const node = makeNode("node-a", { ips: ["192.0.2.10"] });
  const list = (object: KubernetesObject) =>
    JSON.stringify({ kind: `${object.kind}List`, apiVersion: object.apiVersion, items: [bare(object)] });
  const result = applyText(engine, [a, sliceOfA, node, cidr].map(list).join("\n"));
  assert.equal(result.problems, []);
  assert.equal(counts(result), { services: 1, endpointSlices: 1, nodes: 1, serviceCidrs: 1, changed: 4 });
  assert.is(engine.node().ipv4, "192.0.2.10");
  assert.match(renderAll(engine), "10.96.0.0/16");
});

test("kind and apiVersion of a list may come after its items, and `items` may be null", () => {
  const engine = makeEngine();
  const text = `{"items":[${JSON.stringify(bare(a))}],"metadata":{"resourceVersion":"5"},"apiVersion":"v1","kind":"ServiceList"}`;
  const result = applyText(engine, text);
  assert.equal(result.problems, []);
  assert.is(result.services, 1);
  assert.is(result.resourceVersion, "5");
  assert.equal(applyText(engine, '{"kind":"ServiceList","apiVersion":"v1","items":null}').problems, []);
});

test("v1 List: items carry their kinds; those that are not read are counted in order of appearance", () => {
  const engine = makeEngine();
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" } };
  const deployment = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "d" } };
  const items = [pod, deployment, a, pod, sliceOfA];
  const result = applyText(engine, JSON.stringify({ apiVersion: "v1", kind: "List", items }));
  assert.equal(result.skipped, [
    { kind: "Pod", count: 2 },
    { kind: "Deployment.apps", count: 1 },
  ]);
  assert.is(result.services + result.endpointSlices, 2);
  assert.equal(result.problems, []);
});

test("a list in a list is an error, and the objects around it are read", () => {
  for (const kind of ["List", "ServiceList"]) {
    const nested = { apiVersion: "v1", kind, items: [a] };
    const result = applyText(
      makeEngine(),
      JSON.stringify({ apiVersion: "v1", kind: "List", items: [nested, sliceOfA] }),
    );
    assert.equal(
      result.problems.map(({ code, severity, kind }) => [code, severity, kind]),
      [["list-in-list", "error", kind]],
    );
    assert.equal([result.services, result.endpointSlices, result.skipped], [0, 1, []]);
  }
});

test("more than 64 kinds that are not read are counted together", () => {
  const items = Array.from({ length: 70 }, (_, i) => ({ apiVersion: "v1", kind: `Kind${i % 68}`, metadata: {} }));
  const { skipped } = applyText(makeEngine(), JSON.stringify({ apiVersion: "v1", kind: "List", items }));
  assert.is(skipped.length, 65);
  assert.equal(skipped[1], { kind: "Kind1", count: 2 });
  assert.equal(skipped[64], { kind: "(other kinds)", count: 4 });
});

test("an item may say kind and apiVersion itself, and another than the list says", () => {
  const engine = makeEngine();
  const items = [a, { ...b, apiVersion: "example.com/v1" }, makeNode("node-a"), { kind: "Pod", metadata: {} }];
  const result = applyText(engine, JSON.stringify({ kind: "ServiceList", apiVersion: "v1", items }));
  assert.equal(counts(result), { services: 1, endpointSlices: 0, nodes: 1, serviceCidrs: 0, changed: 2 });
  assert.equal(result.skipped, [
    { kind: "Service.example.com", count: 1 },
    { kind: "Pod", count: 1 },
  ]);
});

for (const [kind, wrong, right] of [
  ["Service", "serving.knative.dev/v1", "v1"],
  ["Service", "v2", "v1"],
  ["Node", "metrics.k8s.io/v1beta1", "v1"],
  ["EndpointSlice", "v1", "discovery.k8s.io/v1"],
  ["EndpointSlice", "discovery.k8s.io/", "discovery.k8s.io/v1beta1"],
  ["ServiceCIDR", "v1", "networking.k8s.io/v1"],
  ["ServiceCIDR", "networking.k8s.io.example.com/v1", "networking.k8s.io/v1alpha1"],
] as const) {
  test(`${kind} is ${right}, not ${wrong}`, () => {
    const object = (apiVersion: string) => JSON.stringify({ apiVersion, kind, metadata: { name: "x" } });
    const engine = makeEngine();
    const group = /^(.*)\//.exec(wrong)?.[1];
    const name = group === undefined ? kind : `${kind}.${group}`;
    assert.equal(applyText(engine, object(wrong)).skipped, [{ kind: name, count: 1 }]);
    assert.equal(applyText(engine, object(right)).skipped, []);
  });
}

test("watch lines: ADDED, MODIFIED, DELETED, BOOKMARK", () => {
  const engine = makeEngine();
  const version = (object: KubernetesObject, resourceVersion: string) => ({
    ...object,
    metadata: { ...object.metadata, resourceVersion },
  });
  const first = applyText(engine, line("ADDED", version(a, "10")) + line("ADDED", version(b, "11")));
  assert.is(first.resourceVersion, "11");
  assert.is(first.bookmark, false);
  const moved = makeService("shop/a", { ip: "10.96.0.9" });
  const second = applyText(engine, line("MODIFIED", version(moved, "12")) + line("DELETED", version(b, "13")));
  assert.equal(counts(second), { services: 2, endpointSlices: 0, nodes: 0, serviceCidrs: 0, changed: 2 });
  assert.is(second.resourceVersion, "13");
  assert.equal(serviceNames(engine), ["shop/a"]);
  assert.match(renderAll(engine), "10.96.0.9 ");
  const third = applyText(
    engine,
    line("BOOKMARK", { kind: "Service", apiVersion: "v1", metadata: { resourceVersion: "20" }, spec: {}, status: {} }),
  );
  assert.equal(
    [third.bookmark, third.initialEventsEnd, third.resourceVersion, third.services, third.changed],
    [true, false, "20", 0, 0],
  );
  const end = { metadata: { resourceVersion: "21", annotations: { "k8s.io/initial-events-end": "true" } } };
  const fourth = applyText(engine, line("BOOKMARK", { kind: "Service", apiVersion: "v1", ...end }));
  assert.equal([fourth.bookmark, fourth.initialEventsEnd, fourth.resourceVersion], [true, true, "21"]);
  assert.is(applyText(engine, line("ADDED", a)).initialEventsEnd, false, "marks belong to one call");
});

test("an ERROR line: the Status, no resourceVersion of it, and what is known stays", () => {
  const engine = makeEngine();
  put(engine, a);
  const status = {
    kind: "Status",
    apiVersion: "v1",
    metadata: { resourceVersion: "99" },
    status: "Failure",
    message: "too old resource version: 1 (2)",
    reason: "Expired",
    code: 410,
    details: { retryAfterSeconds: 3 },
  };
  const result = applyText(engine, line("ERROR", status));
  assert.equal(result.status, {
    code: 410,
    reason: "Expired",
    message: "too old resource version: 1 (2)",
    retryAfterSeconds: 3,
  });
  assert.is(result.resourceVersion, "");
  assert.equal(serviceNames(engine), ["shop/a"]);
  const body = applyText(engine, JSON.stringify({ ...status, code: 429, details: null, reason: null }));
  assert.equal(body.status, { code: 429, reason: "", message: status.message, retryAfterSeconds: 0 });
  assert.is(applyText(engine, line("ADDED", a)).status, undefined);
});

test("a watch line whose keys come in another order, or twice, means what its last keys say", () => {
  const engine = makeEngine();
  put(engine, b);
  const object = JSON.stringify(a);
  applyText(engine, `{"object":${object},"type":"ADDED"}`);
  assert.equal(serviceNames(engine), ["shop/a", "shop/b"]);
  applyText(engine, `{"type":"ADDED","object":${object},"type":"DELETED"}`);
  assert.equal(serviceNames(engine), ["shop/b"]);
  applyText(engine, `{"type":"ADDED","object":${JSON.stringify(c)},"object":${object}}`);
  assert.equal(serviceNames(engine), ["shop/a", "shop/b"]);
});

test("`type` and `object` in an object with a kind mean nothing", () => {
  const engine = makeEngine();
  const text = JSON.stringify({ type: "DELETED", object: {}, ...a });
  assert.is(applyText(engine, text).services, 1);
  assert.equal(serviceNames(engine), ["shop/a"]);
});

test("a line of an unknown type is skipped, its neighbours count", () => {
  const engine = makeEngine();
  const result = applyText(engine, line("ADDED", a) + line("PATCHED", b) + line("ADDED", c));
  assert.equal(codes(result), ["unknown-watch-type"]);
  assert.equal(serviceNames(engine), ["shop/a", "shop/c"]);
});

test("documents one after the other, with nothing, blanks or lines between them", () => {
  const engine = makeEngine();
  const text = `\ufeff \r\n\t${JSON.stringify(a)}${JSON.stringify(b)}  \n\n${JSON.stringify(c, null, 2)}\n`;
  const result = applyText(engine, text);
  assert.equal(result.problems, []);
  assert.equal(serviceNames(engine), ["shop/a", "shop/b", "shop/c"]);
});

test("a byte order mark stands at the beginning or nowhere", () => {
  const engine = makeEngine();
  assert.equal(codes(applyText(engine, `${JSON.stringify(a)}\n\ufeff${JSON.stringify(b)}\n${JSON.stringify(c)}`)), [
    "not-an-object",
  ]);
  assert.equal(serviceNames(engine), ["shop/a", "shop/c"]);
});

test("no data, blanks alone and an empty list are no problem", () => {
  for (const text of ["", " \n\t\r\n", "\ufeff", '{"apiVersion":"v1","kind":"List","items":[]}']) {
    assert.equal(applyText(makeEngine(), text).problems, []);
  }
});

test("what is no JSON costs its document; reading goes on at the next line that begins with {", () => {
  const engine = makeEngine();
  const broken = line("ADDED", b).replace('"Service"', "Service");
  const result = applyText(engine, line("ADDED", a) + broken + line("ADDED", c));
  assert.equal(codes(result), ["json-syntax"]);
  assert.equal(serviceNames(engine), ["shop/a", "shop/c"]);

  const pretty = makeEngine();
  const text = [a, b, c].map((object) => JSON.stringify(object, null, 2)).join("\n");
  const at = text.indexOf('"10.96.0.2"');
  assert.equal(codes(applyText(pretty, `${text.slice(0, at)}${text.slice(at + 1)}`)), ["json-syntax"]);
  assert.equal(serviceNames(pretty), ["shop/a", "shop/c"]);
});

test("a watch line that is cut off costs itself, though it swallows the next one as JSON", () => {
  const engine = makeEngine();
  const cut = line("ADDED", b).slice(0, -30);
  const result = applyText(engine, `${line("ADDED", a)}${cut}\n${line("ADDED", c)}`);
  assert.equal(codes(result), ["json-syntax"]);
  assert.equal(serviceNames(engine), ["shop/a", "shop/c"]);
});

test("a watch line that is cut off where a value should come does not take the next one for its own", () => {
  const engine = makeEngine();
  const result = applyText(
    engine,
    `${line("ADDED", a)}{"type":"ADDED","object":\n${line("ADDED", b)}${line("ADDED", c)}`,
  );
  assert.equal(codes(result), ["json-syntax"]);
  assert.equal(serviceNames(engine), ["shop/a", "shop/b", "shop/c"]);
});

test("a list that breaks off: the objects before count, its resourceVersion does not", () => {
  const engine = makeEngine();
  const text = JSON.stringify({
    kind: "ServiceList",
    apiVersion: "v1",
    metadata: { resourceVersion: "7", continue: "t" },
    items: [bare(a), bare(b), bare(c)],
  });
  const result = applyText(engine, text.slice(0, text.indexOf('"10.96.0.3"')));
  assert.equal(codes(result), ["json-truncated"]);
  assert.equal([result.services, result.resourceVersion, result.continueToken], [2, "", ""]);
  assert.equal(serviceNames(engine), ["shop/a", "shop/b"]);
  const [problem] = result.problems;
  assert.equal(
    [problem?.kind, problem?.namespace, problem?.name, problem?.field],
    ["Service", "shop", "c", "spec.clusterIP"],
    "it belongs to the item that was being read",
  );
});

test("a refused update leaves the last good state; the others of the list go on", () => {
  const engine = makeEngine();
  put(engine, a, b, c, sliceOfA);
  const before = renderAll(engine);
  const bad = { ...b, spec: { ...(b.spec as object), ports: [{ port: 70000 }] } };
  const badSlice = { ...sliceOfA, endpoints: [{ addresses: [{}] }] };
  const result = applyText(
    engine,
    JSON.stringify({
      apiVersion: "v1",
      kind: "List",
      items: [bad, badSlice, makeService("shop/d", { ip: "10.96.0.4" })],
    }),
  );
  assert.equal(codes(result), ["invalid-port", "wrong-type"]);
  assert.equal(counts(result), { services: 1, endpointSlices: 0, nodes: 0, serviceCidrs: 0, changed: 1 });
  assert.equal(serviceNames(engine), ["shop/a", "shop/b", "shop/c", "shop/d"]);
  assert.equal(endpointsOf(engine, "shop/a"), ["10.0.0.1:8080"]);
  applyText(engine, line("DELETED", makeService("shop/d")));
  assert.is(renderAll(engine), before);
});

test("a re-list with refused objects keeps them", () => {
  const engine = makeEngine("nftables", { detectLocalMode: "node-cidr" });
  const node = makeNode("node-a", { ips: ["192.0.2.10"], podCIDRs: ["10.244.1.0/24"] });
  const cidr = makeServiceCIDR("kubernetes", ["10.96.0.0/16"]);
  put(engine, a, b, c, sliceOfA, node, cidr);
  const before = renderAll(engine);
  const broken: [Parameters<typeof engine.beginList>[0], object][] = [
    ["service", { ...a, spec: { clusterIP: 7 } }],
    ["endpoint-slice", { ...sliceOfA, ports: "http" }],
    ["node", { ...node, status: { addresses: "none" } }],
    ["service-cidr", { ...cidr, spec: [] }],
  ];
  for (const [kind, object] of broken) {
    engine.beginList(kind);
    assert.equal(codes(applyText(engine, JSON.stringify(object))), ["wrong-type"]);
    if (kind === "service") put(engine, b, c);
    assert.is(engine.endList(kind), 0, kind);
  }
  assert.is(renderAll(engine), before);
});

test("a deletion needs no more than the name; what else is wrong with the object does not matter", () => {
  const engine = makeEngine();
  put(engine, a, b);
  const result = applyText(engine, line("DELETED", { ...a, spec: { ports: 7, clusterIP: {} } }));
  assert.equal(result.problems, []);
  assert.equal(serviceNames(engine), ["shop/b"]);
  assert.equal(codes(applyText(engine, line("DELETED", { apiVersion: "v1", kind: "Service", metadata: {} }))), [
    "missing-name",
  ]);
});

test("selection: another proxy's Services and headless slices are taken as gone", () => {
  const engine = makeEngine();
  put(engine, a, sliceOfA);
  const label = (object: KubernetesObject, key: string) => ({
    ...object,
    metadata: { ...object.metadata, labels: { ...(object.metadata.labels as object), [key]: "" } },
  });
  assert.is(put(engine, label(sliceOfA, "service.kubernetes.io/headless")).changed, 1);
  assert.equal(endpointsOf(engine, "shop/a"), []);
  assert.is(put(engine, label(a, "service.kubernetes.io/headless")).changed, 0, "means nothing on a Service");
  assert.is(put(engine, label(a, "service.kubernetes.io/service-proxy-name")).changed, 1);
  assert.equal(serviceNames(engine), []);
});

test("Services without cluster IP are counted, and taken as gone", () => {
  const engine = makeEngine();
  put(engine, a, b, c);
  const without = (name: string, spec: object) => ({ ...makeService(name), spec });
  const result = put(
    engine,
    without("shop/a", { clusterIP: "None", clusterIPs: ["None"] }),
    without("shop/b", { type: "ExternalName", externalName: "example.com", clusterIP: "10.96.0.2" }),
    without("shop/c", { type: "ClusterIP" }),
    without("shop/d", { clusterIP: "", ports: [{ port: 80 }] }),
  );
  assert.equal([result.services, result.changed], [4, 3]);
  assert.equal([result.headless, result.externalName, result.unassigned], [1, 1, 2]);
  assert.equal(serviceNames(engine), []);
});

test("data in a big buffer of its own: nothing beyond its end is read as if it belonged to it", () => {
  const engine = makeEngine();
  const text = JSON.stringify(a);
  const buffer = encode(`${text}${JSON.stringify(b)}`);
  assert.equal(engine.apply(buffer.subarray(0, text.length)).problems, []);
  assert.equal(codes(engine.apply(buffer.subarray(0, text.length - 1))), ["json-truncated"]);
  assert.equal(serviceNames(engine), ["shop/a"]);
});

test("every prefix of a document is reported as cut off, and changes nothing", () => {
  const engine = makeEngine();
  const text = JSON.stringify({
    ...sliceOfA,
    metadata: { ...sliceOfA.metadata, managedFields: [{ f: { "k:{}": "\\" } }] },
  });
  for (let length = 1; length < text.length; length++) {
    const result = applyText(engine, text.slice(0, length));
    assert.equal(codes(result), ["json-truncated"], text.slice(0, length));
    assert.is(result.changed, 0);
  }
});

test.run();
