// The fields of Service and EndpointSlice as Kubernetes 1.37 has them; a test holds them against the API server's recorded
// schemas. Lists stand as their items.

/** Names of fields, each with the fields below it. `undefined`: whatever is below is not looked at. */
export interface Fields {
  readonly [name: string]: Fields | undefined;
}

/** Fields without any below, and those that have some. */
function fields(names: string, more: Fields = {}): Fields {
  return { ...Object.fromEntries(names.split(" ").map((name) => [name, undefined])), ...more };
}

const metadata = fields(
  "annotations creationTimestamp deletionGracePeriodSeconds deletionTimestamp finalizers generateName generation labels " +
    "name namespace resourceVersion selfLink uid",
  {
    managedFields: fields("apiVersion fieldsType fieldsV1 manager operation subresource time"),
    ownerReferences: fields("apiVersion blockOwnerDeletion controller kind name uid"),
  },
);

export const serviceFields = fields("apiVersion kind", {
  metadata,
  spec: fields(
    "allocateLoadBalancerNodePorts clusterIP clusterIPs externalIPs externalName externalTrafficPolicy " +
      "healthCheckNodePort internalTrafficPolicy ipFamilies ipFamilyPolicy loadBalancerClass loadBalancerIP " +
      "loadBalancerSourceRanges publishNotReadyAddresses selector sessionAffinity trafficDistribution type",
    {
      ports: fields("appProtocol name nodePort port protocol targetPort"),
      sessionAffinityConfig: { clientIP: fields("timeoutSeconds") },
    },
  ),
  status: {
    conditions: fields("lastTransitionTime message observedGeneration reason status type"),
    loadBalancer: { ingress: fields("hostname ip ipMode", { ports: fields("error port protocol") }) },
  },
});

export const endpointSliceFields = fields("addressType apiVersion kind", {
  endpoints: fields("addresses deprecatedTopology hostname nodeName zone", {
    conditions: fields("ready serving terminating"),
    hints: { forNodes: fields("name"), forZones: fields("name") },
    targetRef: fields("apiVersion fieldPath kind name namespace resourceVersion uid"),
  }),
  metadata,
  ports: fields("appProtocol name port protocol"),
});

/** What earlier versions had, by place, with the last version that had it. */
export const formerFields: Readonly<Record<string, string>> = {
  "metadata.clusterName": "1.23",
  "metadata.initializers": "1.15",
  "spec.ipFamily": "1.19",
  "spec.topologyKeys": "1.21",
};
