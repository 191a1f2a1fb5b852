// Which object and field cause the lines that a layout is about to write.
import { PortRecord } from "../cluster/records";
import { alsoOwnedBy, Field, OwnerKind, ownedBy } from "../encodings/owners";
import { RoutedEndpoint } from "../routing/endpoints";
import { Claim, EntryPoint } from "../routing/keys";
import { FamilyPort } from "../routing/service-ports";

/** The field that an entry point comes from. */
export function ownClaim(claim: Claim): void {
  const entryPoint = claim.entryPoint;
  const field =
    entryPoint == EntryPoint.CLUSTER_IP
      ? Field.CLUSTER_IP
      : entryPoint == EntryPoint.EXTERNAL_IP
        ? Field.EXTERNAL_IP
        : entryPoint == EntryPoint.LOAD_BALANCER_IP
          ? Field.INGRESS
          : Field.NODE_PORT;
  ownedBy(OwnerKind.SERVICE, changetype<usize>(claim.port.port.service), field, claim.index);
}

/** The service port itself. */
export function ownPort(port: FamilyPort): void {
  const index = changetype<PortRecord>(port.port.record).index;
  ownedBy(OwnerKind.SERVICE, changetype<usize>(port.port.service), Field.PORT, index);
}

/** A field of the Service. */
export function ownField(port: FamilyPort, field: u32): void {
  ownedBy(OwnerKind.SERVICE, changetype<usize>(port.port.service), field, 0);
}

export function ownEndpoint(endpoint: RoutedEndpoint): void {
  ownedBy(OwnerKind.ENDPOINT_SLICE, changetype<usize>(endpoint.slice), Field.ENDPOINT, endpoint.record.index);
}

export function alsoEndpoint(endpoint: RoutedEndpoint): void {
  alsoOwnedBy(OwnerKind.ENDPOINT_SLICE, changetype<usize>(endpoint.slice), Field.ENDPOINT, endpoint.record.index);
}

/** An option of KubeProxyConfiguration. */
export function ownOption(field: u32): void {
  ownedBy(OwnerKind.OPTION, 0, field, 0);
}
