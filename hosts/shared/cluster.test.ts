// With the real engine: traps are made to happen in its core module.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Cluster } from "./cluster.ts";
import { defaultKubeVersion } from "./config/kube-version.ts";
import { defaultRules, engineOptions } from "./config/rules.ts";
import type { InstantiateCore } from "./contract.ts";
import type { Diagnostic } from "./diagnostics.ts";
import { EngineTrapError, joinPieces } from "./engine.ts";
import { loadEngine } from "./engine-node.ts";
import { type Input, jsonInput } from "./manifests/input.ts";
import { parseSource } from "./manifests/parse.ts";

/** Makes an export of the core module fail, as often as `times` says, counted over all instances. */
function trapping(name: string, times: () => boolean, error: () => Error): InstantiateCore {
  return (module, imports) => {
    const { exports } = new WebAssembly.Instance(module, imports);
    const full = Object.keys(exports).find((key) => key.endsWith(`#${name}`) && !key.startsWith("cabi_post"));
    if (full === undefined) return { exports };
    const original = exports[full] as (...args: unknown[]) => unknown;
    const wrapped = (...args: unknown[]) => {
      if (times()) throw error();
      return original(...args);
    };
    return { exports: { ...exports, [full]: wrapped } };
  };
}

function once(skip = 0): () => boolean {
  let calls = 0;
  return () => calls++ === skip;
}

const trap = () => new WebAssembly.RuntimeError("unreachable");
const overflow = () => new RangeError("Maximum call stack size exceeded");

const service = (name: string, clusterIP: string, ports: object[] = [{ port: 80 }]) =>
  jsonInput(
    `${name}.json`,
    new TextEncoder().encode(
      JSON.stringify({
        apiVersion: "v1",
        kind: "Service",
        metadata: { namespace: "s", name },
        spec: { clusterIP, ports },
      }),
    ),
  );

function yaml(name: string, text: string): Input[] {
  const parsed = [...parseSource({ name, bytes: new TextEncoder().encode(text) })];
  return parsed.flatMap((each) => ("input" in each ? [each.input] : []));
}

interface Rendered {
  text: string;
  diagnostics: Diagnostic[];
}

async function rendered(
  instantiateCore?: InstantiateCore,
  inputs: readonly Input[] = [service("a", "10.96.0.1"), service("b", "10.96.0.2")],
): Promise<Rendered> {
  const diagnostics: Diagnostic[] = [];
  const cluster = new Cluster(await loadEngine(undefined, instantiateCore), (found) => diagnostics.push(found));
  for (const input of inputs) cluster.apply(input);
  const options = engineOptions(defaultRules(), {
    mode: "nftables",
    node: "n",
    nfacct: true,
    kubeVersion: defaultKubeVersion,
  });
  cluster.configure(options, () => ({}));
  const text = new TextDecoder().decode(joinPieces(cluster.ask((engine) => engine.render("ipv4"))));
  return { text, diagnostics };
}

for (const operation of ["apply", "configure", "render"]) {
  for (const error of [trap, overflow]) {
    test(`a ${error().name} in ${operation}: a fresh instance gives the same rules`, async () => {
      const expected = await rendered();
      assert.equal(expected.diagnostics, []);
      assert.match(expected.text, "10.96.0.2");
      const { text, diagnostics } = await rendered(trapping(operation, once(operation === "apply" ? 1 : 0), error));
      assert.is(text, expected.text);
      assert.equal(
        diagnostics.map(({ code }) => code),
        ["engine-restarted"],
      );
      assert.match(diagnostics[0]?.message ?? "", operation);
    });
  }
}

/** Traps in `operation` once `apply` has been given this text; in `apply` itself, if it is that. */
function trappingAt(text: string, operation: string): InstantiateCore {
  return (module, imports) => {
    const { exports } = new WebAssembly.Instance(module, imports);
    const find = (name: string) =>
      Object.keys(exports).find((key) => key.endsWith(`#${name}`) && !key.startsWith("cabi_post")) ?? "";
    let isGiven = false;
    const wrap = (name: string, before: (...args: number[]) => void) => {
      const original = exports[find(name)] as (...args: number[]) => unknown;
      return {
        [find(name)]: (...args: number[]) => {
          before(...args);
          return original(...args);
        },
      };
    };
    const fail = () => {
      if (isGiven) throw trap();
    };
    const note = (at = 0, length = 0) => {
      const { buffer } = exports.memory as WebAssembly.Memory;
      isGiven ||= Buffer.from(buffer, at, length).includes(text);
      if (operation === "apply") fail();
    };
    return {
      exports: { ...exports, ...wrap("apply", note), ...(operation === "apply" ? {} : wrap(operation, fail)) },
    };
  };
}

const three = `apiVersion: v1
kind: Service
metadata: {namespace: s, name: c}
spec: {clusterIP: 10.96.0.3, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {namespace: s, name: bad}
spec: {clusterIP: 10.96.0.66, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {namespace: s, name: d}
spec: {clusterIP: 10.96.0.4, ports: [{port: 80}]}
`;

for (const operation of ["apply", "configure", "render"]) {
  test(`an object at which ${operation} traps is left out and named, and all others stay`, async () => {
    const inputs = [service("a", "10.96.0.1"), ...yaml("three.yaml", three), service("b", "10.96.0.2")];
    const { text, diagnostics } = await rendered(trappingAt("10.96.0.66", operation), inputs);
    for (const address of ["10.96.0.1", "10.96.0.2", "10.96.0.3", "10.96.0.4"]) assert.match(text, `${address} `);
    assert.not.match(text, "10.96.0.66");
    assert.equal(
      diagnostics
        .filter(({ code }) => code !== "engine-restarted")
        .map(({ code, severity, file, line, kind, namespace, name }) => [
          [code, severity, `${file}:${line}`],
          [kind, namespace, name],
        ]),
      [
        [
          ["engine-trap", "error", "three.yaml:6"],
          ["Service", "s", "bad"],
        ],
      ],
    );
  });
}

test("a real trap: a slice that no API server takes costs itself alone", async () => {
  const ports = Array.from({ length: 20_000 }, (_, i) => ({ name: "http", port: i + 1 }));
  const endpoints = Array.from({ length: 1000 }, (_, i) => ({ addresses: [`10.0.${i >> 8}.${i & 255}`] }));
  const labels = { "kubernetes.io/service-name": "a" };
  const metadata = { namespace: "s", name: "bad", labels };
  const slice = { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", metadata, addressType: "IPv4" };
  const named = service("a", "10.96.0.1", [{ name: "http", port: 80 }]);
  const bad = jsonInput("bad.json", new TextEncoder().encode(JSON.stringify({ ...slice, ports, endpoints })));
  const { text, diagnostics } = await rendered(undefined, [named, bad, service("b", "10.96.0.2")]);
  assert.match(text, "10.96.0.2");
  const [last, ...more] = diagnostics.filter(({ code }) => code === "engine-trap");
  assert.equal(
    [last?.file, last?.line, last?.kind, last?.name, more.length],
    ["bad.json", 1, "EndpointSlice", "bad", 0],
  );
});

test("an input that traps and has no object is left out as a whole, and the others stay", async () => {
  const odd = jsonInput("odd.json", new TextEncoder().encode('{"odd": 1}'));
  const inputs = [service("a", "10.96.0.1"), odd, service("b", "10.96.0.2")];
  const { text, diagnostics } = await rendered(trappingAt('"odd"', "apply"), inputs);
  assert.match(text, "10.96.0.1");
  assert.match(text, "10.96.0.2");
  assert.equal(
    diagnostics.map(({ code, file }) => [code, file]),
    [
      ["engine-restarted", ""],
      ["engine-restarted", ""],
      ["engine-restarted", ""],
      ["engine-restarted", ""],
      ["engine-trap", "odd.json"],
    ],
  );
});

test("what always traps is an error of its own, not an endless loop", async () => {
  const outcome = await rendered(trapping("render", () => true, overflow)).catch((error: unknown) => error);
  assert.instance(outcome, EngineTrapError);
});

test("two instances of one module know nothing of each other", async () => {
  const module = await loadEngine();
  const [one, two] = [module.create(), module.create()];
  const node = (name: string) =>
    new TextEncoder().encode(JSON.stringify({ apiVersion: "v1", kind: "Node", metadata: { name } }));
  one.apply(node("node-a"));
  two.apply(node("node-b"));
  assert.equal([one.nodes(), two.nodes()], [["node-a"], ["node-b"]]);
  assert.ok(one.memoryBytes > 0);
});

test.run();
