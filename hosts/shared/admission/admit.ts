// What an API server makes of an object that it sees for the first time, or why it refuses it.
import type { Fields } from "../manifests/objects.ts";
import { type ClusterSettings, defaultSettings } from "./cluster-settings.ts";
import { decode, type WrongType } from "./decode.ts";
import { dropUnanswered, setEndpointSliceDefaults, setServiceDefaults } from "./defaults.ts";
import { setClusterIPs, setIPFamilies, setIPFamilyPolicy } from "./ip-families.ts";
import type { EndpointSlice, Service } from "./objects.ts";
import { endpointSliceSchema, serviceSchema } from "./schema.ts";

/** One of the causes in the Status of a 422, with the server's own field paths and words. */
export interface Cause {
  readonly reason:
    | "FieldValueDuplicate"
    | "FieldValueForbidden"
    | "FieldValueInvalid"
    | "FieldValueNotSupported"
    | "FieldValueRequired"
    | "FieldValueTooLong"
    | "FieldValueTooMany"
    | "FieldValueTypeInvalid"
    | "InternalError";
  /** As `spec.ports[0].port`. */
  readonly field: string;
  readonly message: string;
}

/** A Warning header of the answer. */
export interface Warning {
  readonly field: string;
  /** As the server says it, mostly with the field's name in it. */
  readonly text: string;
}

export interface Admitted {
  /** The object as it would be stored, but for what the server itself chooses: uid, addresses, ports. Undefined: refused. */
  readonly object: Fields | undefined;
  /** Why it is refused. Empty if it is not. */
  readonly causes: readonly Cause[];
  readonly warnings: readonly Warning[];
}

/** What admission looks at. Other kinds, and other versions of these, pass. */
export function isAdmitted(apiVersion: string, kind: string): boolean {
  return kind === "Service" ? apiVersion === "v1" : kind === "EndpointSlice" && apiVersion === "discovery.k8s.io/v1";
}

/** An API server has seen the object, so it has all defaults, and whatever is wrong with it was accepted. */
export function hasBeenSeen(metadata: { readonly uid?: unknown; readonly resourceVersion?: unknown }): boolean {
  const isText = (value: unknown) => typeof value === "string" && value !== "";
  return isText(metadata.uid) || isText(metadata.resourceVersion);
}

/** Of a Service (v1) that no server has seen. `object` is left as it is. A status that it has is kept. */
export function admitService(object: Fields, settings: ClusterSettings = defaultSettings): Admitted {
  const wrong: WrongType[] = [];
  const service = decode(object, serviceSchema, "", wrong) as unknown as Service;
  if (wrong.length > 0) return refused(wrong.map(typeCause));
  setNamespace(service);
  setServiceDefaults(service);
  setClusterIPs(service);
  setIPFamilyPolicy(service);
  setIPFamilies(service, settings);
  dropUnanswered(service);
  return { object: service as unknown as Fields, causes: [], warnings: [] };
}

/** Of an EndpointSlice (discovery.k8s.io/v1) that no server has seen. */
export function admitEndpointSlice(object: Fields, _settings: ClusterSettings = defaultSettings): Admitted {
  const wrong: WrongType[] = [];
  const slice = decode(object, endpointSliceSchema, "", wrong) as unknown as EndpointSlice;
  if (wrong.length > 0) return refused(wrong.map(typeCause));
  setNamespace(slice);
  setEndpointSliceDefaults(slice);
  return { object: slice as unknown as Fields, causes: [], warnings: [] };
}

/** Of kubectl's context, if nothing else is said there. */
function setNamespace({ metadata }: Service | EndpointSlice): void {
  metadata.namespace ??= "default";
}

function refused(causes: readonly Cause[], warnings: readonly Warning[] = []): Admitted {
  return { object: undefined, causes, warnings };
}

function typeCause({ field, expected, found }: WrongType): Cause {
  const what = Array.isArray(found) ? "an array" : typeof found === "object" ? "an object" : JSON.stringify(found);
  return { reason: "FieldValueTypeInvalid", field, message: `expected ${expected}, found ${what}` };
}
