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
  told: string[];
  start(flags?: FlagField[], content?: string): void;
  /** Looks twice, as the timer would: what has settled is told. */
  look(): Promise<string[]>;
}

const watch = suite<Context>("the configuration file's watch");
let running: ConfigWatch | undefined;

watch.before.each((context) => {
  context.root = mkdtempSync(join(tmpdir(), "sluice-config-"));
  context.path = join(context.root, "config.conf");
  context.told = [];
  context.start = (flags = [], content = verbosity(1)) => {
    running = new ConfigWatch({
      path: context.path,
      flags,
      content: new TextEncoder().encode(content),
      intervalMs: 3_600_000,
      changed({ logging }) {
        if (logging.verbosity === 99) throw new Error("too much");
        context.told.push(`verbosity ${logging.verbosity}`);
      },
      broken: (diagnostics) => context.told.push(...diagnostics.map(({ code }) => code)),
    });
  };
  context.look = async () => {
    await running?.look();
    await running?.look();
    return context.told.splice(0);
  };
  writeFileSync(context.path, verbosity(1));
});
watch.after.each(({ root }) => {
  running?.close();
  rmSync(root, { recursive: true, force: true });
});

watch("the same content is no change, also in another file", async ({ path, start, look }) => {
  start();
  assert.equal(await look(), []);
  writeFileSync(`${path}.new`, verbosity(1));
  renameSync(`${path}.new`, path);
  assert.equal(await look(), []);
});

watch("written in place and renamed over", async ({ path, start, look }) => {
  start();
  writeFileSync(path, verbosity(2));
  assert.equal(await look(), ["verbosity 2"]);
  assert.equal(await look(), [], "told once");
  writeFileSync(`${path}.new`, verbosity(3));
  renameSync(`${path}.new`, path);
  assert.equal(await look(), ["verbosity 3"]);
});

watch("what changed between reading and watching is a change", async ({ start, look }) => {
  start([], verbosity(0));
  assert.equal(await look(), ["verbosity 1"]);
});

watch("the swap of a mounted ConfigMap's symlink", async ({ root, path, start, look }) => {
  // As kubelet lays it out: config.conf → ..data/config.conf, ..data → ..TIMESTAMP
  for (const level of [1, 2]) {
    mkdirSync(join(root, `..${level}`));
    writeFileSync(join(root, `..${level}`, "config.conf"), verbosity(level));
  }
  unlinkSync(path);
  symlinkSync("..1", join(root, "..data"));
  symlinkSync("..data/config.conf", path);
  start();
  assert.equal(await look(), []);
  symlinkSync("..2", join(root, "..data_tmp"));
  renameSync(join(root, "..data_tmp"), join(root, "..data"));
  assert.equal(await look(), ["verbosity 2"]);
});

watch("a file in the middle of being written is not read yet", async ({ path, told, start, look }) => {
  start();
  writeFileSync(path, `${head}mode: `);
  await running?.look();
  writeFileSync(path, verbosity(2));
  await running?.look();
  assert.equal(told, []);
  assert.equal(await look(), ["verbosity 2"]);
});

watch("a broken file is told once, and the repaired one after it", async ({ path, start, look }) => {
  start();
  writeFileSync(path, `${head}mode: ipvs\noomScoreAdj: 5000\n`);
  assert.equal(await look(), ["mode-ipvs", "out-of-range"]);
  assert.equal(await look(), []);
  writeFileSync(path, verbosity(1));
  assert.equal(await look(), ["verbosity 1"]);
});

watch("a file that stays away is told once; for a moment is nothing", async ({ path, start, look }) => {
  start();
  unlinkSync(path);
  await running?.look();
  writeFileSync(path, verbosity(1));
  assert.equal(await look(), []);
  unlinkSync(path);
  assert.equal(await look(), ["unreadable-file"]);
  assert.equal(await look(), []);
  writeFileSync(path, verbosity(2));
  assert.equal(await look(), ["verbosity 2"]);
});

watch("flags win over each new file", async ({ path, start, look }) => {
  start([{ field: "logging.verbosity", value: 7, flag: "-v" }]);
  writeFileSync(path, verbosity(2));
  assert.equal(await look(), ["verbosity 7"]);
});

watch("a configuration that cannot be put in force is told, and the watch goes on", async ({ path, start, look }) => {
  start();
  writeFileSync(path, verbosity(99));
  assert.equal(await look(), ["config-apply"]);
  writeFileSync(path, verbosity(2));
  assert.equal(await look(), ["verbosity 2"]);
});

watch("it looks by itself", async ({ path, told }) => {
  running = new ConfigWatch({
    path,
    flags: [],
    intervalMs: 5,
    changed: ({ logging }) => told.push(`verbosity ${logging.verbosity}`),
    broken: (diagnostics) => told.push(...diagnostics.map(({ code }) => code)),
  });
  await running.look();
  writeFileSync(path, verbosity(2));
  for (let i = 0; i < 500 && told.length === 0; i++) await sleep(10);
  assert.equal(told, ["verbosity 2"]);
});

watch("after close nothing is told", async ({ path, start, look }) => {
  start();
  running?.close();
  writeFileSync(path, verbosity(2));
  assert.equal(await look(), []);
});

watch.run();
