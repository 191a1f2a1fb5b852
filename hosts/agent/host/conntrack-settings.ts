// The sysctls of connection tracking that kube-proxy sets in every mode.
import type { ConntrackConfig } from "../../shared/config/config.ts";
import type { AgentConfig } from "../config/agent-config.ts";
import { onlineCores } from "./cores.ts";
import { ensureSetting, type Machine, type Setting } from "./setting.ts";
import { ensureSysctl, readSysctl } from "./sysctl.ts";

/** kube-proxy 1.36 and newer: machines with many cores got tables of gigabytes. */
const mostConnections = 1_048_576;

const beLiberal = "net.netfilter.nf_conntrack_tcp_be_liberal";
const privilege =
  "run --init-only once with privilege, or make /proc/sys/net/netfilter writable, or say that it is to be left alone";
const buckets =
  "only a privileged process in the host's network namespace may: run --init-only there; lookups are slower without";

/** Undefined: leave it alone. */
export function wantedConntrackMax({ maxPerCore, min }: ConntrackConfig, cores: number): number | undefined {
  if (maxPerCore === 0) return undefined;
  const scaled = maxPerCore * cores;
  return scaled > mostConnections ? mostConnections : Math.max(scaled, min);
}

/**
 * Sets what the configuration asks for. Settings that the kernel does not have yet are "absent": the module is loaded with the
 * first rule that needs it. So call this again after rules have been written.
 */
export async function applyConntrackSettings(config: AgentConfig, machine: Machine): Promise<Setting[]> {
  const { conntrack, rules } = config;
  const settings: Setting[] = [];
  const max = wantedConntrackMax(conntrack, await onlineCores(machine));
  if (max !== undefined) settings.push(...(await applyMax(max, machine)));
  const timeouts: readonly [name: string, seconds: number, field: string][] = [
    ["tcp_timeout_established", conntrack.tcpEstablishedTimeoutSeconds, "tcpEstablishedTimeout"],
    ["tcp_timeout_close_wait", conntrack.tcpCloseWaitTimeoutSeconds, "tcpCloseWaitTimeout"],
    ["udp_timeout", conntrack.udpTimeoutSeconds, "udpTimeout"],
    ["udp_timeout_stream", conntrack.udpStreamTimeoutSeconds, "udpStreamTimeout"],
  ];
  for (const [name, wanted, field] of timeouts) {
    if (wanted === 0) continue;
    const hint = `${privilege}: conntrack.${field}: 0s`;
    settings.push(await ensureSysctl(machine, { name: `net.netfilter.nf_conntrack_${name}`, wanted, hint }));
  }
  if (rules.conntrackTcpBeLiberal) {
    const hint = `${privilege}: conntrack.tcpBeLiberal: false`;
    settings.push(await ensureSysctl(machine, { name: beLiberal, wanted: 1, hint }));
  }
  return settings;
}

/** For the engine's option `conntrackTcpBeLiberal`. False too where the kernel has no such sysctl (yet). */
export async function readTcpBeLiberal(machine: Machine): Promise<boolean> {
  return ((await readSysctl(machine, beLiberal)) ?? 0) !== 0;
}

/** The table is only ever made larger: others on this machine may need more. */
async function applyMax(max: number, machine: Machine): Promise<Setting[]> {
  const hint = `${privilege}: conntrack.maxPerCore: 0`;
  const name = "net.netfilter.nf_conntrack_max";
  const table = await ensureSysctl(machine, { name, wanted: max, atLeast: true, hint });
  // A table that stays smaller needs no more buckets.
  if (table.action !== "kept" && table.action !== "written" && table.action !== "to be written") return [table];
  const hashsize = await ensureSetting(machine, {
    name: "nf_conntrack hashsize",
    path: "/sys/module/nf_conntrack/parameters/hashsize",
    wanted: Math.floor(max / 4),
    atLeast: true,
    hint: buckets,
  });
  return [table, hashsize];
}
