import type { Family } from "./contract.ts";

export const FAMILIES: readonly Family[] = ["ipv4", "ipv6"];

/** As Kubernetes spells them. */
export function familyName(family: Family): "IPv4" | "IPv6" {
  return family === "ipv4" ? "IPv4" : "IPv6";
}
