// /healthz, /livez and /readyz over real sockets; binding, and clients that behave badly.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type HealthServerOptions, healthServer } from "./health-server.ts";
import { HealthState } from "./health-state.ts";
import type { HttpListener } from "./listener.ts";
import { ask, freePort, ipv6Test, occupy, raw, refusal, shortLimits, until } from "./testing/sockets.ts";

const test = suite("agent: health server");

const started: HttpListener[] = [];
test.after.each(async () => {
  await Promise.all(started.splice(0).map((listener) => listener.close()));
});

function make(state: HealthState, options: Partial<HealthServerOptions> = {}): HttpListener {
  const listener = healthServer(state, { address: { host: "127.0.0.1", port: 0 }, limits: shortLimits, ...options });
  started.push(listener);
  return listener;
}

async function start(state: HealthState, options: Partial<HealthServerOptions> = {}): Promise<number> {
  const listener = make(state, options);
  await listener.start();
  return listener.port ?? 0;
}

function healthyState(): HealthState {
  const state = new HealthState({ syncPeriodMs: 30_000 });
  state.node({ known: true, deleting: false, toBeDeleted: false });
  state.updated("ipv4");
  state.updated("ipv6");
  return state;
}

test("three paths, kube-proxy's headers, any method; everything else is not found", async () => {
  const probes: string[] = [];
  const port = await start(healthyState(), { onProbe: (path, code) => probes.push(`${path} ${code}`) });
  for (const [path, method, code] of [
    ["/healthz", "GET", 200],
    ["/livez?verbose=1", "GET", 200],
    ["/livez", "POST", 200],
    ["/readyz", "GET", 503],
    ["/", "GET", 404],
    ["/healthz/", "GET", 404],
    ["/metrics", "GET", 404],
    ["/constructor", "GET", 404],
  ] as const) {
    const answered = await ask({ port }, path, method);
    assert.is(answered.code, code, path);
    assert.is(answered.headers["x-content-type-options"], "nosniff", path);
    const type = code === 404 ? "text/plain; charset=utf-8" : "application/json";
    assert.is(answered.headers["content-type"], type, path);
    if (code === 200) assert.is(JSON.parse(answered.body).healthy, true);
  }
  assert.is((await ask({ port }, "/healthz", "HEAD")).body, "");
  assert.equal(probes, ["healthz 200", "livez 200", "livez 200", "healthz 200"]);
});

test("a node that is going: /healthz 503, /livez 200", async () => {
  const state = healthyState();
  const port = await start(state);
  state.node({ known: true, deleting: false, toBeDeleted: true });
  assert.is((await ask({ port }, "/healthz")).code, 503);
  assert.is((await ask({ port }, "/livez")).code, 200);
});

await ipv6Test(test, "0.0.0.0 answers IPv6, too; loopback of one family does not", async () => {
  const both = await start(healthyState(), { address: { host: "0.0.0.0", port: 0 } });
  assert.is((await ask({ host: "127.0.0.1", port: both }, "/livez")).code, 200);
  assert.is((await ask({ host: "::1", port: both }, "/livez")).code, 200);
  const one = await start(healthyState(), { address: { host: "127.0.0.1", port: 0 } });
  assert.is(await refusal({ host: "::1", port: one }, "/livez"), "ECONNREFUSED");
});

await ipv6Test(test, "a port in use is tried again until it is free, and said once", async () => {
  const { server, port } = await occupy("::", 0);
  const failures: string[] = [];
  const listener = make(healthyState(), {
    address: { host: "0.0.0.0", port },
    retryMs: 10,
    onFailure: (message) => failures.push(message),
  });
  await listener.start();
  assert.is(listener.port, undefined);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await new Promise((resolve) => server.close(resolve));
  await until(() => listener.port === port);
  assert.is((await ask({ port }, "/livez")).code, 200);
  assert.is(failures.length, 1);
  assert.match(failures[0] ?? "", `the health server cannot listen on 0.0.0.0:${port}: listen EADDRINUSE`);
});

test("with bindAddressHardFail a port in use is an error", async () => {
  const { server, port } = await occupy("127.0.0.1");
  const address = { host: "127.0.0.1", port };
  try {
    await make(healthyState(), { address, hardFail: true }).start();
    assert.unreachable();
  } catch (error) {
    assert.match((error as Error).message, `cannot listen on 127.0.0.1:${port}`);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

test("closed while it waits for the port, it does not take it", async () => {
  const { server, port } = await occupy("127.0.0.1");
  const listener = make(healthyState(), { address: { host: "127.0.0.1", port }, retryMs: 5 });
  await listener.start();
  await listener.close();
  await new Promise((resolve) => server.close(resolve));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.is(await refusal({ port }), "ECONNREFUSED");
});

test("close drops connections that are open", async () => {
  const listener = make(healthyState());
  await listener.start();
  const { closed } = raw(listener.port ?? 0, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
  await ask({ port: listener.port ?? 0 }, "/livez");
  await listener.close();
  assert.match(await closed, "200 OK");
});

await ipv6Test(test, ":: answers IPv4, too", async () => {
  const port = await freePort();
  await start(healthyState(), { address: { host: "::", port } });
  assert.is((await ask({ host: "127.0.0.1", port }, "/livez")).code, 200);
});

test.run();
