// The fields of Service and EndpointSlice as Kubernetes 1.37 has them. Lists stand as their items.
import { endpointSliceSchema, type Schema, serviceSchema } from "../admission/schema.ts";

/** Names of fields, each with the fields below it. `undefined`: whatever is below is not looked at. */
export interface Fields {
  readonly [name: string]: Fields | undefined;
}

export const serviceFields: Fields = namesIn(serviceSchema) ?? {};
export const endpointSliceFields: Fields = namesIn(endpointSliceSchema) ?? {};

function namesIn(schema: Schema): Fields | undefined {
  if (schema.type === "list") return namesIn(schema.of);
  if (schema.type !== "object") return undefined;
  return Object.fromEntries(Object.entries(schema.fields).map(([name, field]) => [name, namesIn(field)]));
}

/** What earlier versions had, by place, with the last version that had it. */
export const formerFields: Readonly<Record<string, string>> = {
  "metadata.clusterName": "1.23",
  "metadata.initializers": "1.15",
  "spec.ipFamily": "1.19",
  "spec.topologyKeys": "1.21",
};
