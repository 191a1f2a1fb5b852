// What lines look like, and what never gets into them.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Log, levelOf, openLog } from "./log.ts";

const test = suite("agent: log");

function capture(format: "text" | "json", verbosity = 0): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const { log } = openLog({ format, verbosity }, { write: (line) => void lines.push(line) });
  return { log, lines };
}

test("json: Kubernetes' keys, the level, and fields", () => {
  const { log, lines } = capture("json");
  log.info({ family: "IPv4", services: 3, hash: 255n }, "rules written");
  const { ts, ...others } = JSON.parse(lines[0] ?? "");
  assert.equal(others, { level: "info", v: 0, family: "IPv4", services: 3, hash: "255", msg: "rules written" });
  assert.ok(Math.abs(ts - Date.now()) < 60_000, `${ts}: milliseconds since 1970`);
});

test("text: a line as klog's, one for each call whatever the values contain", () => {
  const { log, lines } = capture("text");
  log.warn({ service: "shop/web", why: 'a "quoted"\nline' }, "left out\nI0101 forged");
  assert.is(lines.length, 1);
  assert.match(
    lines[0] ?? "",
    /^W\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ sluice\] "left out\\nI0101 forged" service="shop\/web" why="a \\"quoted\\"\\nline"\n$/,
  );
  log.error("without fields");
  assert.match(lines[1] ?? "", /^E.* sluice\] "without fields"\n$/);
});

test("verbosity", () => {
  assert.equal([0, 2, 3, 4, 5, 6, 10].map(levelOf), ["info", "verbose", "verbose", "debug", "debug", "trace", "trace"]);
  const { log, lines } = capture("json", 2);
  log.debug("not shown");
  assert.equal(lines, []);
  log.verbose("shown");
  assert.equal([JSON.parse(lines[0] ?? "").level, JSON.parse(lines[0] ?? "").v], ["info", 2]);
  const quiet = capture("text", 1);
  quiet.log.verbose("not shown");
  assert.equal(quiet.lines, []);
  const text = capture("text", 2);
  text.log.verbose("shown");
  assert.match(text.lines[0] ?? "", /^I/);
  const of = (level: "trace" | "debug" | "warn" | "error" | "fatal") => {
    const { log: all, lines: shown } = capture("json", 10);
    all[level]({}, "shown");
    return JSON.parse(shown[0] ?? "").v;
  };
  assert.equal((["trace", "debug", "warn", "error", "fatal"] as const).map(of), [6, 4, 0, undefined, undefined]);
});

for (const format of ["text", "json"] as const) {
  test(`${format}: no secrets, wherever they stand`, () => {
    const { log, lines } = capture(format);
    const secret = "s3cr3t-value";
    const jwt = `eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.${secret}`;
    log.info({ token: secret, nested: { headers: { Authorization: secret }, "client-key-data": secret } }, "a");
    log.info({ users: [{ user: { password: secret, tokenFile: secret } }] }, "b");
    log.error({ err: new Error(`401 for Authorization: Bearer ${secret}`) }, `sent Bearer ${secret}`);
    log.error(new Error(`proxy http://user:${secret}@proxy:3128 refused`));
    log.info(`token was ${jwt}`);
    log.info({ text: `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----` }, "c");
    assert.is(lines.length, 6);
    for (const line of lines) assert.not.match(line, secret);
    assert.match(lines[3] ?? "", "proxy:3128 refused");
  });

  test(`${format}: nothing that a terminal or an editor obeys`, () => {
    const { log, lines } = capture(format);
    const odd = [
      "\u0085",
      "\u009b31m",
      "\u001b[31m",
      "\u007f",
      "\u2028",
      "\u2029",
      "\u202e",
      "\u2066",
      "\ufeff",
      "\u200b",
    ];
    const text = [...odd, "\ud800", "\u{e0041}", "木"].join("-");
    log.warn({ [`name${text}`]: text, err: new Error(text) }, text);
    assert.not.match((lines[0] ?? "").replace(/\n$/, ""), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
    assert.match(lines[0] ?? "", "\\u0085-\\u009b31m-\\u001b[31m-\\u007f-\\u2028");
    assert.match(lines[0] ?? "", "\\ud800-\\udb40\\udc41-木");
    if (format === "json") assert.is(JSON.parse(lines[0] ?? "").msg, text);
  });

  test(`${format}: no dumps of rules`, () => {
    const { log, lines } = capture(format);
    const rules = "add rule ip sluice services\n".repeat(10_000);
    log.info({ rules, bytes: new TextEncoder().encode(rules), pieces: Array(1000).fill(rules) }, rules);
    assert.ok((lines[0] ?? "").length < 20_000, `${lines[0]?.length}`);
    assert.match(lines[0] ?? "", "(280000 bytes)");
    assert.match(lines[0] ?? "", "(280000 characters)");
  });
}

test("errors: message and code, or where they came from", () => {
  const { log, lines } = capture("json");
  log.error({ err: Object.assign(new Error("busy"), { code: "EBUSY" }) }, "refused");
  log.error({ err: new TypeError("defect", { cause: new Error("below") }) }, "defect");
  const { err, code, caller, stack } = JSON.parse(lines[0] ?? "");
  assert.equal([err, code, caller, stack], ["busy", "EBUSY", undefined, undefined]);
  const defect = JSON.parse(lines[1] ?? "");
  assert.is(defect.err, "defect: below");
  assert.match(defect.caller, /^log\/log\.test\.ts:\d+$/);
  assert.match(defect.stack, "TypeError: defect\n");
  const text = capture("text");
  text.log.error({ err: new Error("busy"), family: "IPv4" }, "refused");
  assert.match(
    text.lines[0] ?? "",
    /^E.* sluice\] "refused" caller="log\/log\.test\.ts:\d+" err="busy" family="IPv4" stack=/,
  );
});

test("odd values do not stop the line", () => {
  const { log, lines } = capture("text");
  const loop: Record<string, unknown> = {};
  loop.self = loop;
  log.info({ loop, none: undefined, call: () => 1, date: new Date(0) }, "odd");
  assert.match(lines[0] ?? "", 'date="1970-01-01T00:00:00.000Z"');
});

test("bundled, lines reach standard output", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-log-"));
  try {
    const entry = join(folder, "entry.ts");
    const log = fileURLToPath(new URL("log.ts", import.meta.url));
    writeFileSync(
      entry,
      `import { openLog } from ${JSON.stringify(log)};
       for (const format of ["text", "json"]) {
         const { log, flush } = openLog({ format, verbosity: 0 });
         log.info({ n: 1 }, "hello");
         flush();
       }`,
    );
    const outfile = join(folder, "bundle.mjs");
    await build({
      entryPoints: [entry],
      outfile,
      bundle: true,
      platform: "node",
      format: "esm",
      // pino is CommonJS: inside an ES module it needs a `require`.
      banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
      logLevel: "silent",
    });
    const lines = execFileSync(process.execPath, [outfile], { encoding: "utf8" }).trimEnd().split("\n");
    assert.is(lines.length, 2);
    assert.match(lines[0] ?? "", /^I.*\] "hello" n=1$/);
    assert.is(JSON.parse(lines[1] ?? "").msg, "hello");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
