// The options that say what to assume where files leave it open; the same for all commands that read files.

import {
  type AssumeOptions,
  defaultAssumeOptions,
  defaultLoadBalancerCidrs,
  mostNodes,
  parseCidrs,
} from "../../shared/assumed/options.ts";
import type { Cidr } from "../../shared/cidr.ts";
import { UsageError } from "../exit-codes.ts";

/** For `parseArgs`. */
export const assumeArguments = {
  "no-assume": { type: "boolean" },
  "service-cidr": { type: "string" },
  "assume-lb": { type: "string" },
  nodes: { type: "string" },
  zones: { type: "string" },
} as const;

export type AssumeValues = {
  readonly [name in keyof typeof assumeArguments]?: (typeof assumeArguments)[name]["type"] extends "boolean"
    ? boolean
    : string;
};

/** `--assume-lb` alone stands for its default; `parseArgs` knows no options whose value may be left out. */
export function withDefaultValues(args: readonly string[]): string[] {
  return args.map((arg) => (arg === "--assume-lb" ? `--assume-lb=${defaultLoadBalancerCidrs}` : arg));
}

/**
 * Undefined: nothing is to be assumed. Throws a UsageError.
 * @param values as `parseArgs` has read them
 */
export function assumeOptions(values: AssumeValues): Omit<AssumeOptions, "nodeName"> | undefined {
  const given = (Object.keys(assumeArguments) as (keyof AssumeValues)[]).filter((name) => values[name] !== undefined);
  if (values["no-assume"] === true) {
    const other = given.find((name) => name !== "no-assume");
    if (other === undefined) return undefined;
    throw new UsageError(`--no-assume leaves --${other} without a meaning`, "leave out one of them");
  }
  const { nodeName: _, ...options } = defaultAssumeOptions();
  return {
    ...options,
    serviceCidrs: serviceCidrs(values["service-cidr"]) ?? options.serviceCidrs,
    loadBalancerCidrs: cidrs("assume-lb", values["assume-lb"]) ?? [],
    nodes: nodes(values.nodes) ?? options.nodes,
    zones: zones(values.zones) ?? [],
  };
}

function cidrs(name: string, text: string | undefined): Cidr[] | undefined {
  if (text === undefined) return undefined;
  const found = parseCidrs(text);
  if (typeof found !== "string") return found;
  throw new UsageError(`--${name}: ${found}`, "write one such as 10.96.0.0/16, or several with commas in between");
}

/** As kube-apiserver's --service-cluster-ip-range: one of each family. */
function serviceCidrs(text: string | undefined): Cidr[] | undefined {
  const found = cidrs("service-cidr", text);
  if (found === undefined || new Set(found.map(({ family }) => family)).size === found.length) return found;
  throw new UsageError(
    "--service-cidr: a cluster has one range of each family",
    "name one of IPv4, one of IPv6, or both",
  );
}

function nodes(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (/^\d{1,9}$/.test(text) && number >= 1 && number <= mostNodes) return number;
  throw new UsageError(`--nodes: ${JSON.stringify(text)} is no number of nodes`, `use 1 to ${mostNodes}`);
}

function zones(text: string | undefined): string[] | undefined {
  if (text === undefined) return undefined;
  const names = text.split(",").map((each) => each.trim());
  if (names.every((name) => /^[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?$/.test(name))) return names;
  throw new UsageError(`--zones: ${JSON.stringify(text)} is no list of zones`, "write names such as zone-a,zone-b");
}
