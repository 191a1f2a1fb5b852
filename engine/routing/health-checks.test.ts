// What load balancers are told about a Service's endpoints on this node.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  defaultOptions,
  type Endpoint,
  makeEngine,
  makeService,
  makeSlice,
  put,
  remove,
  type ServiceFields,
} from "../../fixtures/support/engine-tests.ts";

const test = suite("routing: health checks");

const balanced: ServiceFields = {
  type: "LoadBalancer",
  externalTrafficPolicy: "Local",
  healthCheckNodePort: 32000,
  ports: [{ name: "http", port: 80, nodePort: 30080 }],
};
const web = makeService("shop/web", balanced);
const http = { ports: [{ name: "http", port: 8080 }] };
const slice = (name: string, endpoints: (string | Endpoint)[]) => makeSlice(name, "web", endpoints, http);

test("counts distinct IPs of ready endpoints on this node", () => {
  const engine = makeEngine();
  put(
    engine,
    web,
    slice("shop/web-1", [
      "10.0.0.1 node-a",
      "10.0.0.2 node-b",
      { ip: "10.0.0.3", node: "node-a", ready: false },
      { ip: "10.0.0.4", node: "node-a", ready: false, serving: true, terminating: true },
      "10.0.0.5",
    ]),
    slice("shop/web-2", ["10.0.0.1 node-a", "10.0.0.6 node-a"]),
  );
  assert.equal(engine.healthChecks(), [
    { namespace: "shop", name: "web", port: 32000, localEndpointsIpv4: 2, localEndpointsIpv6: undefined },
  ]);
});

test("an IP that serves two ports of the Service counts once", () => {
  const engine = makeEngine();
  const ports = [
    { name: "http", port: 80 },
    { name: "https", port: 443 },
  ];
  put(
    engine,
    makeService("shop/web", { ...balanced, ports }),
    makeSlice("shop/web-1", "web", ["10.0.0.1 node-a", "10.0.0.2 node-a"], { ports }),
  );
  assert.is(engine.healthChecks()[0]?.localEndpointsIpv4, 2);
});

test("each family counts its own, and only if the Service has a cluster IP of it", () => {
  const engine = makeEngine();
  const ipv6 = { ...http, addressType: "IPv6" };
  const slices = [
    slice("shop/web-4", ["10.0.0.1 node-a"]),
    makeSlice("shop/web-6", "web", ["fd00::1 node-a", "fd00::2 node-a"], ipv6),
  ];
  put(engine, makeService("shop/web", { ...balanced, ip: "10.96.0.1,fd00:10::1" }), ...slices);
  assert.equal(
    engine.healthChecks().map((check) => [check.localEndpointsIpv4, check.localEndpointsIpv6]),
    [[1, 2]],
  );
  put(engine, makeService("shop/web", { ...balanced, ip: "fd00:10::1" }));
  assert.equal(
    engine.healthChecks().map((check) => [check.localEndpointsIpv4, check.localEndpointsIpv6]),
    [[undefined, 2]],
  );
});

test("other types, policies and Services without the port have none", () => {
  const engine = makeEngine();
  put(
    engine,
    makeService("shop/a", { ...balanced, type: "NodePort" }),
    makeService("shop/b", { ...balanced, ip: "10.96.0.2", externalTrafficPolicy: "Cluster" }),
    makeService("shop/c", { ...balanced, ip: "10.96.0.3", healthCheckNodePort: 0 }),
    makeService("shop/d", { ...balanced, ip: "10.96.0.4", healthCheckNodePort: 32004 }),
    makeService("bar/z", { ...balanced, ip: "10.96.0.5", healthCheckNodePort: 32005 }),
  );
  assert.equal(
    engine.healthChecks().map(({ namespace, name, port }) => `${namespace}/${name} ${port}`),
    ["bar/z 32005", "shop/d 32004"],
  );
});

test("the revision changes exactly when the list does", () => {
  const engine = makeEngine();
  let revision = engine.healthChecksRevision();
  let list = JSON.stringify(engine.healthChecks());
  const step = (what: string, changes: boolean) => {
    const after = JSON.stringify(engine.healthChecks());
    assert.is(after !== list, changes, `${what}: the list`);
    assert.is(engine.healthChecksRevision() !== revision, changes, `${what}: the revision`);
    revision = engine.healthChecksRevision();
    list = after;
  };
  put(engine, makeService("shop/other", { ip: "10.96.0.9" }), makeSlice("shop/other-1", "other", ["10.0.9.1 node-a"]));
  step("another Service", false);
  put(engine, web);
  step("the Service", true);
  put(engine, slice("shop/web-1", ["10.0.0.1 node-a"]));
  step("an endpoint here", true);
  put(engine, slice("shop/web-2", ["10.0.0.1 node-a", "10.0.0.2 node-b"]));
  step("the same one again, and one elsewhere", false);
  put(engine, slice("shop/web-1", ["10.0.0.3 node-a"]), slice("shop/web-2", []));
  step("replaced", false);
  put(engine, makeService("shop/web", { ...balanced, healthCheckNodePort: 32001 }));
  step("another port", true);
  remove(engine, web);
  step("the Service goes", true);
});

test("another node name counts anew", () => {
  const engine = makeEngine("flat");
  put(engine, web, slice("shop/web-1", ["10.0.0.1 node-a"]));
  const revision = engine.healthChecksRevision();
  assert.is(engine.healthChecks()[0]?.localEndpointsIpv4, 1);
  assert.equal(engine.configure({ ...defaultOptions("flat"), nodeName: "node-b" }), []);
  assert.is.not(engine.healthChecksRevision(), revision);
  assert.is(engine.healthChecks()[0]?.localEndpointsIpv4, 0);
});

test.run();
