// What `kubectl apply --dry-run=server -o yaml` writes where a cluster would have chosen: the first address of its service
// CIDR, and one node port for all, which no range has.
import { hasBeenSeen } from "../admission/admit.ts";
import type { Diagnostic } from "../diagnostics.ts";
import { fieldsOf, listOf, type ManifestObject, textOf } from "../manifests/objects.ts";

/** The first address of kubeadm's default CIDR. */
const DEFAULT_ADDRESS = "10.96.0.0";
const NODE_PORT = 32_769;
const HINT = "kubectl --dry-run=server writes it into all Services alike: take it out, or choose one yourself";

/** @param serviceCIDRs that are given, as `10.96.0.0/12` */
export function* placeholders(object: ManifestObject, serviceCIDRs: readonly string[]): Generator<Diagnostic> {
  const { clusterIP, clusterIPs, ports } = fieldsOf(object.fields.spec);
  const isFirst = (address: string): boolean =>
    address === DEFAULT_ADDRESS || serviceCIDRs.some((cidr) => cidr.slice(0, cidr.indexOf("/")) === address);
  const about = (field: string, what: string) =>
    object.about("warning", "dry-run-placeholder", field, `${what} is a placeholder; no cluster gives it out`, HINT);
  const addresses = listOf(clusterIPs);
  if (addresses.length === 0 && isFirst(textOf(clusterIP))) yield about("spec.clusterIP", textOf(clusterIP));
  for (const [index, address] of addresses.entries()) {
    if (isFirst(textOf(address))) yield about(`spec.clusterIPs[${index}]`, textOf(address));
  }
  // What no server has seen is refused for it.
  if (!hasBeenSeen(fieldsOf(object.fields.metadata))) return;
  for (const [index, port] of listOf(ports).entries()) {
    if (fieldsOf(port).nodePort === NODE_PORT) yield about(`spec.ports[${index}].nodePort`, `${NODE_PORT}`);
  }
}
