// Small objects as people write them.

export interface ObjectOptions {
  /** Default: shop. */
  namespace?: string;
  /** Default: `{app: NAME}`. */
  labels?: Record<string, string>;
}

export function service(name: string, spec: object = {}, more: ObjectOptions & { metadata?: object } = {}): object {
  const { namespace = "shop", labels = { app: name }, metadata = {} } = more;
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { namespace, name, ...metadata },
    spec: { selector: labels, ports: [{ name: "http", port: 80, targetPort: 8080 }], ...spec },
  };
}

/** @param pod the pods' spec; default: one container with port http 8080 */
export function workload(
  kind: "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" | "CronJob" | "Pod" | "ReplicationController",
  name: string,
  spec: object = {},
  pod: object = {},
  { namespace = "shop", labels = { app: name } }: ObjectOptions = {},
): object {
  const containers = [{ name: "main", ports: [{ name: "http", containerPort: 8080 }] }];
  const template = { metadata: { labels }, spec: { containers, ...pod } };
  const metadata = { namespace, name };
  switch (kind) {
    case "Pod":
      return { apiVersion: "v1", kind, metadata: { ...metadata, labels }, spec: template.spec };
    case "Job":
      return { apiVersion: "batch/v1", kind, metadata, spec: { template, ...spec } };
    case "CronJob":
      return { apiVersion: "batch/v1", kind, metadata, spec: { jobTemplate: { spec: { template } }, ...spec } };
    case "ReplicationController":
      return { apiVersion: "v1", kind, metadata, spec: { selector: labels, template, ...spec } };
    default:
      return { apiVersion: "apps/v1", kind, metadata, spec: { selector: { matchLabels: labels }, template, ...spec } };
  }
}

export function node(
  name: string,
  more: { zone?: string; labels?: object; spec?: object; ips?: string[] } = {},
): object {
  const { zone, labels = {}, spec = {}, ips = [] } = more;
  const zoned = zone === undefined ? {} : { "topology.kubernetes.io/zone": zone };
  const addresses = ips.map((address) => ({ type: "InternalIP", address }));
  const metadata = { name, labels: { "kubernetes.io/os": "linux", ...zoned, ...labels } };
  return { apiVersion: "v1", kind: "Node", metadata, spec, status: { addresses } };
}
