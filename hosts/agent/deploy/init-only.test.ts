// `--init-only`, as the component kernel-settings runs it: privileged, once, before the agent.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { lacking } from "../../../fixtures/kernel/namespace.ts";
import { testNeeding } from "../../../fixtures/support/needing.ts";

const command = fileURLToPath(new URL("../../../build/cli/sluice.js", import.meta.url));
const test = suite("--init-only");

testNeeding(test, "it sets conntrack's timeouts, and leaves the score of its own short life alone", lacking(), () => {
  const directory = mkdtempSync(join(tmpdir(), "sluice-init-"));
  try {
    const config = join(directory, "config.conf");
    // The table's size can be set in the first network namespace only.
    const header = { apiVersion: "kubeproxy.config.k8s.io/v1alpha1", kind: "KubeProxyConfiguration" };
    const conntrack = { maxPerCore: 0, tcpCloseWaitTimeout: "33m" };
    writeFileSync(config, JSON.stringify({ ...header, mode: "flat", oomScoreAdj: -1000, conntrack }));
    const value = join(directory, "value");
    const script = `"$0" "$1" agent --config="$2" --init-only; code=$?
      cat /proc/sys/net/netfilter/nf_conntrack_tcp_timeout_close_wait > "$3"; exit $code`;
    const flags = [...(process.getuid?.() === 0 ? [] : ["--map-root-user"]), "--net"];
    const { status, stdout, stderr } = spawnSync(
      "unshare",
      [...flags, "sh", "-c", script, process.execPath, command, config, value],
      { encoding: "utf8" },
    );
    assert.is(stderr, "");
    assert.is(status, 0, stdout);
    assert.is(readFileSync(value, "utf8"), "1980\n");
    assert.match(stdout, /^net\.netfilter\.nf_conntrack_tcp_timeout_close_wait: written/m);
    assert.not.match(stdout, "oom_score_adj");
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test.run();
