import type { Family } from "../../shared/contract.ts";
import { UsageError } from "../exit-codes.ts";
import { isDirectory } from "../output/files.ts";
import type { FileOptions } from "./cluster-of-files.ts";
import { fileArguments, fileOptions } from "./file-options.ts";
import { parseOptionsAlone } from "./parse-options.ts";

export interface RenderOptions extends FileOptions {
  family: Family | "all" | undefined;
  output: { path: string; isDirectory: boolean } | undefined;
  describe: boolean;
  blame: boolean;
  /** nfnetlink batches as an annotated hexdump, instead of a script. */
  netlink: boolean;
  keepGoing: boolean;
  verbose: boolean;
}

/** For `parseArgs`. */
export const renderArguments = {
  family: { type: "string" },
  output: { type: "string", short: "o" },
  describe: { type: "boolean" },
  blame: { type: "boolean" },
  format: { type: "string" },
  "keep-going": { type: "boolean" },
  ...fileArguments,
  verbose: { type: "boolean", short: "v" },
} as const;

/** Throws a UsageError. */
export async function parseRenderOptions(args: string[]): Promise<RenderOptions> {
  const values = parse(args);
  const files = values.filename ?? [];
  if (files.length === 0) {
    const hint =
      "try `sluice render -f FILE`, or `kubectl get svc,endpointslices,nodes -A -o json | sluice render -f -`";
    throw new UsageError("nothing to read: give -f FILE, -f DIR or -f -", hint);
  }
  if (values.describe && values.blame) {
    throw new UsageError("--blame adds to rules, and --describe writes none", "leave out one of them");
  }
  if (formatOption(values.format) === "netlink" && (values.describe || values.blame)) {
    throw new UsageError("--format netlink is bytes, without --blame and --describe", "leave out one of them");
  }
  const output = values.output;
  const read = fileOptions(values);
  if (output === "") throw new UsageError("-o is given an empty name", "is a shell variable empty?");
  return {
    ...read,
    family: familyOption(values.family),
    output: output === undefined ? undefined : { path: output, isDirectory: await isDirectory(output) },
    describe: values.describe ?? false,
    blame: values.blame ?? false,
    netlink: formatOption(values.format) === "netlink",
    keepGoing: values["keep-going"] ?? false,
    verbose: values.verbose ?? false,
  };
}

const parse = (args: string[]) => parseOptionsAlone(args, renderArguments, "to read it, write -f");

function formatOption(text: string | undefined): "text" | "netlink" {
  if (text === undefined || text === "text") return "text";
  if (text === "netlink") return text;
  throw new UsageError(`--format: ${JSON.stringify(text)} is no format`, "use text or netlink");
}

function familyOption(text: string | undefined): Family | "all" | undefined {
  if (text === undefined || text === "ipv4" || text === "ipv6" || text === "all") return text;
  throw new UsageError(`--family: ${JSON.stringify(text)} is no family`, "use ipv4, ipv6 or all");
}
