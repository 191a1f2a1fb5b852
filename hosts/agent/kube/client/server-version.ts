// The API server's version, which everybody may read: defaults depend on it.
import { setTimeout } from "node:timers/promises";
import { type KubeVersion, parseKubeVersion } from "../../../shared/config/kube-version.ts";
import type { ApiClient } from "./api-client.ts";
import { ApiError, ConnectionError } from "./api-error.ts";

/** `GET /version`, as far as it matters. A minor version may end in `+`. */
interface VersionInfo {
  readonly major?: unknown;
  readonly minor?: unknown;
  readonly gitVersion?: unknown;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;
/** The server can't answer at present: request timeout, too many requests, or authentication is not ready yet. */
const PASSING: readonly number[] = [401, 408, 429];
/** After so many answers without a version, the server counts as one that does not tell. */
const ANSWERS_AT_MOST = 5;

/**
 * Asks until there is an answer, however long the server can't be reached or can't answer. Undefined: it does not tell.
 *
 * @throws the signal's reason
 */
export async function readServerVersion(
  client: Pick<ApiClient, "json">,
  signal: AbortSignal,
  sleep: (ms: number, value: undefined, options: { signal: AbortSignal }) => Promise<void> = setTimeout,
): Promise<KubeVersion | undefined> {
  let answers = 0;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    try {
      const { major, minor, gitVersion } = await client.json<VersionInfo>({ path: "/version", signal });
      return parseKubeVersion(`${major}.${minor}`) ?? parseKubeVersion(String(gitVersion));
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ApiError && (error.status === 403 || error.status === 404)) return undefined;
      if (!isPassing(error) && ++answers === ANSWERS_AT_MOST) return undefined;
      await sleep(pause, undefined, { signal });
    }
  }
}

function isPassing(error: unknown): boolean {
  if (error instanceof ConnectionError) return true;
  return error instanceof ApiError && (error.status >= 500 || PASSING.includes(error.status));
}
