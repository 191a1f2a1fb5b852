// Whether this kernel and this machine have what the mode needs.

import type { Mode } from "../../shared/contract.ts";
import type { AgentConfig } from "../config/agent-config.ts";
import { AffinityWatch } from "../hazards/affinity.ts";
import { findKernelHazards, type KernelHazards } from "../hazards/kernel-hazards.ts";
import { findMissingExtensions, type MissingExtension, remedy } from "../kernel/commands/iptables-extensions.ts";
import { type FoundIptables, findIptables, type IptablesTools, thisHost } from "../kernel/commands/iptables-tools.ts";
import { commandRunner } from "../kernel/commands/run-command.ts";
import { type ProbeResult, probeKernel } from "../netlink/probe/probe.ts";
import { NetlinkSocket } from "../netlink/sockets/socket.ts";
import { type Finding, ok } from "./finding.ts";

export interface KernelProbes {
  /** nf_tables, for flat and nftables mode. */
  probe(): Promise<ProbeResult>;
  /** The commands of iptables mode. */
  findIptables(): Promise<FoundIptables>;
  /** What of iptables this node lacks. */
  findMissingExtensions(tools: IptablesTools): Promise<readonly MissingExtension[]>;
  /** What of others' rules is in the way. */
  findHazards(config: AgentConfig): Promise<KernelHazards>;
}

/** For each command. */
const PROBE_MS = 10_000;

export const thisKernel: KernelProbes = {
  async probe() {
    const socket = NetlinkSocket.open();
    try {
      return await probeKernel(socket);
    } finally {
      await socket.close();
    }
  },
  findIptables: () => findIptables(thisHost(commandRunner())),
  findMissingExtensions: (tools) => findMissingExtensions(tools, commandRunner(), PROBE_MS),
  findHazards: (config) => findKernelHazards(config, new AffinityWatch(config.mode)),
};

export async function checkKernel(mode: Mode, probes: KernelProbes): Promise<Finding[]> {
  try {
    return mode === "iptables" ? await checkIptables(probes) : await checkNfTables(probes);
  } catch (error) {
    // The socket could not be opened: the message says why.
    const detail = error instanceof Error ? error.message : String(error);
    return [{ area: "kernel", subject: mode, status: "failed", detail, hint: "" }];
  }
}

async function checkNfTables({ probe }: KernelProbes): Promise<Finding[]> {
  const area = "kernel";
  const result = await probe();
  switch (result.outcome) {
    case "supported":
      return [ok(area, "nf_tables", "all features that the rules need, for IPv4 and IPv6")];
    case "missing":
      return result.missing.map(({ family, feature, error }) => ({
        area,
        subject: `nf_tables (${family})`,
        status: "failed",
        detail: `${feature.what}: ${error.name}`,
        hint: `load ${feature.modules.join(", ")}, or build the kernel with ${feature.config.join(", ")}`,
      }));
    default: {
      const status = result.outcome === "unknown" ? "warning" : "failed";
      return [{ area, subject: "nf_tables", status, detail: result.message, hint: "" }];
    }
  }
}

async function checkIptables(probes: KernelProbes): Promise<Finding[]> {
  const area = "kernel";
  const found = await probes.findIptables();
  if (found.outcome === "missing") {
    return [{ area, subject: "iptables", status: "failed", detail: found.message, hint: "" }];
  }
  const { version, variant, reason, unusable } = found.tools;
  const findings = [ok(area, "iptables", `${version}, ${variant}: ${reason}`)];
  for (const [family, why] of Object.entries(unusable)) {
    const hint = "Services of that family will not work on this node";
    findings.push({ area, subject: `iptables (${family})`, status: "warning", detail: why, hint });
  }
  const missing = await probes.findMissingExtensions(found.tools);
  if (missing.length === 0) findings.push(ok(area, "iptables extensions", "all that the rules need"));
  for (const { probe, families, reason } of missing) {
    findings.push({
      area,
      subject: `extension ${probe.name} (${families.join(", ")})`,
      status: probe.isNeeded === true ? "failed" : "warning",
      detail: `without it ${probe.consequence}: ${reason}`,
      hint: remedy(probe),
    });
  }
  return findings;
}
