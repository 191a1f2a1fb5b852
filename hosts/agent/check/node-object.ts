// Whether this node has an object by the name that the agent will ask for.
import { neverSeen } from "../hazards/node-object.ts";
import type { AccessReviews } from "./api-access.ts";
import { type Finding, ok } from "./finding.ts";

const NAMED_AT_MOST = 5;

/** Nothing where nodes may not be listed: that has been said already. */
export async function checkNode(name: string, reviews: AccessReviews | undefined): Promise<Finding[]> {
  if (reviews === undefined) return [];
  const area = "API server";
  try {
    const selector = encodeURIComponent(`metadata.name=${name}`);
    if (namesIn(await reviews.get(`/api/v1/nodes?fieldSelector=${selector}`)).length > 0) {
      return [ok(area, `Node ${name}`, "is there")];
    }
    const others = namesIn(await reviews.get(`/api/v1/nodes?limit=${NAMED_AT_MOST}`));
    const has = others.length === 0 ? "no Node at all" : others.slice(0, NAMED_AT_MOST).join(", ");
    const { subject, message, hint } = neverSeen(name);
    return [{ area, subject, status: "failed", detail: `${message}; the server has ${has}`, hint }];
  } catch {
    return [];
  }
}

function namesIn(answer: unknown): string[] {
  const { items = [] } = (answer ?? {}) as { items?: readonly { metadata?: { name?: unknown } }[] };
  return items.map(({ metadata }) => String(metadata?.name));
}
