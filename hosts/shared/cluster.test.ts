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
import { jsonInput } from "./manifests/input.ts";

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

const service = (name: string, clusterIP: string) =>
  jsonInput(
    `${name}.json`,
    new TextEncoder().encode(
      JSON.stringify({
        apiVersion: "v1",
        kind: "Service",
        metadata: { namespace: "s", name },
        spec: { clusterIP, ports: [{ port: 80 }] },
      }),
    ),
  );

interface Rendered {
  text: string;
  diagnostics: Diagnostic[];
}

async function rendered(instantiateCore?: InstantiateCore): Promise<Rendered> {
  const diagnostics: Diagnostic[] = [];
  const cluster = new Cluster(await loadEngine(undefined, instantiateCore), (found) => diagnostics.push(found));
  cluster.apply(service("a", "10.96.0.1"));
  cluster.apply(service("b", "10.96.0.2"));
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

test("an input that traps twice is left out, and the others stay", async () => {
  let calls = 0;
  const second = () => {
    calls++;
    return calls === 2 || calls === 4; // b, then (after a's replay) b again
  };
  const { text, diagnostics } = await rendered(trapping("apply", second, trap));
  assert.match(text, "10.96.0.1");
  assert.not.match(text, "10.96.0.2");
  assert.equal(
    diagnostics.map(({ code, file }) => [code, file]),
    [
      ["engine-restarted", ""],
      ["engine-restarted", ""],
      ["engine-trap", "b.json"],
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
