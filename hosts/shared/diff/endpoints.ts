// How the endpoints that a Service port uses change.
import type { DescribedEndpoint, DescribedServicePort } from "../describe.ts";
import { plural } from "../plural.ts";
import type { EndpointsChange, ZoneChange } from "./changes.ts";
import type { Traffic } from "./entry-points.ts";

/** Those that get the traffic on this node. */
export function usedEndpoints(port: DescribedServicePort, traffic: Traffic): DescribedEndpoint[] {
  return port.endpoints.filter((endpoint) => endpoint[traffic]);
}

function endpointText({ address, port }: DescribedEndpoint): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/**
 * Undefined: the same endpoints get the traffic. Where pods are assumed, addresses are nobody's choice: only their number, ports
 * and zones count.
 */
export function endpointsChange(
  before: readonly DescribedEndpoint[],
  after: readonly DescribedEndpoint[],
): EndpointsChange | undefined {
  const isAssumed = [...before, ...after].some(({ assumed }) => assumed);
  const nameOf = (endpoint: DescribedEndpoint) =>
    isAssumed ? `${endpoint.port} ${endpoint.zone}` : endpointText(endpoint);
  const lost = without(before.map(nameOf), after.map(nameOf));
  const gained = without(after.map(nameOf), before.map(nameOf));
  if (lost.length === 0 && gained.length === 0) return undefined;
  const zones = zonesOf(before, after);
  return {
    before: before.length,
    after: after.length,
    lost: isAssumed ? [] : lost,
    gained: isAssumed ? [] : gained,
    ...(zones.some(({ zone }) => zone !== "") ? { zones } : {}),
  };
}

/** `1/3`; empty: no endpoint is used. */
export function shareText(count: number): string {
  return count === 0 ? "" : count === 1 ? "all" : `1/${count}`;
}

/** Names in one line; a Service may have thousands of endpoints. */
const SHOWN = 3;

/** `loses 1 of 3 endpoints (10.244.1.5:8080): each of the other 2 gets 1/2 instead of 1/3`. */
export function endpointsText(change: EndpointsChange): string {
  const { before, after, lost, gained, zones = [] } = change;
  const parts: string[] = [];
  const names = (list: readonly string[]) => {
    if (list.length === 0) return "";
    const more = list.length > SHOWN ? ` and ${list.length - SHOWN} more` : "";
    return ` (${list.slice(0, SHOWN).join(", ")}${more})`;
  };
  const losses = lost.length > 0 ? lost.length : Math.max(before - after, 0);
  const gains = gained.length > 0 ? gained.length : Math.max(after - before, 0);
  if (losses > 0) parts.push(`loses ${losses} of ${plural(before, "endpoint")}${names(lost)}`);
  if (gains > 0) parts.push(`gains ${plural(gains, "endpoint")}${names(gained)}`);
  if (parts.length === 0) parts.push(`sends to ${plural(after, "endpoint")} on other ports or in other zones`);
  if (before !== after) {
    const who = after === 1 ? "the one that is left" : "each";
    parts.push(`${who} gets ${shareText(after)} of the traffic instead of ${shareText(before)}`);
  }
  const changed = zones.filter((each) => each.before !== each.after);
  if (changed.length > 0) {
    const text = changed.map(({ zone, before, after }) => `${zone === "" ? "no zone" : zone} ${before} → ${after}`);
    parts.push(`by zone: ${text.join(", ")}`);
  }
  return parts.join("; ");
}

/** What is in `list` more often than in `others`, sorted. */
function without(list: readonly string[], others: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const each of others) counts.set(each, (counts.get(each) ?? 0) + 1);
  return list
    .filter((each) => {
      const count = counts.get(each) ?? 0;
      if (count > 0) counts.set(each, count - 1);
      return count === 0;
    })
    .sort();
}

function zonesOf(before: readonly DescribedEndpoint[], after: readonly DescribedEndpoint[]): ZoneChange[] {
  const count = (list: readonly DescribedEndpoint[], wanted: string) =>
    list.filter(({ zone }) => zone === wanted).length;
  const zones = [...new Set([...before, ...after].map(({ zone }) => zone))].sort();
  return zones.map((zone) => ({ zone, before: count(before, zone), after: count(after, zone) }));
}
