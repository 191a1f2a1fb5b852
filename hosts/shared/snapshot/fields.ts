// The fields of Kubernetes objects that a snapshot holds, and what each one is, so that it can be redacted. Whatever is not named
// here is left out: environment variables, commands, volumes, images, Secrets' names, most annotations, managedFields.

/** What the value of a field is. */
export type Role =
  /** Says nothing of whose cluster it is: numbers, flags, enumerations, times, versions. */
  | "as-is"
  /** Of an object, a port, a zone, a host. */
  | "name"
  /** A port's number, or its name. */
  | "port"
  /** An IP address, or the name of a host. */
  | "address"
  | "cidr"
  | "uid"
  /** Kind or API version of another object: Kubernetes' own say nothing, others may. */
  | "type"
  | "label-key"
  | "label-value"
  /** All of a mapping from label-keys to label-values. */
  | "labels"
  /** Of a mapping, what `keptAnnotations` names. */
  | "annotations";

/** A field's role, the fields of an object, or what the items of a list are. */
export type Shape = Role | { readonly [field: string]: Shape } | readonly [Shape];

/** Annotations that decide where traffic goes. Their values are enumerations. */
export const keptAnnotations: ReadonlySet<string> = new Set([
  "service.kubernetes.io/topology-mode",
  "service.kubernetes.io/topology-aware-hints",
]);

const metadata = {
  name: "name",
  namespace: "name",
  uid: "uid",
  resourceVersion: "as-is",
  creationTimestamp: "as-is",
  deletionTimestamp: "as-is",
  labels: "labels",
  annotations: "annotations",
  ownerReferences: [{ apiVersion: "type", kind: "type", name: "name", uid: "uid", controller: "as-is" }],
} as const satisfies Shape;

export const service = {
  metadata,
  spec: {
    type: "as-is",
    clusterIP: "address",
    clusterIPs: ["address"],
    ipFamilies: ["as-is"],
    ipFamilyPolicy: "as-is",
    ports: [
      {
        name: "name",
        protocol: "as-is",
        appProtocol: "name",
        port: "as-is",
        targetPort: "port",
        nodePort: "as-is",
      },
    ],
    selector: "labels",
    sessionAffinity: "as-is",
    sessionAffinityConfig: { clientIP: { timeoutSeconds: "as-is" } },
    externalIPs: ["address"],
    externalName: "name",
    externalTrafficPolicy: "as-is",
    internalTrafficPolicy: "as-is",
    trafficDistribution: "as-is",
    healthCheckNodePort: "as-is",
    publishNotReadyAddresses: "as-is",
    allocateLoadBalancerNodePorts: "as-is",
    loadBalancerIP: "address",
    loadBalancerClass: "name",
    loadBalancerSourceRanges: ["cidr"],
  },
  status: {
    loadBalancer: {
      ingress: [
        {
          ip: "address",
          ipMode: "as-is",
          hostname: "name",
          ports: [{ port: "as-is", protocol: "as-is" }],
        },
      ],
    },
  },
} as const satisfies Shape;

export const endpointSlice = {
  metadata,
  addressType: "as-is",
  endpoints: [
    {
      addresses: ["address"],
      conditions: { ready: "as-is", serving: "as-is", terminating: "as-is" },
      hostname: "name",
      nodeName: "name",
      zone: "name",
      hints: { forZones: [{ name: "name" }], forNodes: [{ name: "name" }] },
      targetRef: { kind: "type", namespace: "name", name: "name", uid: "uid" },
    },
  ],
  ports: [{ name: "name", protocol: "as-is", appProtocol: "name", port: "as-is" }],
} as const satisfies Shape;

export const node = {
  metadata,
  spec: {
    podCIDR: "cidr",
    podCIDRs: ["cidr"],
    unschedulable: "as-is",
    taints: [{ key: "label-key", value: "label-value", effect: "as-is" }],
  },
  status: { addresses: [{ type: "as-is", address: "address" }] },
} as const satisfies Shape;

export const serviceCIDR = { metadata, spec: { cidrs: ["cidr"] } } as const satisfies Shape;

const selectorTerm = [{ key: "label-key", operator: "as-is", values: ["label-value"] }] as const satisfies Shape;
const labelSelector = { matchLabels: "labels", matchExpressions: selectorTerm } as const satisfies Shape;
const nodeSelectorTerm = {
  matchExpressions: selectorTerm,
  matchFields: [{ key: "as-is", operator: "as-is", values: ["name"] }],
} as const satisfies Shape;
const containerPorts = [{ name: "name", containerPort: "as-is", protocol: "as-is" }] as const satisfies Shape;

const podSpec = {
  nodeName: "name",
  hostNetwork: "as-is",
  restartPolicy: "as-is",
  nodeSelector: "labels",
  tolerations: [{ key: "label-key", operator: "as-is", value: "label-value", effect: "as-is" }],
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [nodeSelectorTerm] },
    },
  },
  containers: [{ name: "name", ports: containerPorts }],
  initContainers: [{ name: "name", restartPolicy: "as-is", ports: containerPorts }],
} as const satisfies Shape;

const template = { metadata: { labels: "labels" }, spec: podSpec } as const satisfies Shape;
const jobSpec = {
  parallelism: "as-is",
  completions: "as-is",
  suspend: "as-is",
  selector: labelSelector,
  template,
} as const satisfies Shape;

export const pod = {
  metadata,
  spec: podSpec,
  status: {
    phase: "as-is",
    podIP: "address",
    podIPs: [{ ip: "address" }],
    conditions: [{ type: "as-is", status: "as-is" }],
  },
} as const satisfies Shape;

/** Deployment, StatefulSet, ReplicaSet; a DaemonSet has no replicas. */
export const workload = {
  metadata,
  spec: { replicas: "as-is", serviceName: "name", selector: labelSelector, template },
} as const satisfies Shape;

export const job = { metadata, spec: jobSpec } as const satisfies Shape;

export const cronJob = {
  metadata,
  spec: { suspend: "as-is", jobTemplate: { spec: jobSpec } },
} as const satisfies Shape;

export const horizontalPodAutoscaler = {
  metadata,
  spec: {
    minReplicas: "as-is",
    maxReplicas: "as-is",
    scaleTargetRef: { apiVersion: "type", kind: "type", name: "name" },
  },
} as const satisfies Shape;
