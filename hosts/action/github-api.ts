// As much of GitHub's REST API as comments need, by Node's fetch.
// https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api
import { setTimeout } from "node:timers/promises";
import { printable } from "../shared/printable.ts";

export class GitHubError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface Comment {
  readonly id: number;
  readonly body?: string;
  readonly user: { readonly login: string; readonly type: string } | null;
}

export interface PullRequest {
  readonly number: number;
  readonly head: { readonly sha: string };
}

const triesAtMost = 4;
/** Longer waits are for another run: a job is paid by the minute. */
const longestWait = 120;

export class GitHubApi {
  readonly #url: string;
  readonly #repository: string;
  readonly #token: string;
  readonly #wait: (seconds: number) => Promise<unknown>;

  /** `url`: without a slash at the end. `repository`: OWNER/NAME. */
  constructor(
    url: string,
    repository: string,
    token: string,
    wait: (seconds: number) => Promise<unknown> = (seconds) => setTimeout(seconds * 1000),
  ) {
    this.#url = url;
    this.#repository = repository;
    this.#token = token;
    this.#wait = wait;
  }

  /** All of a pull request, oldest first. */
  async comments(pullRequest: number): Promise<Comment[]> {
    return this.#pages(`/issues/${pullRequest}/comments`);
  }

  /** Open ones whose branch is `owner:branch`. */
  async openPullRequests(owner: string, branch: string): Promise<PullRequest[]> {
    return this.#pages(`/pulls?state=open&head=${encodeURIComponent(`${owner}:${branch}`)}`);
  }

  /** Not sent again after an error of the server, who may have taken it. */
  async addComment(pullRequest: number, body: string): Promise<void> {
    await this.#ask("POST", `/issues/${pullRequest}/comments`, { body });
  }

  async changeComment(id: number, body: string): Promise<void> {
    await this.#ask("PATCH", `/issues/comments/${id}`, { body });
  }

  async #pages<Item>(path: string): Promise<Item[]> {
    const items: Item[] = [];
    for (let page = 1; ; page++) {
      const found = await this.#ask("GET", `${path}${path.includes("?") ? "&" : "?"}per_page=100&page=${page}`);
      if (!Array.isArray(found)) throw new GitHubError(200, `GitHub answered ${path} with no list`);
      items.push(...found);
      if (found.length < 100) return items;
    }
  }

  /** Throws a GitHubError. */
  async #ask(method: "GET" | "POST" | "PATCH", path: string, body?: object): Promise<unknown> {
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#once(method, path, body);
      if (answer.status >= 200 && answer.status < 300) return answer.value;
      const { error, retryAfter } = answer;
      const isRepeatable = retryAfter !== undefined && (method !== "POST" || answer.isRateLimit);
      if (!isRepeatable || attempt === triesAtMost || retryAfter > longestWait) throw error;
      await this.#wait(retryAfter * (answer.isRateLimit ? 1 : 2 ** (attempt - 1)));
    }
  }

  async #once(method: string, path: string, body: object | undefined): Promise<Answer> {
    const asked = `${method} ${path.replace(/\?.*/, "")}`;
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${this.#url}/repos/${this.#repository}${path}`, {
        method,
        headers: {
          accept: "application/vnd.github+json",
          authorization: `Bearer ${this.#token}`,
          "user-agent": "sluice-action",
          "x-github-api-version": "2022-11-28",
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      text = await response.text();
    } catch (error) {
      const cause = error instanceof Error ? (error.cause ?? error) : error;
      const message = `GitHub: ${asked}: ${printable(String(cause))}`;
      return { status: 0, value: undefined, error: new GitHubError(0, message), retryAfter: 1, isRateLimit: false };
    }
    const { status, headers } = response;
    const value = parsed(text);
    const said = printable(messageOf(value) ?? text, 300);
    const error = new GitHubError(status, `GitHub: ${asked}: ${status} ${said}`);
    const isRateLimit =
      status === 429 ||
      (status === 403 &&
        (headers.has("retry-after") || headers.get("x-ratelimit-remaining") === "0" || /rate limit/i.test(said)));
    // Without a number, GitHub asks for a minute.
    const wait = Number(headers.get("retry-after") ?? 60);
    const retryAfter = isRateLimit ? (Number.isFinite(wait) ? wait : 60) : status >= 500 ? 1 : undefined;
    return { status, value, error, retryAfter, isRateLimit };
  }
}

interface Answer {
  readonly status: number;
  readonly value: unknown;
  readonly error: GitHubError;
  /** In seconds. Undefined: it would be no use. */
  readonly retryAfter: number | undefined;
  readonly isRateLimit: boolean;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function messageOf(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null || !("message" in value)) return undefined;
  return typeof value.message === "string" ? value.message : undefined;
}
