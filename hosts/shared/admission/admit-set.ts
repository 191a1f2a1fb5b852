// All objects that were read, as a cluster would have them; what it would refuse is left out, and said.
import { type Diagnostic, placeText } from "../diagnostics.ts";
import type { Input } from "../manifests/input.ts";
import type { ManifestSet, SetObject } from "../manifests/manifest-set.ts";
import { type Fields, fieldsOf, listOf, textOf } from "../manifests/objects.ts";
import { objectsIn, textAt } from "../manifests/scan.ts";
import { type Admitted, admitEndpointSlice, admitService, hasBeenSeen, isAdmitted } from "./admit.ts";
import type { Cause } from "./causes.ts";
import type { ClusterSettings } from "./cluster-settings.ts";
import { familyOf } from "./ip-families.ts";
import type { IPFamily, Service, ServiceSpec } from "./objects.ts";
import { type Owner, Taken } from "./taken.ts";

/**
 * Gives objects that no API server has seen their defaults, and leaves out those that one would refuse. What a cluster
 * sent stays as it is, and keeps its addresses and ports; of the rest the first one gets them.
 * @param settings ServiceCIDRs among the objects go before its own
 */
export function* admitSet(set: ManifestSet, settings: ClusterSettings): Generator<Diagnostic> {
  const found: SetObject[] = [];
  const taken = new Taken();
  const serviceCIDRs: string[] = [];
  let families: readonly IPFamily[] | undefined;
  for (const object of set.objects(mayHoldNewObjects)) {
    if (object.isEvent) continue;
    const { apiVersion, kind, name, fields } = object;
    if (kind === "ServiceCIDR") {
      const cidrs = listOf(fieldsOf(fields.spec).cidrs).map(textOf);
      serviceCIDRs.push(...cidrs);
      if (name === DEFAULT_SERVICE_CIDR) families = cidrs.map(familyOf);
    }
    if (!isAdmitted(apiVersion, kind)) continue;
    if (!hasBeenSeen(fieldsOf(fields.metadata))) found.push(object);
    else if (kind === "Service") taken.take(ownerOf(object), specOf(fields));
  }
  const known = families === undefined ? settings : { ...settings, families, serviceCIDRs };
  for (const object of found) {
    const isService = object.kind === "Service";
    const admitted = isService ? admitService(object.fields, known, taken) : admitEndpointSlice(object.fields, known);
    yield* said(object, admitted);
    if (admitted.object === undefined) {
      set.leaveOut(object);
      continue;
    }
    set.replace(object, admitted.object);
    if (isService) taken.take(ownerOf(object), (admitted.object as unknown as Service).spec);
  }
}

/** The one that every cluster has, in the order of its families; others add to it. */
const DEFAULT_SERVICE_CIDR = "kubernetes";

/** A larger file is a cluster's, or it is not: its first object tells. To look at each takes longer than to make the rules. */
const LARGE = 8_000_000;

export function mayHoldNewObjects({ json }: Input): boolean {
  if (json.length <= LARGE) return true;
  for (const { start } of objectsIn(json)) {
    const [uid, resourceVersion] = ["uid", "resourceVersion"].map((name) => textAt(json, start, ["metadata", name]));
    return !hasBeenSeen({ uid, resourceVersion });
  }
  return false;
}

/** What it has taken, as far as it can be read: a server has sent it. A dump has thousands, so it is not decoded. */
function specOf(fields: Fields): ServiceSpec {
  const spec = fieldsOf(fields.spec);
  const { healthCheckNodePort } = spec;
  const clusterIPs = listOf(spec.clusterIPs).map(textOf);
  return {
    type: textOf(spec.type),
    clusterIPs: clusterIPs.length > 0 ? clusterIPs : [textOf(spec.clusterIP)],
    externalTrafficPolicy: textOf(spec.externalTrafficPolicy),
    ...(typeof healthCheckNodePort === "number" ? { healthCheckNodePort } : {}),
    ports: listOf(spec.ports).map((port) => {
      const { nodePort } = fieldsOf(port);
      return typeof nodePort === "number" ? { nodePort } : {};
    }),
  };
}

function ownerOf(object: SetObject): Owner {
  const namespace = object.namespace === "" ? "default" : object.namespace;
  const key = `${namespace}/${object.name}`;
  return { key, shown: () => `Service ${key} at ${placeText(object.about("note", "", "", "", ""))}` };
}

function* said(object: SetObject, { causes, warnings }: Admitted): Generator<Diagnostic> {
  for (const [index, cause] of causes.entries()) {
    const about = (hint: string) =>
      object.aboutValue("error", codeOf(cause), ownField(cause.field, object), cause.message, hint);
    const hint = cause.hint ?? (index === 0 ? `Kubernetes refuses the ${object.kind}: it is left out` : "");
    // The file may know better, as of an unquoted yes.
    const found = cause.reason === "FieldValueTypeInvalid" ? about("") : about(hint);
    yield found.hint === "" ? about(hint) : found;
  }
  for (const { field, text, hint = "" } of warnings) {
    yield object.aboutValue("warning", "kubernetes-warns", ownField(field, object), withoutField(text, field), hint);
  }
}

/** `FieldValueInvalid` → `field-value-invalid`; of a wrong type, the engine's code for it. */
function codeOf({ reason }: Cause): string {
  if (reason === "FieldValueTypeInvalid") return "wrong-type";
  return reason.replace(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase();
}

/** As it stands in the file: the server spells one in its own way, and reads `clusterIP` as `clusterIPs`. */
function ownField(field: string, { fields }: SetObject): string {
  if (field.startsWith("spec.clusterIPs") && listOf(fieldsOf(fields.spec).clusterIPs).length === 0)
    return "spec.clusterIP";
  return field.replace("spec.LoadBalancerSourceRanges", "spec.loadBalancerSourceRanges");
}

/** The field stands before the text anyway. Of a slice the server writes it as if it had a spec. */
function withoutField(text: string, field: string): string {
  const written = [field, `spec.${field}`].find((each) => text.toLowerCase().startsWith(each.toLowerCase()));
  return written === undefined ? text : text.slice(written.length).replace(/^:? /, "");
}
