// A node of the oracle in the network namespace that a test file runs in: interfaces, kube-proxy's tables, an engine.
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configured, namespaceOptions } from "../../../../fixtures/conformance/run.ts";
import type { OracleCase } from "../../../../fixtures/oracle/oracle.ts";
import { applyJson, type Mode, newEngine } from "../../../../fixtures/support/engine.ts";
import { internalIPs, listOf } from "../../../../fixtures/support/objects.ts";
import type { EngineInstance } from "../../../shared/engine.ts";

const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, LC_ALL: "C" };

/** Runs a shell command that has to succeed, and returns what it printed. */
export function shell(command: string, input = ""): string {
  return execFileSync("sh", ["-ec", command], { env, input, encoding: "utf8", maxBuffer: 1 << 30 });
}

/** Whether a shell command succeeds. */
export function succeeds(command: string): boolean {
  return spawnSync("sh", ["-ec", command], { env, stdio: "ignore" }).status === 0;
}

/** Interfaces and nfacct objects that kube-proxy's rules name. Once for each namespace. */
export function prepareNode(): void {
  shell(`ip link set lo up
    ip link add eth0 type veth peer name eth0-peer
    ip link set eth0 up
    ip link set eth0-peer up
    ip link add cbr0 type bridge
    nfacct add ct_state_invalid_dropped_pkts
    nfacct add localhost_nps_accepted_pkts`);
}

/** No rules of anybody, in all variants that the machine has. */
export function flushAll(): void {
  shell("nft flush ruleset");
  if (hasLegacy()) for (const command of ["iptables-legacy", "ip6tables-legacy"]) flushLegacy(command);
}

function flushLegacy(command: string): void {
  for (const table of ["filter", "nat", "mangle"]) shell(`${command} -t ${table} -F; ${command} -t ${table} -X`);
}

/** Why legacy tables can't be tested here, or "". */
export function lackingLegacy(): string {
  if (!succeeds("command -v iptables-legacy-restore")) return "iptables-legacy is not installed";
  return succeeds("iptables-legacy -t nat -S && ip6tables-legacy -t nat -S")
    ? ""
    : "this kernel has no legacy tables (modules ip_tables, iptable_nat, ip6table_nat)";
}

/** Says once, outside the namespaces, what these tests leave out on this machine. */
export function sayWhatIsLeftOut(): void {
  if (process.env.SLUICE_TEST_NAMESPACE !== undefined) return;
  const options = { env, stdio: "ignore" } as const;
  const command = "iptables-legacy -t nat -S && ip6tables-legacy -t nat -S";
  const tried = spawnSync("unshare", ["--map-root-user", "--net", "sh", "-c", command], options);
  if (tried.status !== 0)
    console.error("left out: legacy iptables tables: no iptables-legacy, or the kernel lacks them");
}

let legacy: boolean | undefined;
export function hasLegacy(): boolean {
  legacy ??= lackingLegacy() === "";
  return legacy;
}

/** An engine that knows the objects of an oracle case. */
export function engineFor(each: OracleCase, mode: Mode): EngineInstance {
  const nodeIPs = internalIPs(each.objects);
  const engine = configured(newEngine, namespaceOptions(each.config, mode, nodeIPs)) as EngineInstance;
  applyJson(engine, listOf(each.objects));
  return engine;
}

/** Loads what kube-proxy had in mode iptables, chains for canaries included. @param infix "-nft", "-legacy" */
export function loadKubeProxyIptables(each: OracleCase, infix: string): void {
  shell(`iptables${infix}-restore --noflush`, each.listings.iptables);
  shell(`ip6tables${infix}-restore --noflush`, each.listings.ip6tables);
}

export function loadKubeProxyNft(each: OracleCase): void {
  shell("nft -f -", each.listings.nftables);
}

/** Everything in both variants' tables and in nf_tables, to compare before and after. Without counters and comments. */
export function listEverything(): string {
  const listings = [shell("nft -s list ruleset")];
  if (hasLegacy()) {
    for (const save of ["iptables-legacy-save", "ip6tables-legacy-save"]) {
      listings.push(
        shell(save)
          .replaceAll(/^#.*\n/gm, "")
          .replaceAll(/\[\d+:\d+\]/g, ""),
      );
    }
  }
  return listings.join("");
}

/** A directory with commands that are these shell scripts. */
export function fakeCommands(scripts: Readonly<Record<string, string>>): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "sluice-commands-"));
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(path, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(path, name), 0o755);
  }
  return { path, remove: () => rmSync(path, { recursive: true }) };
}
