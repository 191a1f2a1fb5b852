// All objects that were read, as a cluster would have them; what it would refuse is left out, and said.
import type { Diagnostic } from "../diagnostics.ts";
import type { Input } from "../manifests/input.ts";
import type { ManifestSet, SetObject } from "../manifests/manifest-set.ts";
import { fieldsOf } from "../manifests/objects.ts";
import { objectsIn, textAt } from "../manifests/scan.ts";
import { type Admitted, admitEndpointSlice, admitService, hasBeenSeen, isAdmitted } from "./admit.ts";
import type { Cause } from "./causes.ts";
import type { ClusterSettings } from "./cluster-settings.ts";

/**
 * Gives objects that no API server has seen their defaults, and leaves out those that one would refuse. What a cluster
 * sent stays as it is.
 */
export function* admitSet(set: ManifestSet, settings: ClusterSettings): Generator<Diagnostic> {
  for (const object of set.objects(mayHoldNewObjects)) {
    if (object.isEvent || !isAdmitted(object.apiVersion, object.kind)) continue;
    if (hasBeenSeen(fieldsOf(object.fields.metadata))) continue;
    const admitted = (object.kind === "Service" ? admitService : admitEndpointSlice)(object.fields, settings);
    if (admitted.object === undefined) set.leaveOut(object);
    else set.replace(object, admitted.object);
    yield* said(object, admitted);
  }
}

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

function* said(object: SetObject, { causes, warnings }: Admitted): Generator<Diagnostic> {
  for (const cause of causes) {
    const field = ownField(cause.field);
    yield object.about("error", codeOf(cause), field, cause.message, "Kubernetes refuses it, so it is left out");
  }
  for (const { field, text } of warnings) {
    yield object.about("warning", "kubernetes-warns", field, withoutField(text, field), "");
  }
}

/** `FieldValueInvalid` → `field-value-invalid` */
function codeOf({ reason }: Cause): string {
  return reason.replace(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase();
}

/** The server spells this one in its own way. */
function ownField(field: string): string {
  return field.replace("spec.LoadBalancerSourceRanges", "spec.loadBalancerSourceRanges");
}

/** The field stands before the text anyway. */
function withoutField(text: string, field: string): string {
  return text.toLowerCase().startsWith(field.toLowerCase()) ? text.slice(field.length).replace(/^:? /, "") : text;
}
