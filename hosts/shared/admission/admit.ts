// What an API server makes of an object that it sees for the first time, or why it refuses it.
import type { Fields } from "../manifests/objects.ts";
import { type Cluster, shareNodePorts, validateAllocations } from "./allocation.ts";
import { type Cause, Causes } from "./causes.ts";
import { validateClusterIPs, validateConfiguredFamilies, validateFamilyPolicy } from "./cluster-ip-validation.ts";
import { defaultSettings } from "./cluster-settings.ts";
import { decode, type WrongType } from "./decode.ts";
import { setEndpointSliceDefaults, setServiceDefaults } from "./defaults.ts";
import { endpointSliceWarnings, validateEndpointSlice } from "./endpoint-slice-validation.ts";
import { setClusterIPs, setIPFamilies, setIPFamilyPolicy } from "./ip-families.ts";
import type { EndpointSlice, Service } from "./objects.ts";
import { endpointSliceSchema, serviceSchema } from "./schema.ts";
import { validateService } from "./service-validation.ts";
import { serviceWarnings } from "./service-warnings.ts";
import { Taken } from "./taken.ts";
import type { Warning } from "./warning.ts";

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

/**
 * Of a Service (v1) that no server has seen. `object` is left as it is. A status that it has is kept.
 * @param taken what other Services have; the Service takes nothing
 */
export function admitService(object: Fields, settings = defaultSettings, taken = new Taken()): Admitted {
  const wrong: WrongType[] = [];
  const service = decode(object, serviceSchema, "", wrong) as unknown as Service;
  if (wrong.length > 0) return refused(wrong.map(typeCause));
  const { spec } = service;
  setNamespace(service);
  setServiceDefaults(service);
  setClusterIPs(service);
  const causes = new Causes();
  // As the server: where one of these finds something, it looks no further.
  const cluster = { settings, taken };
  for (const step of steps) {
    step(service, cluster, causes);
    if (causes.list.length > 0) return refused(causes.list);
  }
  if (spec.type === "ExternalName") delete spec.internalTrafficPolicy;
  return accepted(service, [...serviceWarnings(service, settings.kubeVersion)]);
}

const steps: readonly ((service: Service, cluster: Cluster, causes: Causes) => void)[] = [
  (service, { settings }, causes) => {
    if (service.spec.type === "ExternalName") return;
    setIPFamilyPolicy(service);
    validateClusterIPs(service.spec, settings, causes);
  },
  ({ spec }, _cluster, causes) => {
    if (spec.type !== "ExternalName") validateFamilyPolicy(spec, causes);
  },
  ({ spec }, { settings }, causes) => {
    if (spec.type !== "ExternalName") validateConfiguredFamilies(spec, settings, causes);
  },
  (service, cluster, causes) => {
    setIPFamilies(service, cluster.settings);
    shareNodePorts(service.spec);
    const { namespace = "", name = "" } = service.metadata;
    validateAllocations(service.spec, `${namespace}/${name}`, cluster, causes);
  },
  (service, { settings }, causes) => validateService(service, settings, causes),
];

/** Of an EndpointSlice (discovery.k8s.io/v1) that no server has seen. */
export function admitEndpointSlice(object: Fields, { kubeVersion } = defaultSettings): Admitted {
  const wrong: WrongType[] = [];
  const slice = decode(object, endpointSliceSchema, "", wrong) as unknown as EndpointSlice;
  if (wrong.length > 0) return refused(wrong.map(typeCause));
  setNamespace(slice);
  setEndpointSliceDefaults(slice);
  const causes = new Causes();
  validateEndpointSlice(slice, kubeVersion, causes);
  return causes.list.length > 0
    ? refused(causes.list)
    : accepted(slice, [...endpointSliceWarnings(slice, kubeVersion)]);
}

/** Of kubectl's context, if nothing else is said there. */
function setNamespace({ metadata }: Service | EndpointSlice): void {
  metadata.namespace ??= "default";
}

function accepted(object: Service | EndpointSlice, warnings: readonly Warning[]): Admitted {
  return { object: object as unknown as Fields, causes: [], warnings };
}

function refused(causes: readonly Cause[]): Admitted {
  return { object: undefined, causes, warnings: [] };
}

function typeCause({ field, expected, found }: WrongType): Cause {
  const text = JSON.stringify(found);
  const isText = typeof found === "string";
  const what = Array.isArray(found)
    ? "an array"
    : typeof found === "object"
      ? "an object"
      : isText
        ? `the string ${text}`
        : text;
  return {
    reason: "FieldValueTypeInvalid",
    field,
    message: `expected ${expected}, found ${what}`,
    hint: `write ${expected}`,
  };
}
