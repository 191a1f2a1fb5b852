// What admission depends on and no manifest says: how the cluster was set up.
import { defaultKubeVersion, type KubeVersion } from "../config/kube-version.ts";
import type { IPFamily } from "./objects.ts";

export interface ClusterSettings {
  readonly kubeVersion: KubeVersion;
  /** The families of its service addresses; a Service that asks for none gets the first. */
  readonly families: readonly IPFamily[];
  /** All ranges of its service addresses, as `10.96.0.0/16`. Undefined: unknown, so no address is out of range. */
  readonly serviceCIDRs: readonly string[] | undefined;
  /** kube-apiserver's --service-node-port-range. */
  readonly nodePorts: PortRange;
}

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export const defaultSettings: ClusterSettings = {
  kubeVersion: defaultKubeVersion,
  families: ["IPv4", "IPv6"],
  serviceCIDRs: undefined,
  nodePorts: { first: 30_000, last: 32_767 },
};
