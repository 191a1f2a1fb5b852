// Checks whether a valid configuration fits this node, and is probably what is meant. It needs the Node.

import { familyOf, familyOfCidr } from "../../shared/config/addresses.ts";
import type { Family } from "../../shared/contract.ts";
import { type Diagnostic, diagnostic } from "../../shared/diagnostics.ts";
import { familyName } from "../../shared/families.ts";
import type { AgentConfig } from "./agent-config.ts";

export interface NodeFacts {
  readonly primaryFamily: Family;
  /** Families whose rules this node takes: one or two. */
  readonly families: readonly Family[];
  readonly nodeIps: readonly string[];
  readonly podCidrs: readonly string[];
}

/**
 * kube-proxy does not start with errors: pods' traffic could not be distinguished from other traffic. A caller that is running
 * already reports them, and keeps its configuration.
 */
export function checkSanity(config: AgentConfig, facts: NodeFacts): Diagnostic[] {
  const found: Diagnostic[] = [];
  const say = (severity: "error" | "warning", code: string, field: string, message: string, hint: string) =>
    found.push(diagnostic(severity, code, message, { field, hint }));
  const { primaryFamily, families } = facts;
  const { rules } = config;
  const isSingleStack = families.length === 1;
  const other: Family = primaryFamily === "ipv4" ? "ipv6" : "ipv4";
  const primary = familyName(primaryFamily);

  const cidrs = rules.clusterCidr === "" ? [] : rules.clusterCidr.split(",").map((cidr) => familyOfCidr(cidr.trim()));
  if (rules.detectLocalMode === "cluster-cidr" && cidrs.length > 0 && isSingleStack && !cidrs.includes(primaryFamily)) {
    const message = `this node has ${primary} only, and all of it is ${familyName(other)}`;
    say("error", "cluster-cidr-family", "clusterCIDR", message, `add the pods' ${primary} CIDR`);
  } else if (rules.detectLocalMode === "cluster-cidr" && cidrs.length > 0 && !cidrs.includes(primaryFamily)) {
    const message = `it has no CIDR of this node's primary family, ${primary}`;
    say("warning", "cluster-cidr-family", "clusterCIDR", message, `add the pods' ${primary} CIDR`);
  }
  const podFamilies = facts.podCidrs.map(familyOfCidr);
  if (
    rules.detectLocalMode === "node-cidr" &&
    podFamilies.length > 0 &&
    !families.some((f) => podFamilies.includes(f))
  ) {
    const message = `the Node's podCIDRs are ${facts.podCidrs.join(", ")}, and rules here are ${primary} only`;
    say(
      "error",
      "pod-cidr-family",
      "detectLocalMode",
      message,
      "use another detectLocalMode, or give the Node such a CIDR",
    );
  }

  const ports = rules.nodePortAddresses;
  const portFamilies = ports.map(familyOfCidr);
  // Words stand for both families.
  const hasPort = (family: Family) => portFamilies.includes(family) || portFamilies.includes(undefined);
  if (ports.length === 0 && config.mode === "iptables") {
    const message = "not given: node ports answer on every address of this node";
    say("warning", "nodeport-addresses-unset", "nodePortAddresses", message, "consider `nodePortAddresses: [primary]`");
  } else if (ports.length > 0 && !hasPort(primaryFamily)) {
    const message = `all of it is ${familyName(other)}: for ${primary}, this node's primary family, every address counts`;
    say("warning", "nodeport-addresses-family", "nodePortAddresses", message, `add an ${primary} CIDR, or \`primary\``);
  } else if (ports.length > 0 && !hasPort(other) && hintsAtDualStack(cidrs, facts)) {
    const message = `all of it is ${primary}, and this cluster has both families: for ${familyName(other)} every address counts`;
    say(
      "warning",
      "nodeport-addresses-family",
      "nodePortAddresses",
      message,
      `add an ${familyName(other)} CIDR, or \`primary\``,
    );
  }

  for (const field of ["healthzBindAddress", "metricsBindAddress"] as const) {
    const host = config[field]?.host;
    if (!isSingleStack || host === undefined || familyOf(host) === primaryFamily) continue;
    const message = `${host} is ${familyName(other)}, and this node has ${primary} only`;
    say("warning", "bind-address-family", field, message, `listen on an ${primary} address`);
  }
  return found;
}

function hintsAtDualStack(cidrs: readonly (Family | undefined)[], { families, nodeIps, podCidrs }: NodeFacts): boolean {
  if (families.length < 2) return false;
  const hasBoth = (found: readonly (Family | undefined)[]) => found.includes("ipv4") && found.includes("ipv6");
  return hasBoth(cidrs) || hasBoth(nodeIps.map(familyOf)) || hasBoth(podCidrs.map(familyOfCidr));
}
