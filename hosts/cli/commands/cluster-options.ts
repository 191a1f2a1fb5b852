// The options that say how the cluster was set up for which files are meant; the same for all commands that read files.
import { type ClusterSettings, defaultSettings, type PortRange } from "../../shared/admission/cluster-settings.ts";
import type { AssumeOptions } from "../../shared/assumed/options.ts";
import { cidrText } from "../../shared/cidr.ts";
import type { KubeVersion } from "../../shared/config/kube-version.ts";
import { UsageError } from "../exit-codes.ts";

/** For `parseArgs`. */
export const clusterArguments = { "service-node-port-range": { type: "string" } } as const;

export interface ClusterValues {
  readonly "service-node-port-range"?: string | undefined;
  /** Read by `assumeOptions`, which throws if it is wrong. */
  readonly "service-cidr"?: string | undefined;
}

/** Throws a UsageError. */
export function clusterSettings(
  values: ClusterValues,
  kubeVersion: KubeVersion,
  assume: Pick<AssumeOptions, "serviceCidrs"> | undefined,
): ClusterSettings {
  const range = values["service-node-port-range"];
  return {
    kubeVersion,
    families: assume?.serviceCidrs.map(({ family }) => family) ?? defaultSettings.families,
    // A default is a guess, and refuses nobody's address.
    serviceCIDRs: values["service-cidr"] === undefined ? undefined : assume?.serviceCidrs.map(cidrText),
    nodePorts: range === undefined ? defaultSettings.nodePorts : portRange(range),
  };
}

function portRange(text: string): PortRange {
  const [, from = "", to = from] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const [first, last] = [Number(from), Number(to)];
  if (from !== "" && first >= 1 && first <= last && last <= 65_535) return { first, last };
  const message = `--service-node-port-range: ${JSON.stringify(text)} is no range of ports`;
  throw new UsageError(message, "write it as the API server has it, such as 30000-32767");
}
