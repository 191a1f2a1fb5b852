// The parameters of lists and watches. Both carry the same selectors.
import type { Resource } from "./resources.ts";

const PAGE_LIMIT = 500;

type Query = Record<string, string>;

function selectors({ labelSelector, fieldSelector }: Resource): Query {
  return {
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  };
}

/**
 * @param resourceVersion "": the newest state; "0": any that the server has at hand; else at least that one
 * @param continueToken that of the page before; "" for the first
 */
export function listQuery(resource: Resource, resourceVersion: string, paged: boolean, continueToken: string): Query {
  // With a resourceVersion and a limit the server would have to ask etcd; without the limit its cache answers.
  const limited = paged && (resourceVersion === "" || resourceVersion === "0");
  return {
    ...selectors(resource),
    ...(limited ? { limit: String(PAGE_LIMIT) } : {}),
    ...(continueToken !== "" ? { continue: continueToken } : resourceVersion === "" ? {} : { resourceVersion }),
  };
}

export function watchQuery(resource: Resource, resourceVersion: string, timeoutSeconds: number): Query {
  return {
    ...selectors(resource),
    watch: "true",
    allowWatchBookmarks: "true",
    resourceVersion,
    timeoutSeconds: String(timeoutSeconds),
  };
}

/**
 * A list of at most one object, which a server answers only if it knows `resourceVersion`. A watch would not tell: servers
 * open one from a future resourceVersion, and send no events until they get there.
 */
export function confirmationQuery(resource: Resource, resourceVersion: string): Query {
  return { ...selectors(resource), limit: "1", resourceVersion, resourceVersionMatch: "NotOlderThan" };
}

/** A watch that begins with all objects, at least as new as `resourceVersion`; "": as new as the request. */
export function streamingListQuery(resource: Resource, resourceVersion: string, timeoutSeconds: number): Query {
  return {
    ...selectors(resource),
    watch: "true",
    allowWatchBookmarks: "true",
    sendInitialEvents: "true",
    resourceVersionMatch: "NotOlderThan",
    ...(resourceVersion === "" ? {} : { resourceVersion }),
    timeoutSeconds: String(timeoutSeconds),
  };
}
