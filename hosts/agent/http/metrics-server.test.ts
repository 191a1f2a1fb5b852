// /metrics, /healthz, /proxyMode, /configz, /flagz and /statusz over real sockets.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Metrics } from "../metrics/metrics.ts";
import type { HttpListener, ListenerOptions } from "./listener.ts";
import { type MetricsPages, metricsServer } from "./metrics-server.ts";
import { ask, shortLimits } from "./testing/sockets.ts";

const test = suite("agent: metrics server");

const started: HttpListener[] = [];
test.after.each(async () => {
  await Promise.all(started.splice(0).map((listener) => listener.close()));
});

async function start(pages: Partial<MetricsPages> = {}, options: Partial<ListenerOptions> = {}): Promise<number> {
  const listener = metricsServer(
    {
      mode: "flat",
      metrics: new Metrics({ mode: "flat", version: "1.2.3" }),
      flags: new Map([
        ["v", "0"],
        ["check", "false"],
      ]),
      status: { startedMs: Date.now() - 3_723_500, runtimeVersion: "node20.1.2", version: "1.2.3" },
      config: () => ({ Mode: "flat", ClientConnection: { Kubeconfig: "/x" } }),
      ...pages,
    },
    { address: { host: "127.0.0.1", port: 0 }, limits: shortLimits, ...options },
  );
  started.push(listener);
  await listener.start();
  return listener.port ?? 0;
}

test("metrics as Prometheus reads them", async () => {
  const { code, headers, body } = await ask({ port: await start() }, "/metrics");
  assert.is(code, 200);
  assert.is(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
  assert.match(body, 'kubernetes_build_info{major="1",minor="2",git_version="v1.2.3"');
  assert.ok(body.endsWith("\n"));
});

test("the small pages", async () => {
  const port = await start();
  for (const [path, code, type, body] of [
    ["/healthz", 200, "text/plain; charset=utf-8", "ok"],
    ["/healthz/ping", 200, "text/plain; charset=utf-8", "ok"],
    ["/healthz?verbose", 200, "text/plain; charset=utf-8", "[+]ping ok\nhealthz check passed\n"],
    ["/proxyMode", 200, "text/plain; charset=utf-8", "flat"],
    [
      "/configz",
      200,
      "application/json",
      '{"kubeproxy.config.k8s.io":{"Mode":"flat","ClientConnection":{"Kubeconfig":"/x"}}}',
    ],
    ["/debug/rules", 404, "text/plain; charset=utf-8", "404 page not found\n"],
    ["/debug/describe", 404, "text/plain; charset=utf-8", "404 page not found\n"],
    ["/", 404, "text/plain; charset=utf-8", "404 page not found\n"],
  ] as const) {
    const answered = await ask({ port }, path);
    assert.equal([answered.code, answered.headers["content-type"], answered.body], [code, type, body], path);
    assert.is(answered.headers["x-content-type-options"], "nosniff", path);
  }
});

test("/flagz and /statusz: Kubernetes' form", async () => {
  const port = await start();
  const flags = await ask({ port }, "/flagz");
  assert.is(flags.headers["content-type"], "text/plain; charset=utf-8");
  assert.match(flags.body, /^\nkube-proxy flagz\nWarning: .*\ncheck: false\nv: 0\n$/);
  const { body } = await ask({ port }, "/statusz");
  const [, started = ""] = /\n\nStarted: (.*)\nUp: 1 hr 02 min 03 sec\nGo version: node20\.1\.2\n/.exec(body) ?? [];
  assert.match(started, /^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d UTC \d{4}$/);
  assert.ok(Math.abs(Date.parse(started) - (Date.now() - 3_723_500)) < 2000, started);
});

test("a page that fails is a 500 without details, reported, and the next one works", async () => {
  const defects: unknown[] = [];
  const port = await start(
    {
      config: () => {
        throw new Error("inner details");
      },
    },
    { onDefect: (error) => defects.push(error) },
  );
  const answered = await ask({ port }, "/configz");
  assert.equal([answered.code, answered.body], [500, "internal error\n"]);
  assert.is(defects.length, 1);
  assert.is((await ask({ port }, "/proxyMode")).code, 200);
});

test("scrapes at the same time cost one", async () => {
  let scrapes = 0;
  const text = async () => {
    scrapes++;
    await new Promise((resolve) => setTimeout(resolve, 50));
    return "x 1\n";
  };
  const port = await start({ metrics: { text, contentType: "text/plain" } });
  const answers = await Promise.all(Array.from({ length: 5 }, () => ask({ port }, "/metrics")));
  assert.ok(answers.every(({ body }) => body === "x 1\n"));
  assert.is(scrapes, 1);
  await ask({ port }, "/metrics");
  assert.is(scrapes, 2);
});

test.run();
