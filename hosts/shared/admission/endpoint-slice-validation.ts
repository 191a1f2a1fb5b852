// What is wrong with an EndpointSlice (Kubernetes 1.37: pkg/apis/discovery/validation). Ports out of range are taken, as a
// real server takes them.
import type { KubeVersion } from "../config/kube-version.ts";
import { addressWarnings, againstAddress, againstForm, againstSpecialAddress } from "./addresses.ts";
import type { Causes } from "./causes.ts";
import { familyOf } from "./ip-families.ts";
import { validateMetadata } from "./metadata-validation.ts";
import { againstLabel, againstLabelValue, againstQualifiedName, againstSubdomain } from "./names.ts";
import type { Endpoint, EndpointPort, EndpointSlice } from "./objects.ts";
import type { Warning } from "./warning.ts";

const MANAGED_BY = "endpointslice.kubernetes.io/managed-by";
/** What these write is trusted. */
const controllers = ["endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io"];

const MOST = { endpoints: 1000, addresses: 100, ports: 20_000, hints: 8 };

export function validateEndpointSlice(slice: EndpointSlice, version: KubeVersion, causes: Causes): void {
  validateMetadata(slice.metadata, againstSubdomain, causes);
  validatePorts(slice.ports ?? [], causes);
  const { addressType = "" } = slice;
  const endpoints = slice.endpoints ?? [];
  if (endpoints.length > MOST.endpoints) causes.tooMany("endpoints", endpoints.length, MOST.endpoints);
  for (const [index, endpoint] of endpoints.slice(0, MOST.endpoints).entries()) {
    validateEndpoint(endpoint, addressType, `endpoints[${index}]`, version, causes);
  }
  const supported = ["FQDN", "IPv4", "IPv6"];
  if (addressType === "") causes.required("addressType");
  else if (!supported.includes(addressType)) causes.notSupported("addressType", addressType, supported);
}

function validatePorts(ports: readonly EndpointPort[], causes: Causes): void {
  if (ports.length > MOST.ports) {
    causes.tooMany("ports", ports.length, MOST.ports);
    return;
  }
  const names = new Set<string>();
  for (const [index, { name = "", protocol = "", appProtocol }] of ports.entries()) {
    const field = `ports[${index}]`;
    if (name !== "") causes.allInvalid(`${field}.name`, name, againstLabel(name));
    if (names.has(name)) causes.duplicate(`${field}.name`, name);
    names.add(name);
    const supported = ["SCTP", "TCP", "UDP"];
    if (!supported.includes(protocol)) causes.notSupported(`${field}.protocol`, protocol, supported);
    if (appProtocol !== undefined) {
      causes.allInvalid(`${field}.appProtocol`, appProtocol, againstQualifiedName(appProtocol));
    }
  }
}

function validateEndpoint(
  { addresses, hostname, nodeName, hints }: Endpoint,
  addressType: string,
  field: string,
  version: KubeVersion,
  causes: Causes,
): void {
  const given = addresses ?? [];
  if (given.length === 0) causes.required(`${field}.addresses`);
  if (given.length > MOST.addresses) causes.tooMany(`${field}.addresses`, given.length, MOST.addresses);
  for (const [index, address] of given.entries()) {
    validateAddress(address, addressType, `${field}.addresses`, index, version, causes);
  }
  if (nodeName !== undefined) causes.allInvalid(`${field}.nodeName`, nodeName, againstSubdomain(nodeName));
  if (hostname !== undefined) causes.allInvalid(`${field}.hostname`, hostname, againstLabel(hostname));
  if (hints === undefined) return;
  // The server looks no further where there are too many.
  if (!validateHints(hints.forZones ?? [], `${field}.hints.forZones`, againstLabelValue, causes)) return;
  validateHints(hints.forNodes ?? [], `${field}.hints.forNodes`, againstSubdomain, causes);
}

function validateAddress(
  address: string,
  addressType: string,
  field: string,
  index: number,
  version: KubeVersion,
  causes: Causes,
): void {
  const itsField = `${field}[${index}]`;
  if (addressType === "FQDN") {
    validateFullyQualifiedName(itsField, address, causes);
  } else if (addressType === "IPv4" || addressType === "IPv6") {
    const why =
      againstAddress(address, version) ?? (addressType === "IPv6" ? againstForm(address, version) : undefined);
    if (why !== undefined) {
      causes.invalid(itsField, address, why);
      return;
    }
    // The server names the list here, not its item.
    if (familyOf(address) !== addressType) causes.invalid(field, address, `must be an ${addressType} address`);
    causes.allInvalid(itsField, address, againstSpecialAddress(address));
  }
}

function validateFullyQualifiedName(field: string, text: string, causes: Causes): void {
  if (text === "") {
    causes.required(field);
    return;
  }
  const name = text.endsWith(".") ? text.slice(0, -1) : text;
  const labels = name.split(".");
  const wrongLabel = labels.find((label) => [...againstLabel(label)].length > 0);
  const reasons = [...againstSubdomain(name)];
  if (reasons.length > 0) causes.invalid(field, name, reasons.join(","));
  else if (labels.length < 2)
    causes.invalid(field, name, "should be a domain with at least two segments separated by dots");
  else if (wrongLabel !== undefined) causes.invalid(field, wrongLabel, [...againstLabel(wrongLabel)].join(","));
}

/** False: there are too many. */
function validateHints(
  hints: readonly { readonly name?: string }[],
  field: string,
  againstName: (name: string) => Iterable<string>,
  causes: Causes,
): boolean {
  if (hints.length > MOST.hints) {
    causes.tooMany(field, hints.length, MOST.hints);
    return false;
  }
  const names = new Set<string>();
  for (const [index, { name = "" }] of hints.entries()) {
    if (names.has(name)) causes.duplicate(`${field}[${index}].name`, name);
    names.add(name);
    causes.allInvalid(`${field}[${index}].name`, name, againstName(name));
  }
  return true;
}

/** In the order of the server's Warning headers. */
export function* endpointSliceWarnings(slice: EndpointSlice, version: KubeVersion): Generator<Warning> {
  if (slice.addressType === "FQDN") {
    const hint = "no rule leads to names: use IPv4 or IPv6";
    yield { field: "addressType", text: "spec.addressType: FQDN endpoints are deprecated", hint };
  }
  if (controllers.includes(slice.metadata.labels?.[MANAGED_BY] ?? "")) return;
  for (const [index, { addresses }] of (slice.endpoints ?? []).entries()) {
    for (const [which, address] of (addresses ?? []).entries()) {
      yield* addressWarnings(`endpoints[${index}].addresses[${which}]`, address, version);
    }
  }
}
