// Topology hints as the EndpointSlice controller gives them for a Service's trafficDistribution (endpointslice/trafficdist).
import type { Fields } from "../manifests/objects.ts";

/** Undefined: none. */
export function hintsFor(trafficDistribution: unknown, nodeName: string, zone: string): Fields | undefined {
  const forZones = zone === "" ? {} : { forZones: [{ name: zone }] };
  switch (trafficDistribution) {
    case "PreferClose":
    case "PreferSameZone":
      return zone === "" ? undefined : forZones;
    case "PreferSameNode":
      return { ...forZones, forNodes: [{ name: nodeName }] };
    default:
      return undefined;
  }
}
