import { parseArgs } from "node:util";
import type { ClusterSettings } from "../../shared/admission/cluster-settings.ts";
import type { AssumeOptions } from "../../shared/assumed/options.ts";
import { defaultKubeVersion, type KubeVersion, parseKubeVersion } from "../../shared/config/kube-version.ts";
import { modeOf } from "../../shared/config/rules.ts";
import type { Family, Mode } from "../../shared/contract.ts";
import { UsageError } from "../exit-codes.ts";
import { isDirectory } from "../output/files.ts";
import { assumeArguments, assumeOptions, withDefaultValues } from "./assume-options.ts";
import { clusterArguments, clusterSettings } from "./cluster-options.ts";

export interface RenderOptions {
  files: string[];
  config: string | undefined;
  mode: Mode | undefined;
  /** Trimmed and in lower case, as kube-proxy takes --hostname-override. */
  node: string | undefined;
  family: Family | "all" | undefined;
  output: { path: string; isDirectory: boolean } | undefined;
  describe: boolean;
  blame: boolean;
  /** nfnetlink batches as an annotated hexdump, instead of a script. */
  netlink: boolean;
  nfacct: boolean;
  /** For what the configuration leaves to the version of Kubernetes. */
  kubeVersion: KubeVersion;
  cluster: ClusterSettings;
  /** Where the files leave something open. Undefined: nothing is assumed. */
  assume: Omit<AssumeOptions, "nodeName"> | undefined;
  keepGoing: boolean;
  /** What kube-proxy would only warn of in the configuration is an error. */
  strict: boolean;
  verbose: boolean;
}

/** Throws a UsageError. */
export async function parseRenderOptions(args: string[]): Promise<RenderOptions> {
  const values = parse(args);
  const files = values.filename ?? [];
  if (files.length === 0) {
    const hint =
      "try `sluice render -f FILE`, or `kubectl get svc,endpointslices,nodes -A -o json | sluice render -f -`";
    throw new UsageError("nothing to read: give -f FILE, -f DIR or -f -", hint);
  }
  if ([...files, values.config].filter((file) => file === "-").length > 1) {
    throw new UsageError("standard input can be read only once", "give `-` once, and name files for the rest");
  }
  if (files.includes("")) throw new UsageError("-f is given an empty name", "is a shell variable empty?");
  if (values.describe && values.blame) {
    throw new UsageError("--blame adds to rules, and --describe writes none", "leave out one of them");
  }
  if (formatOption(values.format) === "netlink" && (values.describe || values.blame)) {
    throw new UsageError("--format netlink is bytes, without --blame and --describe", "leave out one of them");
  }
  const node = values.node?.trim().toLowerCase();
  if (node === "") throw new UsageError("--node is given an empty name", "name a Node, or leave it out");
  const mode = modeOption(values.mode);
  const output = values.output;
  const kubeVersion = kubeVersionOption(values["kube-version"]);
  const assume = assumeOptions(values);
  if (output === "") throw new UsageError("-o is given an empty name", "is a shell variable empty?");
  return {
    files,
    config: values.config,
    mode,
    node,
    family: familyOption(values.family),
    output: output === undefined ? undefined : { path: output, isDirectory: await isDirectory(output) },
    describe: values.describe ?? false,
    blame: values.blame ?? false,
    netlink: formatOption(values.format) === "netlink",
    nfacct: !(values["no-nfacct"] ?? false),
    kubeVersion,
    cluster: clusterSettings(values, kubeVersion, assume),
    assume,
    keepGoing: values["keep-going"] ?? false,
    strict: values.strict ?? false,
    verbose: values.verbose ?? false,
  };
}

function parse(args: string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: withDefaultValues(args),
      allowPositionals: true,
      options: {
        filename: { type: "string", short: "f", multiple: true },
        config: { type: "string" },
        mode: { type: "string" },
        node: { type: "string" },
        family: { type: "string" },
        output: { type: "string", short: "o" },
        describe: { type: "boolean" },
        blame: { type: "boolean" },
        format: { type: "string" },
        "no-nfacct": { type: "boolean" },
        "kube-version": { type: "string" },
        "keep-going": { type: "boolean" },
        strict: { type: "boolean" },
        ...assumeArguments,
        ...clusterArguments,
        verbose: { type: "boolean", short: "v" },
      },
    });
    if (positionals[0] !== undefined) {
      throw new UsageError(`what is ${JSON.stringify(positionals[0])} for?`, `to read it, write -f ${positionals[0]}`);
    }
    return values;
  } catch (error) {
    if (error instanceof UsageError || !(error instanceof TypeError)) throw error;
    // node:util explains itself well, over several lines: "Unknown option '--famly'. To specify …"
    throw new UsageError(error.message.split("\n")[0]?.replace(/ To specify a positional.*/, "") ?? "wrong options");
  }
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

function formatOption(text: string | undefined): "text" | "netlink" {
  if (text === undefined || text === "text") return "text";
  if (text === "netlink") return text;
  throw new UsageError(`--format: ${JSON.stringify(text)} is no format`, "use text or netlink");
}

function familyOption(text: string | undefined): Family | "all" | undefined {
  if (text === undefined || text === "ipv4" || text === "ipv6" || text === "all") return text;
  throw new UsageError(`--family: ${JSON.stringify(text)} is no family`, "use ipv4, ipv6 or all");
}
