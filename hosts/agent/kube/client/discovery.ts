// Discovery: which resources an API server has. Everybody may read that.
import type { ApiClient } from "./api-client.ts";
import { ApiError } from "./api-error.ts";

/** APIResourceList, as far as it matters. */
interface Discovered {
  readonly resources?: readonly { readonly name?: unknown }[];
}

/**
 * Whether the server has the resource at this path, such as `/apis/networking.k8s.io/v1/servicecidrs`. True also if that
 * can't be found out. A 403 alone does not tell: servers check permissions before they check whether the resource exists, and
 * a server without the resource has no role that allows it.
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
