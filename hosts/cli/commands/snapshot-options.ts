import { parseArgs } from "node:util";
import { parseDuration } from "../../shared/config/duration.ts";
import { UsageError } from "../exit-codes.ts";
import { isDirectory } from "../output/files.ts";

export interface SnapshotOptions {
  /** Undefined: $KUBECONFIG, ~/.kube/config, or the service account of this pod. */
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly workloads: boolean;
  readonly nodeRules: boolean;
  readonly redact: boolean;
  /** Undefined: to stdout. */
  readonly output: string | undefined;
  readonly timeoutMs: number;
}

const TIMEOUT_MS = 300_000;

/** For `parseArgs`. */
export const snapshotArguments = {
  kubeconfig: { type: "string" },
  context: { type: "string" },
  workloads: { type: "boolean" },
  "node-rules": { type: "boolean" },
  redact: { type: "boolean" },
  output: { type: "string", short: "o" },
  timeout: { type: "string" },
} as const;

/** Throws a UsageError. */
export async function parseSnapshotOptions(args: string[]): Promise<SnapshotOptions> {
  const values = parse(args);
  for (const option of ["kubeconfig", "context", "output"] as const) {
    if (values[option] === "") throw new UsageError(`--${option} is given an empty name`, "is a shell variable empty?");
  }
  const { output, timeout } = values;
  if (output !== undefined && (await isDirectory(output))) {
    throw new UsageError(`-o ${output}: a snapshot is one file, and this is a directory`, "name a file");
  }
  if (values.redact === true && values["node-rules"] === true) {
    const hint = "take one of each: what is redacted has other names and addresses than a kernel's rules";
    throw new UsageError("--redact can't rename what stands in the kernel's rules", hint);
  }
  const timeoutMs = timeout === undefined ? TIMEOUT_MS : parseDuration(timeout);
  if (timeoutMs === undefined || timeoutMs <= 0) {
    throw new UsageError(`--timeout ${timeout}: a duration is wanted`, "write it as 90s, 5m or 1h30m");
  }
  return {
    kubeconfig: values.kubeconfig,
    context: values.context,
    workloads: values.workloads ?? false,
    nodeRules: values["node-rules"] ?? false,
    redact: values.redact ?? false,
    output,
    timeoutMs,
  };
}

function parse(args: string[]) {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: snapshotArguments,
    });
    if (positionals[0] !== undefined) {
      const word = JSON.stringify(positionals[0]);
      throw new UsageError(`what is ${word} for?`, `to write there, give -o ${positionals[0]}`);
    }
    return values;
  } catch (error) {
    if (error instanceof UsageError || !(error instanceof TypeError)) throw error;
    throw new UsageError(error.message.split("\n")[0] ?? "wrong options", "`sluice help snapshot` has all options");
  }
}
