// Comments that are kept true: nothing is posted when nothing changes, and what is no longer true is corrected.
import type { Comment, GitHubApi } from "./github-api.ts";

export type CommentMode = "sticky" | "new";

/** Undefined body: nothing changes. Says what it did. */
export async function comment(
  api: GitHubApi,
  pullRequest: number,
  mode: CommentMode,
  marker: string,
  body: string | undefined,
): Promise<string> {
  const ours = (await api.comments(pullRequest)).filter((each) => isOurs(each, marker));
  const last = ours.at(-1);
  const whole = `${marker}\n${body ?? corrected}`;
  if (last === undefined && body === undefined) return "nothing changes, and no comment says otherwise";
  if (last?.body === whole) return "the comment is true as it is";
  if (last === undefined || mode === "new") {
    await api.addComment(pullRequest, whole);
    return "commented";
  }
  await api.changeComment(last.id, whole);
  return "the comment was brought up to date";
}

const corrected =
  "### No Service changes any more\n\nWhat was said here of an earlier commit does not hold for the last one.\n";

/** Whoever may comment can copy the marker, and could change such a comment later: only those of bots, and of Actions, count. */
function isOurs({ body = "", user }: Comment, marker: string): boolean {
  return user?.type === "Bot" && body.startsWith(`${marker}\n`);
}
