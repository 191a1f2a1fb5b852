// From where a cluster gives out the addresses of Services.

import { type Cidr, parseCidr } from "../cidr.ts";
import type { AddressFamily } from "../describe.ts";
import { fieldsOf, listOf, type ManifestObject, textOf } from "../manifests/objects.ts";

export interface ServiceRanges {
  readonly cidrs: Readonly<Record<AddressFamily, readonly Cidr[]>>;
  /** Of Services that don't say which family they want. */
  readonly primary: AddressFamily;
}

/** Written by the API server from its own options. */
const DEFAULT_SERVICE_CIDR = "kubernetes";

/**
 * ServiceCIDRs among the objects, and for a family that they leave out those of the option.
 * @param option in its order
 */
export function serviceRanges(objects: readonly ManifestObject[], option: readonly Cidr[]): ServiceRanges {
  const given = [...objects]
    .sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
    .flatMap((object) => listOf(fieldsOf(object.fields.spec).cidrs).map((text) => parseCidr(textOf(text))))
    .filter((cidr) => cidr !== undefined);
  const of = (family: AddressFamily) => {
    const own = given.filter((cidr) => cidr.family === family);
    return own.length > 0 ? own : option.filter((cidr) => cidr.family === family);
  };
  const isDefaultGiven = objects.some((object) => rank(object) === 0);
  const primary = (isDefaultGiven ? given[0] : undefined) ?? option[0] ?? given[0];
  return { cidrs: { IPv4: of("IPv4"), IPv6: of("IPv6") }, primary: primary?.family ?? "IPv4" };
}

function rank(object: ManifestObject): number {
  return object.name === DEFAULT_SERVICE_CIDR ? 0 : 1;
}
