import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { FlagField } from "../../shared/config/config.ts";
import { ConfigWatch } from "./watch.ts";

const head = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";
const verbosity = (level: number) => `${head}mode: flat\nlogging: {verbosity: ${level}}\n`;

interface Context {
  root: string;
  path: string;
  reported: string[];
  start(flags?: FlagField[], content?: string): void;
  /** Looks twice, as the timer would: what has settled is reported. */
  check(): Promise<string[]>;
}

const watch = suite<Context>("the configuration file's watch");
let running: ConfigWatch | undefined;

watch.before.each((context) => {
  context.root = mkdtempSync(join(tmpdir(), "sluice-config-"));
  context.path = join(context.root, "config.conf");
  context.reported = [];
  context.start = (flags = [], content = verbosity(1)) => {
    running = new ConfigWatch({
      path: context.path,
      flags,
      content: new TextEncoder().encode(content),
      intervalMs: 3_600_000,
      changed({ logging }) {
        if (logging.verbosity === 99) throw new Error("too much");
        context.reported.push(`verbosity ${logging.verbosity}`);
      },
      broken: (diagnostics) => context.reported.push(...diagnostics.map(({ code }) => code)),
    });
  };
  context.check = async () => {
    await running?.check();
    await running?.check();
    return context.reported.splice(0);
  };
  writeFileSync(context.path, verbosity(1));
});
watch.after.each(({ root }) => {
  running?.close();
  rmSync(root, { recursive: true, force: true });
});

watch("the same content is no change, also in another file", async ({ path, start, check }) => {
  start();
  assert.equal(await check(), []);
  writeFileSync(`${path}.new`, verbosity(1));
  renameSync(`${path}.new`, path);
  assert.equal(await check(), []);
});

watch("written in place and renamed over", async ({ path, start, check }) => {
  start();
  writeFileSync(path, verbosity(2));
  assert.equal(await check(), ["verbosity 2"]);
  assert.equal(await check(), [], "reported once");
  writeFileSync(`${path}.new`, verbosity(3));
  renameSync(`${path}.new`, path);
  assert.equal(await check(), ["verbosity 3"]);
});

watch("what changed between reading and watching is a change", async ({ start, check }) => {
  start([], verbosity(0));
  assert.equal(await check(), ["verbosity 1"]);
});

watch("the swap of a mounted ConfigMap's symlink", async ({ root, path, start, check }) => {
  // As kubelet lays it out: config.conf → ..data/config.conf, ..data → ..TIMESTAMP
  for (const level of [1, 2]) {
    mkdirSync(join(root, `..${level}`));
    writeFileSync(join(root, `..${level}`, "config.conf"), verbosity(level));
  }
  unlinkSync(path);
  symlinkSync("..1", join(root, "..data"));
  symlinkSync("..data/config.conf", path);
  start();
  assert.equal(await check(), []);
  symlinkSync("..2", join(root, "..data_tmp"));
  renameSync(join(root, "..data_tmp"), join(root, "..data"));
  assert.equal(await check(), ["verbosity 2"]);
});

watch("a file in the middle of being written is not read yet", async ({ path, reported, start, check }) => {
  start();
  writeFileSync(path, `${head}mode: `);
  await running?.check();
  writeFileSync(path, verbosity(2));
  await running?.check();
  assert.equal(reported, []);
  assert.equal(await check(), ["verbosity 2"]);
});

watch("a broken file is reported once, and the repaired one after it", async ({ path, start, check }) => {
  start();
  writeFileSync(path, `${head}mode: ipvs\noomScoreAdj: 5000\n`);
  assert.equal(await check(), ["mode-ipvs", "out-of-range"]);
  assert.equal(await check(), []);
  writeFileSync(path, verbosity(1));
  assert.equal(await check(), ["verbosity 1"]);
});

watch("a file that stays away is reported once; for a moment is nothing", async ({ path, start, check }) => {
  start();
  unlinkSync(path);
  await running?.check();
  writeFileSync(path, verbosity(1));
  assert.equal(await check(), []);
  unlinkSync(path);
  assert.equal(await check(), ["unreadable-file"]);
  assert.equal(await check(), []);
  writeFileSync(path, verbosity(2));
  assert.equal(await check(), ["verbosity 2"]);
});

watch("flags win over each new file", async ({ path, start, check }) => {
  start([{ field: "logging.verbosity", value: 7, flag: "-v" }]);
  writeFileSync(path, verbosity(2));
  assert.equal(await check(), ["verbosity 7"]);
});

watch(
  "a configuration that cannot be put in force is reported, and the watch goes on",
  async ({ path, start, check }) => {
    start();
    writeFileSync(path, verbosity(99));
    assert.equal(await check(), ["config-apply"]);
    writeFileSync(path, verbosity(2));
    assert.equal(await check(), ["verbosity 2"]);
  },
);

watch("it looks by itself", async ({ path, reported }) => {
  running = new ConfigWatch({
    path,
    flags: [],
    intervalMs: 5,
    changed: ({ logging }) => reported.push(`verbosity ${logging.verbosity}`),
    broken: (diagnostics) => reported.push(...diagnostics.map(({ code }) => code)),
  });
  await running.check();
  writeFileSync(path, verbosity(2));
  for (let i = 0; i < 500 && reported.length === 0; i++) await sleep(10);
  assert.equal(reported, ["verbosity 2"]);
});

watch("after close nothing is reported", async ({ path, start, check }) => {
  start();
  running?.close();
  writeFileSync(path, verbosity(2));
  assert.equal(await check(), []);
});

watch.run();
