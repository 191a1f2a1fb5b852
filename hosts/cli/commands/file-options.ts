// The options that say which files are read and how; the same for all commands that read files.
import { defaultKubeVersion, type KubeVersion, parseKubeVersion } from "../../shared/config/kube-version.ts";
import { modeOf } from "../../shared/config/rules.ts";
import type { Mode } from "../../shared/contract.ts";
import { UsageError } from "../exit-codes.ts";
import { type AssumeValues, assumeArguments, assumeOptions } from "./assume-options.ts";
import type { FileOptions } from "./cluster-of-files.ts";
import { type ClusterValues, clusterArguments, clusterSettings } from "./cluster-options.ts";

/** For `parseArgs`. */
export const fileArguments = {
  filename: { type: "string", short: "f", multiple: true },
  config: { type: "string" },
  mode: { type: "string" },
  node: { type: "string" },
  "no-nfacct": { type: "boolean" },
  "kube-version": { type: "string" },
  strict: { type: "boolean" },
  ...assumeArguments,
  ...clusterArguments,
} as const;

export interface FileValues extends AssumeValues, ClusterValues {
  readonly filename?: string[] | undefined;
  readonly config?: string | undefined;
  readonly mode?: string | undefined;
  readonly node?: string | undefined;
  readonly "no-nfacct"?: boolean | undefined;
  readonly "kube-version"?: string | undefined;
  readonly strict?: boolean | undefined;
}

/** Throws a UsageError. */
export function fileOptions(values: FileValues): FileOptions {
  const files = values.filename ?? [];
  if ([...files, values.config].filter((file) => file === "-").length > 1) {
    throw new UsageError("standard input can be read only once", "give `-` once, and name files for the rest");
  }
  if (files.includes("")) throw new UsageError("-f is given an empty name", "is a shell variable empty?");
  const node = values.node?.trim().toLowerCase();
  if (node === "") throw new UsageError("--node is given an empty name", "name a Node, or leave it out");
  const kubeVersion = kubeVersionOption(values["kube-version"]);
  const assume = assumeOptions(values);
  return {
    files,
    config: values.config,
    mode: modeOption(values.mode),
    node,
    nfacct: !(values["no-nfacct"] ?? false),
    kubeVersion,
    cluster: clusterSettings(values, kubeVersion, assume),
    assume,
    strict: values.strict ?? false,
  };
}

function modeOption(text: string | undefined): Mode | undefined {
  if (text === undefined) return undefined;
  return modeOf(text, (_field, _code, message, hint) => {
    throw new UsageError(`--mode: ${message}`, hint);
  });
}

function kubeVersionOption(text: string | undefined): KubeVersion {
  if (text === undefined) return defaultKubeVersion;
  const found = parseKubeVersion(text);
  if (found === undefined) {
    throw new UsageError(`--kube-version: ${JSON.stringify(text)} is no version`, "write one such as 1.38");
  }
  return found;
}
