// What an API server has, by its own account, which everybody may read.
import type { ApiClient } from "./api-client.ts";
import { ApiError } from "./api-error.ts";

/** APIResourceList, as far as it matters. */
interface Discovered {
  readonly resources?: readonly { readonly name?: unknown }[];
}

/**
 * Whether the server has the resource at this path, such as `/apis/networking.k8s.io/v1/servicecidrs`. True also if it
 * can't be found out. Servers look at what is allowed before they look at what there is, so a refusal alone (403) does
 * not tell: a server without the resource has no role that names it.
 */
export async function isServed(client: Pick<ApiClient, "json">, path: string, signal?: AbortSignal): Promise<boolean> {
  const slash = path.lastIndexOf("/");
  const name = path.slice(slash + 1);
  try {
    const request = { path: path.slice(0, slash), ...(signal === undefined ? {} : { signal }) };
    const { resources } = await client.json<Discovered>(request);
    return !Array.isArray(resources) || resources.some((resource) => resource.name === name);
  } catch (error) {
    return !(error instanceof ApiError && error.status === 404);
  }
}
