// Health-check node ports over real sockets.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { HealthCheck } from "../../shared/contract.ts";
import { ServiceHealth, type ServiceHealthFailure, type ServiceHealthOptions } from "./service-health.ts";
import { ask, freePort, ipv6Test, occupy, raw, refusal, until } from "./testing/sockets.ts";

const test = suite("agent: service health");

const opened: ServiceHealth[] = [];
test.after.each(async () => {
  await Promise.all(opened.splice(0).map((each) => each.close()));
});

function make(options: Partial<ServiceHealthOptions> = {}) {
  const failures: ServiceHealthFailure[] = [];
  const health = new ServiceHealth({
    nodeName: "node-a",
    healthy: () => true,
    onFailure: (failure) => failures.push(failure),
    ...options,
  });
  opened.push(health);
  return { health, failures };
}

function check(port: number, ipv4: number | undefined, ipv6?: number, name = "web"): HealthCheck {
  return { namespace: "shop", name, port, localEndpointsIpv4: ipv4, localEndpointsIpv6: ipv6 };
}

test("body and headers are kube-proxy's, for any method and path", async () => {
  const { health } = make();
  const port = await freePort();
  await health.update([check(port, 2)]);
  for (const [method, path] of [
    ["GET", "/"],
    ["POST", "/some/where"],
  ] as const) {
    const { code, headers, body } = await ask({ port }, path, method);
    assert.is(code, 200);
    assert.is(headers["content-type"], "application/json");
    assert.is(headers["x-content-type-options"], "nosniff");
    assert.is(headers["x-load-balancing-endpoint-weight"], "2");
    assert.is(
      body,
      '{\n\t"service": {\n\t\t"namespace": "shop",\n\t\t"name": "web"\n\t},\n\t"localEndpoints": 2,\n\t"serviceProxyHealthy": true\n}',
    );
  }
});

test("503 without endpoints here, and while rules are overdue", async () => {
  let healthy = true;
  const { health } = make({ healthy: () => healthy });
  const port = await freePort();
  await health.update([check(port, 0)]);
  let answered = await ask({ port }, "/");
  assert.is(answered.code, 503);
  assert.is(answered.headers["x-load-balancing-endpoint-weight"], "0");
  await health.update([check(port, 1)]);
  assert.is((await ask({ port }, "/")).code, 200);
  healthy = false;
  answered = await ask({ port }, "/");
  assert.is(answered.code, 503);
  assert.is(JSON.parse(answered.body).serviceProxyHealthy, false);
  assert.is(answered.headers["x-load-balancing-endpoint-weight"], "1");
});

await ipv6Test(
  test,
  "dual stack: each family is answered with its own count on one port, without getting into its own way",
  async () => {
    const { health, failures } = make();
    const port = await freePort();
    await health.update([check(port, 1, 3)]);
    assert.equal(failures, []);
    assert.is(JSON.parse((await ask({ host: "127.0.0.1", port }, "/")).body).localEndpoints, 1);
    assert.is(JSON.parse((await ask({ host: "::1", port }, "/")).body).localEndpoints, 3);
  },
);

await ipv6Test(test, "a Service of one family is not answered in the other", async () => {
  const { health } = make();
  const port = await freePort();
  await health.update([check(port, 1)]);
  assert.is(await refusal({ host: "::1", port }), "ECONNREFUSED");
  await health.update([check(port, undefined, 1)]);
  assert.is(await refusal({ host: "127.0.0.1", port }), "ECONNREFUSED");
  assert.is((await ask({ host: "::1", port }, "/")).code, 200);
});

await ipv6Test(
  test,
  "nodePortAddresses: only the addresses given; a family without any limit on its wildcard",
  async () => {
    const { health, failures } = make();
    const port = await freePort();
    await health.update([check(port, 1, 2)], { ipv4: ["127.0.0.2", "127.0.0.3"], ipv6: undefined });
    assert.is(await refusal({ host: "127.0.0.1", port }), "ECONNREFUSED");
    for (const host of ["127.0.0.2", "127.0.0.3"]) assert.is((await ask({ host, port }, "/")).code, 200);
    assert.is((await ask({ host: "::1", port }, "/")).code, 200);
    await health.update([check(port, 1, 2)], { ipv4: ["127.0.0.1"], ipv6: ["fe80::1"] });
    assert.is(await refusal({ host: "127.0.0.2", port }), "ECONNREFUSED");
    assert.is((await ask({ host: "127.0.0.1", port }, "/")).code, 200);
    assert.is(await refusal({ host: "::1", port }), "ECONNREFUSED");
    assert.equal(failures, []);
  },
);

test("ports open, close and move with the Services", async () => {
  const { health, failures } = make();
  const first = await freePort();
  await health.update([check(first, 1)]);
  const second = await freePort();
  await health.update([check(second, 1)]);
  assert.is(await refusal({ port: first }), "ECONNREFUSED");
  assert.is((await ask({ port: second }, "/")).code, 200);
  await health.update([check(second, 1, undefined, "other")]);
  assert.is(JSON.parse((await ask({ port: second }, "/")).body).service.name, "other");
  await health.update([]);
  assert.is(await refusal({ port: second }), "ECONNREFUSED");
  assert.equal(failures, []);
});

test("a new count keeps connections that are open", async () => {
  const { health } = make();
  const port = await freePort();
  await health.update([check(port, 1)]);
  const { socket, closed } = raw(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await new Promise((resolve) => socket.once("data", resolve));
  await health.update([check(port, 5)]);
  socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  assert.match(await closed, /"localEndpoints": 1,[\s\S]*"localEndpoints": 5,/);
});

test("a port in use: reported once, none of its addresses left open, tried again", async () => {
  const { health, failures } = make({ retryMs: 10 });
  const { server, port } = await occupy("127.0.0.3");
  await health.update([check(port, 1)], { ipv4: ["127.0.0.2", "127.0.0.3"], ipv6: [] });
  assert.equal(failures, [
    {
      namespace: "shop",
      name: "web",
      note: `node node-a failed to start healthcheck "shop/web" on port ${port}: listen EADDRINUSE: address already in use 127.0.0.3:${port}`,
    },
  ]);
  assert.is(await refusal({ host: "127.0.0.2", port }), "ECONNREFUSED");
  await health.update([check(port, 1)]);
  assert.is(failures.length, 1);
  await new Promise((resolve) => server.close(resolve));
  await until(async () => (await refusal({ host: "127.0.0.2", port })) === "answered");
  assert.is((await ask({ host: "127.0.0.3", port }, "/")).code, 200);
});

test("one port that fails stops no other Service", async () => {
  const { health, failures } = make();
  const { server, port } = await occupy("0.0.0.0");
  const free = await freePort();
  await health.update([check(port, 1, undefined, "a"), check(free, 1, undefined, "b")]);
  assert.equal(
    failures.map(({ name }) => name),
    ["a"],
  );
  assert.is((await ask({ port: free }, "/")).code, 200);
  await new Promise((resolve) => server.close(resolve));
});

test("updates that come faster than sockets open end with the last one", async () => {
  const { health, failures } = make();
  const ports = [await freePort(), await freePort(), await freePort()];
  const updates: Promise<void>[] = [];
  for (let i = 0; i < 60; i++) updates.push(health.update([check(ports[i % 3] ?? 0, i)]));
  await Promise.all(updates);
  assert.is(await refusal({ port: ports[0] ?? 0 }), "ECONNREFUSED");
  assert.is(await refusal({ port: ports[1] ?? 0 }), "ECONNREFUSED");
  assert.is(JSON.parse((await ask({ port: ports[2] ?? 0 }, "/")).body).localEndpoints, 59);
  assert.equal(failures, []);
});

test("opening many ports leaves the event loop its turns", async () => {
  const { health } = make();
  const port = await freePort();
  let turns = 0;
  const turn = () => {
    turns++;
    timer = setImmediate(turn);
  };
  let timer = setImmediate(turn);
  // All but one fail, which takes as long: two hundred free ports would be hard to find.
  await health.update(Array.from({ length: 200 }, (_, i) => check(port, 1, undefined, `web-${i}`)));
  clearImmediate(timer);
  assert.ok(turns >= 6, `${turns}`);
});

test("after close nothing opens any more", async () => {
  const { health } = make();
  const port = await freePort();
  await health.update([check(port, 1)]);
  await health.close();
  await health.update([check(port, 1)]);
  assert.is(await refusal({ port }), "ECONNREFUSED");
});

test.run();
