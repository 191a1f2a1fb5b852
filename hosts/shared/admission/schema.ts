// The fields of Service and EndpointSlice with their types, as Kubernetes 1.37 has them; a test holds them against the API
// server's recorded schemas. What is optional in Go's sense (a pointer) keeps its zero value, all else loses it.

export type Schema =
  | { readonly type: "text" | "number" | "boolean"; readonly keepsZero: boolean }
  /** `isPart`: it is there in every object, if only as `{}`. */
  | { readonly type: "object"; readonly fields: Readonly<Record<string, Schema>>; readonly isPart: boolean }
  /** `isPart`: it is there in every object, if only as null. */
  | { readonly type: "list"; readonly of: Schema; readonly isPart: boolean }
  /** Texts by name: labels. */
  | { readonly type: "map" }
  /** A port's number or its name. */
  | { readonly type: "port" }
  /** Nobody looks at it. */
  | { readonly type: "any" };

type SchemaOf<T extends Schema["type"]> = Extract<Schema, { type: T }>;

const text: Schema = { type: "text", keepsZero: false };
const optionalText: Schema = { type: "text", keepsZero: true };
const number: Schema = { type: "number", keepsZero: false };
const optionalNumber: Schema = { type: "number", keepsZero: true };
const truth: Schema = { type: "boolean", keepsZero: false };
const optionalTruth: Schema = { type: "boolean", keepsZero: true };
const map: Schema = { type: "map" };
const port: Schema = { type: "port" };
const any: Schema = { type: "any" };

function part(fields: Record<string, Schema>): SchemaOf<"object"> {
  return { type: "object", fields, isPart: true };
}

function optional(fields: Record<string, Schema>): Schema {
  return { type: "object", fields, isPart: false };
}

function list(of: Schema): Schema {
  return { type: "list", of, isPart: false };
}

function partList(of: Schema): Schema {
  return { type: "list", of, isPart: true };
}

const metadata = part({
  name: text,
  generateName: text,
  namespace: text,
  selfLink: text,
  uid: text,
  resourceVersion: text,
  generation: number,
  creationTimestamp: any,
  deletionTimestamp: any,
  deletionGracePeriodSeconds: optionalNumber,
  labels: map,
  annotations: map,
  ownerReferences: list(
    optional({
      apiVersion: optionalText,
      kind: optionalText,
      name: optionalText,
      uid: optionalText,
      controller: optionalTruth,
      blockOwnerDeletion: optionalTruth,
    }),
  ),
  finalizers: list(text),
  managedFields: list(
    optional({
      manager: text,
      operation: text,
      apiVersion: text,
      time: any,
      fieldsType: text,
      fieldsV1: any,
      subresource: text,
    }),
  ),
});

export const serviceSchema: SchemaOf<"object"> = part({
  apiVersion: text,
  kind: text,
  metadata,
  spec: part({
    ports: list(
      optional({
        name: text,
        protocol: text,
        appProtocol: optionalText,
        port: optionalNumber,
        targetPort: port,
        nodePort: number,
      }),
    ),
    selector: map,
    clusterIP: text,
    clusterIPs: list(text),
    type: text,
    externalIPs: list(optionalText),
    sessionAffinity: text,
    loadBalancerIP: text,
    loadBalancerSourceRanges: list(optionalText),
    externalName: text,
    externalTrafficPolicy: text,
    healthCheckNodePort: number,
    publishNotReadyAddresses: truth,
    sessionAffinityConfig: optional({ clientIP: optional({ timeoutSeconds: optionalNumber }) }),
    ipFamilies: list(optionalText),
    ipFamilyPolicy: optionalText,
    allocateLoadBalancerNodePorts: optionalTruth,
    loadBalancerClass: optionalText,
    internalTrafficPolicy: optionalText,
    trafficDistribution: optionalText,
  }),
  status: part({
    loadBalancer: part({
      ingress: list(
        optional({
          ip: text,
          hostname: text,
          ipMode: optionalText,
          ports: list(optional({ port: optionalNumber, protocol: optionalText, error: optionalText })),
        }),
      ),
    }),
    conditions: list(
      optional({
        type: optionalText,
        status: optionalText,
        observedGeneration: number,
        lastTransitionTime: any,
        reason: optionalText,
        message: optionalText,
      }),
    ),
  }),
});

export const endpointSliceSchema: SchemaOf<"object"> = part({
  apiVersion: text,
  kind: text,
  metadata,
  addressType: optionalText,
  endpoints: partList(
    optional({
      addresses: partList(optionalText),
      conditions: part({ ready: optionalTruth, serving: optionalTruth, terminating: optionalTruth }),
      hostname: optionalText,
      targetRef: optional({
        kind: text,
        namespace: text,
        name: text,
        uid: text,
        apiVersion: text,
        resourceVersion: text,
        fieldPath: text,
      }),
      deprecatedTopology: map,
      nodeName: optionalText,
      zone: optionalText,
      hints: optional({
        forZones: list(optional({ name: optionalText })),
        forNodes: list(optional({ name: optionalText })),
      }),
    }),
  ),
  ports: partList(
    optional({ name: optionalText, protocol: optionalText, port: optionalNumber, appProtocol: optionalText }),
  ),
});
