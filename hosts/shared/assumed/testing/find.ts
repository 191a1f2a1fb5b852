// What a test asks of assumed endpoints.
import type { AssumeOptions } from "../options.ts";
import { type AssumedOf, assumedOf } from "./assumed-of.ts";

export interface Endpoint {
  addresses: string[];
  conditions: { ready: boolean; serving: boolean; terminating: boolean };
  nodeName?: string;
  zone?: string;
  hints?: object;
  targetRef: { name: string };
}

/** All endpoints in the order of their slices, and the codes of what is said. */
export function find(
  objects: readonly object[],
  options: Partial<AssumeOptions> = {},
): { assumed: AssumedOf; endpoints: Endpoint[]; codes: string[] } {
  const assumed = assumedOf(objects, options);
  const endpoints = assumed.slices.flatMap(({ endpoints }) => endpoints as Endpoint[]);
  return { assumed, endpoints, codes: assumed.diagnostics.map(({ code }) => code) };
}
