// Which pull request a run is about. https://docs.github.com/actions/reference/events-that-trigger-workflows
import type { GitHubApi } from "./github-api.ts";

/** Undefined: none. `event`: the payload that started the run. */
export async function pullRequestOf(eventName: string, event: unknown, api: GitHubApi): Promise<number | undefined> {
  if (eventName !== "workflow_run") {
    const number = at(event, "pull_request", "number");
    return typeof number === "number" ? number : undefined;
  }
  // A run for a fork's branch names no pull request. What its artifacts say is the fork's word, so the event's commit counts.
  const owner = at(event, "workflow_run", "head_repository", "owner", "login");
  const branch = at(event, "workflow_run", "head_branch");
  const commit = at(event, "workflow_run", "head_sha");
  if (typeof owner !== "string" || typeof branch !== "string" || typeof commit !== "string") return undefined;
  if (at(event, "workflow_run", "event") !== "pull_request") return undefined;
  const open = await api.openPullRequests(owner, branch);
  return open.find(({ head }) => head.sha === commit)?.number;
}

function at(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const name of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, name)) return undefined;
    found = (found as Record<string, unknown>)[name];
  }
  return found;
}
