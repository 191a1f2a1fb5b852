// What an administrator with only a node gets: the unit, checked by systemd where it is installed, and the examples.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parse } from "yaml";
import { lacking as namespaceLacking, runInNamespace } from "../../../../fixtures/kernel/namespace.ts";
import { testNeeding } from "../../../../fixtures/support/needing.ts";
import { parseAgentConfig } from "../../config/agent-config.ts";
import { connectionsAllowed } from "../../localhost/descriptors.ts";

const directory = fileURLToPath(new URL(".", import.meta.url));
const read = (file: string): string => readFileSync(join(directory, file), "utf8");

const test = suite("systemd service");

/** Directives of all sections; one that is given again adds to its list. */
function directives(...files: string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of files.flatMap((file) => read(file).split("\n"))) {
    const [, name = "", value = ""] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (name !== "") found[name] = found[name] === undefined ? value : `${found[name]} ${value}`;
  }
  return found;
}

test("it has the network's configuration of root's powers, and sees the system read-only", () => {
  const unit = directives("sluice.service");
  assert.is(unit.CapabilityBoundingSet, "CAP_NET_ADMIN");
  assert.is(unit.NoNewPrivileges, "yes");
  assert.is(unit.ProtectSystem, "strict");
  assert.is(unit.RestrictAddressFamilies, "AF_UNIX AF_INET AF_INET6 AF_NETLINK");
  assert.is(unit.ReadWritePaths, undefined);
  // These would take away what the agent is for; the unit's comment says why.
  for (const name of ["ProtectKernelTunables", "MemoryDenyWriteExecute", "PrivateNetwork", "ProtectProc"]) {
    assert.is(unit[name], undefined);
    assert.match(read("sluice.service"), new RegExp(`^# .*${name}.* `, "m"));
  }
});

test("it is started again for ever, and given the time to finish", () => {
  const unit = directives("sluice.service");
  assert.is(unit.Restart, "always");
  assert.is(unit.StartLimitIntervalSec, "0");
  assert.ok(Number(unit.TimeoutStopSec) > 5, "the agent takes up to 5 s");
});

test("it may have as many files open as connections to node ports on localhost can take, beside a listener for every node port", () => {
  const openFiles = Number(directives("sluice.service").LimitNOFILE);
  const nodePorts = 32_767 - 30_000 + 1;
  const all = connectionsAllowed(Number.POSITIVE_INFINITY, 0);
  assert.is(connectionsAllowed(openFiles, 2 * nodePorts), all, "in both families");
});

test("systemd has nothing to say against the unit, with and without what mode iptables adds", () => {
  if (spawnSync("systemd-analyze", ["--version"]).status !== 0) {
    console.error("not checked by systemd-analyze: it is not installed");
    return;
  }
  const units = mkdtempSync(join(tmpdir(), "sluice-units-"));
  try {
    const unit = join(units, "sluice.service");
    const text = read("sluice.service").replace("/opt/sluice/bin/sluice", join(directory, "sluice"));
    for (const addition of ["", read("iptables.conf")]) {
      writeFileSync(unit, `${text}\n${addition}`);
      const verified = spawnSync("systemd-analyze", ["verify", "--man=no", unit], { encoding: "utf8" });
      assert.is(
        verified.stderr
          .split("\n")
          .filter((line) => line.includes("sluice.service"))
          .join("\n"),
        "",
      );
      assert.is(verified.status, 0, verified.stderr);
      const security = ["security", "--offline=true", "--threshold=30", unit];
      const { status, stdout } = spawnSync("systemd-analyze", security, { encoding: "utf8" });
      assert.is(status, 0, stdout);
    }
  } finally {
    rmSync(units, { recursive: true, force: true });
  }
});

test("the examples are where the unit looks, and the agent has nothing to say about them", () => {
  assert.match(directives("sluice.service").ExecStart as string, "--config=/etc/sluice/config.conf");
  const { config, diagnostics } = parseAgentConfig({ name: "config.conf", bytes: Buffer.from(read("config.conf")) });
  assert.equal(diagnostics, []);
  assert.is(config?.mode, "flat");
  assert.match(read("kubeconfig.conf"), `# ${config?.kubeconfig}:`);
  const kubeconfig = parse(read("kubeconfig.conf"));
  assert.is(kubeconfig.kind, "Config");
  assert.is(kubeconfig["current-context"], kubeconfig.contexts[0].name);
});

test("the agent alone is started with what keeps its memory small", () => {
  const extracted = mkdtempSync(join(tmpdir(), "sluice-launcher-"));
  try {
    for (const name of ["bin", "lib/runtime"]) mkdirSync(join(extracted, name), { recursive: true });
    copyFileSync(join(directory, "sluice"), join(extracted, "bin/sluice"));
    const runtime = '#!/bin/sh\necho "$MALLOC_MMAP_THRESHOLD_" "$@"\n';
    writeFileSync(join(extracted, "lib/runtime/node"), runtime, { mode: 0o755 });
    symlinkSync("bin/sluice", join(extracted, "link"));
    const { MALLOC_MMAP_THRESHOLD_: _, ...env } = process.env;
    const started = (...args: string[]) =>
      spawnSync(join(extracted, "link"), args, { encoding: "utf8", env }).stdout.replaceAll(extracted, "").trim();
    assert.is(started("agent", "--check"), "49152 --max-semi-space-size=2 /lib/cli/sluice.js agent --check");
    assert.is(started("render", "-f", "a b"), "/lib/cli/sluice.js render -f a b");
  } finally {
    rmSync(extracted, { recursive: true, force: true });
  }
});

const dnat = `*nat
:TEST - [0:0]
-A TEST -p tcp -m statistic --mode random --probability 0.5 -m tcp -j DNAT --to-destination 10.0.0.1:80
COMMIT
`;

function lacking(): string {
  const missing = ["setpriv", "iptables-legacy-restore", "iptables-nft-restore"].filter(
    (tool) => spawnSync("sh", ["-c", `PATH=$PATH:/usr/sbin:/sbin command -v ${tool}`]).status !== 0,
  );
  return missing.length > 0 ? `not installed: ${missing.join(", ")}` : namespaceLacking();
}

testNeeding(test, "iptables-legacy is what needs CAP_NET_RAW; nothing else does", lacking(), async () => {
  const restore = (variant: string, capabilities: string) => ({
    // A lock of its own: that of the machine is not everybody's to open.
    command: `XTABLES_LOCKFILE=$PWD/lock setpriv --bounding-set=-all,${capabilities} --inh-caps=-all,${capabilities} iptables-${variant}-restore --noflush`,
    input: dnat,
  });
  const [nft, legacy, legacyWithRaw] = await runInNamespace(
    [],
    [restore("nft", "+net_admin"), restore("legacy", "+net_admin"), restore("legacy", "+net_admin,+net_raw")],
  );
  assert.is(nft?.code, 0, nft?.stderr);
  assert.is.not(legacy?.code, 0);
  assert.match(legacy?.stderr ?? "", "unable to initialize table");
  assert.is(legacyWithRaw?.code, 0, legacyWithRaw?.stderr);
  assert.is(directives("sluice.service", "iptables.conf").CapabilityBoundingSet, "CAP_NET_ADMIN CAP_NET_RAW");
});

test.run();
