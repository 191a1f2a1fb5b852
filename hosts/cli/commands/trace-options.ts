import { UsageError } from "../exit-codes.ts";
import { type ReportTarget, reportTargets } from "../output/reports.ts";
import type { FileOptions } from "./cluster-of-files.ts";
import { fileArguments, fileOptions } from "./file-options.ts";
import { parseOptionsAlone } from "./parse-options.ts";

export type From =
  | { readonly kind: "address"; readonly address: string; readonly port: number }
  | { readonly kind: "node" }
  | { readonly kind: "outside" }
  /** `namespace/name`, by the objects. */
  | { readonly kind: "pod"; readonly name: string }
  /** Every source: a survey. */
  | { readonly kind: "any" };

/** An endpoint by its address, or by its pod; port 0: any. */
export type Endpoint =
  | { readonly kind: "address"; readonly address: string; readonly port: number }
  | { readonly kind: "pod"; readonly name: string; readonly port: number };

export type To =
  | { readonly kind: "address"; readonly address: string; readonly port: number }
  /** An entry point of a Service: a ClusterIP, a load balancer's address. Port by number or name; empty: the only one. */
  | { readonly kind: "ClusterIP" | "LoadBalancerIP"; readonly service: string; readonly port: string }
  | { readonly kind: "NodePort"; readonly port: number };

export interface TraceOptions {
  readonly rules: readonly string[];
  readonly live: boolean;
  readonly files: FileOptions;
  readonly from: From;
  /** Undefined: to wherever it is. */
  readonly to: To | undefined;
  /** A survey of what leads to this endpoint. */
  readonly reaches: Endpoint | undefined;
  /** A survey of what is dropped or rejected. */
  readonly stopped: boolean;
  /** Undefined: what the Service's port says, else TCP. */
  readonly protocol: "tcp" | "udp" | "sctp" | undefined;
  readonly inInterface: string;
  readonly addresses: string | undefined;
  /** One line for each path. */
  readonly table: boolean;
  readonly reports: readonly ReportTarget[];
  readonly verbose: boolean;
}

/** For `parseArgs`. */
export const traceArguments = {
  rules: { type: "string", multiple: true },
  live: { type: "boolean" },
  from: { type: "string" },
  to: { type: "string" },
  reaches: { type: "string" },
  stopped: { type: "boolean" },
  proto: { type: "string" },
  "in-interface": { type: "string" },
  addresses: { type: "string" },
  table: { type: "boolean" },
  report: { type: "string", multiple: true },
  ...fileArguments,
  verbose: { type: "boolean", short: "v" },
} as const;

/** Throws a UsageError. */
export function parseTraceOptions(args: string[]): TraceOptions {
  const values = parse(args);
  const { rules = [], live = false, protocol, from = "outside", to } = { ...values, protocol: values.proto };
  const files = fileOptions(values);
  const { reaches, stopped = false } = values;
  if (to === undefined && reaches === undefined && !stopped)
    throw new UsageError(
      "where to? give --to ADDRESS:PORT, --reaches ENDPOINT or --stopped",
      "see `sluice help trace`",
    );
  if (reaches !== undefined && (to !== undefined || stopped))
    throw new UsageError("--reaches asks for all that leads to an endpoint", "leave out --to and --stopped");
  if (live && rules.length > 0)
    throw new UsageError("--live and --rules are two sources of rules", "leave out one of them");
  if (!live && rules.length === 0 && files.files.length === 0) {
    throw new UsageError("which rules? give --rules FILE, --live, or -f FILE", "see `sluice help trace`");
  }
  if (protocol !== undefined && protocol !== "tcp" && protocol !== "udp" && protocol !== "sctp") {
    throw new UsageError(`--proto: ${JSON.stringify(protocol)} is not followed`, "use tcp, udp or sctp");
  }
  const target = to === undefined ? undefined : toOption(to);
  if (target !== undefined && target.kind !== "address" && target.kind !== "NodePort" && files.files.length === 0) {
    throw new UsageError(`--to ${to}: rules name no Services`, "give -f FILE too, or an address and port");
  }
  const source = fromOption(from);
  const endpoint = reaches === undefined ? undefined : endpointOption(reaches);
  if ((source.kind === "pod" || endpoint?.kind === "pod") && files.files.length === 0) {
    throw new UsageError("rules name no pods", "give -f FILE too, or the pod's address");
  }
  if ((reaches !== undefined || stopped) && values.from !== undefined && source.kind !== "any") {
    throw new UsageError("--reaches and --stopped are about all sources", "leave out --from");
  }
  return {
    rules,
    live,
    files,
    from: source,
    to: target,
    reaches: endpoint,
    stopped,
    protocol,
    inInterface: values["in-interface"] ?? "",
    addresses: values.addresses,
    table: values.table ?? false,
    reports: reportTargets(values.report, ["text", "json"]),
    verbose: values.verbose ?? false,
  };
}

/** `A:P`, `[A]:P`, `A`; undefined: it is none of them. */
function hostAndPort(text: string): { address: string; port: number | undefined } | undefined {
  const [, bracketed, plain, port] =
    /^(?:\[([\da-f:.]+)\]|([\d.]+|[\da-f]*:[\da-f:.]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const address = bracketed ?? plain;
  if (address === undefined) return undefined;
  const number = port === undefined ? undefined : Number(port);
  return number !== undefined && number > 65_535 ? undefined : { address, port: number };
}

function fromOption(text: string): From {
  if (text === "node" || text === "outside" || text === "any") return { kind: text };
  const [, pod] = /^pod:([^/]+\/[^/]+)$/.exec(text) ?? [];
  if (pod !== undefined) return { kind: "pod", name: pod };
  const found = hostAndPort(text);
  if (found !== undefined) return { kind: "address", address: found.address, port: found.port ?? 40_000 };
  throw new UsageError(
    `--from: ${JSON.stringify(text)} is no place`,
    "write an address, ADDRESS:PORT, pod:NAMESPACE/NAME, node, outside or any",
  );
}

function endpointOption(text: string): Endpoint {
  const [, pod, port = "0"] = /^pod:([^/]+\/[^/:]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (pod !== undefined) return { kind: "pod", name: pod, port: Number(port) };
  const found = hostAndPort(text);
  if (found !== undefined) return { kind: "address", address: found.address, port: found.port ?? 0 };
  const hint = "write ADDRESS, ADDRESS:PORT or pod:NAMESPACE/NAME[:PORT]";
  throw new UsageError(`--reaches: ${JSON.stringify(text)} is no endpoint`, hint);
}

function toOption(text: string): To {
  const [, kind = "", name = "", port = ""] = /^(svc|lb|nodeport):?\/?([^:]*)(?::(.*))?$/.exec(text) ?? [];
  if (kind === "nodeport" && /^\d{1,5}$/.test(name)) return { kind: "NodePort", port: Number(name) };
  if ((kind === "svc" || kind === "lb") && /^[^/]+\/[^/]+$/.test(name)) {
    return { kind: kind === "svc" ? "ClusterIP" : "LoadBalancerIP", service: name, port };
  }
  const found = hostAndPort(text);
  if (found?.port !== undefined) return { kind: "address", address: found.address, port: found.port };
  const hint = "write ADDRESS:PORT, svc/NAMESPACE/NAME:PORT, lb:NAMESPACE/NAME:PORT or nodeport:PORT";
  throw new UsageError(`--to: ${JSON.stringify(text)} is no destination`, hint);
}

const parse = (args: string[]) => parseOptionsAlone(args, traceArguments, "to read its rules, write --rules");
