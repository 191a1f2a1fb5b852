// EndpointSlices of an Endpoints object that somebody has written for a Service without a selector, as the
// EndpointSliceMirroring controller makes them. They are derived, not assumed.
import { parseAddress } from "../cidr.ts";
import type { AddressFamily } from "../describe.ts";
import { type Fields, fieldsOf, listOf, type ManifestObject, textOf } from "../manifests/objects.ts";
import { labelsOf, namespaceOf } from "./objects.ts";

const SKIP = "endpointslice.kubernetes.io/skip-mirror";
const LEADER = "control-plane.alpha.kubernetes.io/leader";
/** Addresses of one subset that are mirrored, in each family (--mirroring-max-endpoints-per-subset). */
const MOST_ADDRESSES = 1_000;

/** Those that are mirrored: neither somebody's lock, nor excluded by a label. */
export function isMirrored({ fields }: ManifestObject): boolean {
  const annotations = fieldsOf(fieldsOf(fields.metadata).annotations);
  return labelsOf(fields.metadata)[SKIP] !== "true" && !Object.hasOwn(annotations, LEADER);
}

export function mirroredSlices(endpoints: ManifestObject): Fields[] {
  const slices: Fields[] = [];
  for (const subset of listOf(endpoints.fields.subsets).map(fieldsOf)) {
    const ports = listOf(subset.ports).map(fieldsOf).map(slicePort);
    for (const family of ["IPv4", "IPv6"] as const) {
      const found = [
        ...sliceEndpoints(subset.addresses, true, family),
        ...sliceEndpoints(subset.notReadyAddresses, false, family),
      ];
      if (found.length > 0)
        slices.push(slice(endpoints, family, ports, found.slice(0, MOST_ADDRESSES), slices.length + 1));
    }
  }
  return slices;
}

function slicePort({ name, port, protocol, appProtocol }: Fields): Fields {
  return {
    name: textOf(name),
    port,
    protocol: textOf(protocol) || "TCP",
    ...(appProtocol === undefined ? {} : { appProtocol }),
  };
}

function sliceEndpoints(addresses: unknown, ready: boolean, family: AddressFamily): Fields[] {
  return listOf(addresses)
    .map(fieldsOf)
    .filter(({ ip }) => parseAddress(textOf(ip))?.family === family)
    .map(({ ip, nodeName, hostname, targetRef }) => ({
      addresses: [ip],
      conditions: { ready, serving: ready },
      ...(nodeName === undefined ? {} : { nodeName }),
      ...(hostname === undefined ? {} : { hostname }),
      ...(targetRef === undefined ? {} : { targetRef }),
    }));
}

function slice(
  endpoints: ManifestObject,
  addressType: AddressFamily,
  ports: readonly Fields[],
  found: readonly Fields[],
  number: number,
): Fields {
  const metadata = {
    namespace: namespaceOf(endpoints),
    name: `${endpoints.name}-mirrored-${number}`,
    labels: { "kubernetes.io/service-name": endpoints.name },
  };
  return { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", metadata, addressType, ports, endpoints: found };
}
