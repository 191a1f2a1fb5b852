// What each Service of a side is made of, by digest: those that are the same on both sides look the same from every node, unless they
// claim what a changed one claims. So only the others have to be looked at from all nodes.
import { createHash } from "node:crypto";
import { parseAddress } from "../../shared/cidr.ts";
import {
  type Fields,
  fieldsOf,
  isEndpointSlice,
  isService,
  listOf,
  type ManifestObject,
  textOf,
} from "../../shared/manifests/objects.ts";
import { snapshotObject } from "../../shared/snapshot/document.ts";

const SERVICE_NAME = "kubernetes.io/service-name";

export interface Content {
  /** `namespace/name` → its Service and EndpointSlices. */
  readonly services: ReadonlyMap<string, string>;
  /** Name → the Node. */
  readonly nodes: ReadonlyMap<string, string>;
  /** All else that the engine reads. */
  readonly rest: string;
  /** Address or node port → the Services that claim it, with whatever protocol and port. */
  readonly claims: ReadonlyMap<string, ReadonlySet<string>>;
}

/** The Service that an object is part of: itself, or the one of an EndpointSlice. Undefined: none. */
export function serviceOfObject(object: ManifestObject): string | undefined {
  const namespace = object.namespace || "default";
  if (isService(object)) return `${namespace}/${object.name}`;
  if (!isEndpointSlice(object)) return undefined;
  const name = textOf(fieldsOf(fieldsOf(object.fields.metadata).labels)[SERVICE_NAME]);
  return name === "" ? undefined : `${namespace}/${name}`;
}

/** Of what the engine reads, without what an API server counts: key order and formatting may tell two apart that are the same. */
function digestOf({ fields, kind, apiVersion }: ManifestObject): string {
  // Events and items of lists need not say their kind.
  const { metadata, ...kept } = snapshotObject({ ...fields, kind, apiVersion }) ?? fields;
  const { resourceVersion: _, ...rest } = fieldsOf(metadata);
  return createHash("sha256")
    .update(JSON.stringify([rest, kept]))
    .digest("base64");
}

function claimsOf(spec: Fields, status: Fields): string[] {
  const ingress = listOf(fieldsOf(status.loadBalancer).ingress).map((each) => fieldsOf(each).ip);
  const addresses = [spec.clusterIP, ...listOf(spec.clusterIPs), ...listOf(spec.externalIPs), ...ingress];
  const ports = [spec.healthCheckNodePort, ...listOf(spec.ports).map((port) => fieldsOf(port).nodePort)];
  return [
    ...addresses.map(textOf).flatMap((text) => {
      const address = parseAddress(text);
      return address === undefined ? [] : [`${address.family} ${address.value}`];
    }),
    ...ports.flatMap((port) => (typeof port === "number" ? [`port ${port}`] : [])),
  ];
}

export function contentOf(objects: Iterable<ManifestObject>): Content {
  const parts = new Map<string, string[]>();
  const nodes = new Map<string, string>();
  const rest: string[] = [];
  const claims = new Map<string, Set<string>>();
  for (const object of objects) {
    const digest = digestOf(object);
    const service = serviceOfObject(object);
    if (service !== undefined) {
      const known = parts.get(service);
      if (known === undefined) parts.set(service, [digest]);
      else known.push(digest);
      if (!isService(object)) continue;
      for (const claim of claimsOf(fieldsOf(object.fields.spec), fieldsOf(object.fields.status))) {
        const claimants = claims.get(claim) ?? new Set();
        claims.set(claim, claimants.add(service));
      }
    } else if (object.kind === "Node") {
      nodes.set(object.name, `${nodes.get(object.name) ?? ""}${digest}`);
    } else if (object.kind === "ServiceCIDR") rest.push(digest);
  }
  const services = new Map([...parts].map(([service, digests]) => [service, digests.sort().join(" ")]));
  return { services, nodes, rest: rest.sort().join(" "), claims };
}

/** Keys whose values differ, or that only one has. */
function differing(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): Set<string> {
  const found = new Set<string>();
  for (const [key, value] of a) if (b.get(key) !== value) found.add(key);
  for (const key of b.keys()) if (!a.has(key)) found.add(key);
  return found;
}

export interface ContentChange {
  /** Services that may look otherwise from some node. */
  readonly services: ReadonlySet<string>;
  /** Nodes from which any Service may look otherwise. */
  readonly nodes: ReadonlySet<string>;
}

/** Undefined: anything may look otherwise from anywhere. */
export function contentChange(base: Content, head: Content): ContentChange | undefined {
  if (base.rest !== head.rest) return undefined;
  const changed = differing(base.services, head.services);
  const claimants = new Map<string, Set<string>>();
  for (const { claims } of [base, head]) {
    for (const [claim, services] of claims)
      claimants.set(claim, new Set([...(claimants.get(claim) ?? []), ...services]));
  }
  const services = new Set(changed);
  for (const all of claimants.values()) {
    if ([...all].some((service) => changed.has(service))) for (const service of all) services.add(service);
  }
  return { services, nodes: differing(base.nodes, head.nodes) };
}
