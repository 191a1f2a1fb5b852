// Lists of the few objects that a cluster can't start without. They come long before the lists of everything. The engine
// decides which of them belong to the first wave (`begin-first-wave` in its contract).
import type { Kind } from "../../../shared/contract.ts";
import { type ApiClient, parseJson, readBytes } from "../client/api-client.ts";
import { endpointSlices, services } from "./resources.ts";

/** A list as the API server sent it. */
export interface UrgentList {
  readonly kind: Kind;
  readonly data: Uint8Array;
}

type Query = Readonly<Record<string, string>>;

/** Room for some Services and their endpoints. Nested clusters may have copies of theirs here, and then they are many. */
const LIMIT_BYTES = 4 * 1024 * 1024;
const MOST_SERVICES = 100;
/** Whatever state the server has at hand will do: the lists of everything follow. */
const AT_HAND = { resourceVersion: "0" };

/**
 * Lists of `default/kubernetes`, of the Services with DNS' label, and of the EndpointSlices of both, complete or not at
 * all. Empty: there are no such Services.
 *
 * @throws {ApiError | ConnectionError | Error} one of them could not be had
 */
export async function readUrgentLists(client: ApiClient, signal: AbortSignal): Promise<UrgentList[]> {
  const ours = services.labelSelector ?? "";
  const found = await Promise.all([
    read(client, "/api/v1/namespaces/default/services", { fieldSelector: "metadata.name=kubernetes" }, signal),
    read(client, services.path, { labelSelector: `${ours},k8s-app=kube-dns` }, signal),
  ]);
  const names = [...new Set(found.flatMap(namesIn))];
  if (names.length === 0) return [];
  if (names.length > MOST_SERVICES) throw new Error(`${names.length} Services have DNS' label`);
  const labelSelector = `${endpointSlices.labelSelector},kubernetes.io/service-name in (${names.join(",")})`;
  const slices = await read(client, endpointSlices.path, { labelSelector }, signal);
  return [...found.map((data) => ({ kind: "service", data }) as const), { kind: "endpoint-slice", data: slices }];
}

async function read(client: ApiClient, path: string, query: Query, signal: AbortSignal): Promise<Buffer> {
  const { body } = await client.open({ path, query: { ...query, ...AT_HAND }, signal });
  return readBytes(body, LIMIT_BYTES, path);
}

function namesIn(list: Buffer): string[] {
  const { items } = parseJson(list.toString("utf8"), "a list") as { items?: { metadata: { name: string } }[] };
  return (items ?? []).map(({ metadata }) => metadata.name);
}
