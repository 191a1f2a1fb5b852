// All objects of one kind, page by page: the whole list as it was at one moment, or an error. What can pass is tried again.
import { setTimeout } from "node:timers/promises";
import { type ApiClient, parseJson, readBytes } from "./api-client.ts";
import { ApiError, ConnectionError } from "./api-error.ts";

export interface PagedListOptions {
  /** Ends everything. */
  readonly signal: AbortSignal;
  /** Objects in a page; 500 if absent, as kubectl asks for. */
  readonly pageSize?: number;
  /** A page must be there, to its last byte, within so many milliseconds; 30,000 if absent. */
  readonly pageTimeoutMs?: number;
  /** Told of what failed, each time before it is tried again. */
  readonly retrying?: (failure: unknown) => void;
  readonly sleep?: (ms: number, value: undefined, options: { signal: AbortSignal }) => Promise<void>;
}

/** An object as the server sends it in a list: without kind and apiVersion, which the list says for all. */
export type ListedObject = Readonly<Record<string, unknown>>;

/** The answer is no page of this list: cut off, of something else than an API server, or of another kind. */
export class ListFormatError extends Error {
  override readonly name = "ListFormatError";
}

const PAGE_SIZE = 500;
const PAGE_TIMEOUT_MS = 30_000;
/** Far more than 500 objects of the largest kind can have. */
const PAGE_LIMIT_BYTES = 400_000_000;
/** For one page, the first attempt included. */
const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
/** Lists that expired before their last page. Then all is asked for at once, which can't expire. */
const EXPIRED_LISTS = 2;

interface Page {
  readonly items: readonly ListedObject[];
  readonly continueToken: string;
}

/**
 * @param path of the list, such as `/api/v1/services`
 * @param kind of an object, such as `Service`
 * @param take is given each object; `restart` before the first one, and again if the list begins anew
 * @throws ApiError the server refused
 * @throws ConnectionError there was no answer, or it was cut off
 * @throws ListFormatError
 * @throws the signal's reason
 */
export async function listAll(
  client: Pick<ApiClient, "open" | "host">,
  path: string,
  kind: string,
  take: { restart(): void; object(object: ListedObject): void },
  options: PagedListOptions,
): Promise<void> {
  const { pageSize = PAGE_SIZE } = options;
  for (let expired = 0; ; expired++) {
    take.restart();
    const query: Record<string, string> = expired < EXPIRED_LISTS ? { limit: String(pageSize) } : {};
    try {
      for (let continueToken = ""; ; ) {
        const page = await pageOf(
          client,
          path,
          kind,
          continueToken === "" ? query : { ...query, continue: continueToken },
          options,
        );
        for (const object of page.items) take.object(object);
        continueToken = page.continueToken;
        if (continueToken === "") return;
      }
    } catch (error) {
      // The moment that its pages are of is no longer kept. The rest could be had as of now, which would be no list of one moment.
      if (error instanceof ApiError && error.status === 410 && expired < EXPIRED_LISTS) continue;
      throw error;
    }
  }
}

async function pageOf(
  client: Pick<ApiClient, "open" | "host">,
  path: string,
  kind: string,
  query: Readonly<Record<string, string>>,
  { signal, pageTimeoutMs = PAGE_TIMEOUT_MS, sleep = setTimeout, retrying }: PagedListOptions,
): Promise<Page> {
  for (let attempt = 1, pause = FIRST_PAUSE_MS; ; attempt++, pause *= 2) {
    let failure: unknown;
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(pageTimeoutMs)]);
      const { body } = await client.open({ path, query, signal: limit });
      return readPage(await contentOf(body, client.host, path), path, kind);
    } catch (error) {
      signal.throwIfAborted();
      failure = isTimeout(error)
        ? new ConnectionError(client.host, `no whole answer to ${path} within ${pageTimeoutMs} ms`)
        : error;
    }
    const waitMs = failure instanceof ApiError ? failure.retryAfterMs : 0;
    if (attempt === ATTEMPTS || !mayPass(failure, attempt)) throw failure;
    retrying?.(failure);
    await sleep(Math.min(Math.max(waitMs, pause), LONGEST_PAUSE_MS), undefined, { signal });
  }
}

const isTimeout = (error: unknown) => error instanceof Error && error.name === "TimeoutError";

async function contentOf(body: Parameters<typeof readBytes>[0], host: string, path: string): Promise<string> {
  try {
    return (await readBytes(body, PAGE_LIMIT_BYTES, `the answer to ${path}`)).toString("utf8");
  } catch (error) {
    if (isTimeout(error)) throw error;
    throw new ConnectionError(host, error);
  }
}

function mayPass(failure: unknown, attempt: number): boolean {
  if (failure instanceof ConnectionError)
    return !failure.code.startsWith("ERR_TLS") && !/CERT|SELF_SIGNED/.test(failure.code);
  if (failure instanceof ListFormatError) return true;
  // After a refusal the client asks for credentials anew: a token may have come to its end.
  if (failure instanceof ApiError && failure.status === 401) return attempt === 1;
  return failure instanceof ApiError && (failure.status >= 500 || failure.status === 408 || failure.status === 429);
}

function readPage(text: string, path: string, kind: string): Page {
  const wrong = (what: string) => new ListFormatError(`the answer to ${path} ${what}`);
  let page: unknown;
  try {
    page = parseJson(text, "");
  } catch {
    throw wrong("is no JSON, or not all of it");
  }
  if (!isMapping(page) || page.kind !== `${kind}List`) throw wrong(`is no ${kind}List`);
  const { items, metadata } = page;
  if (!isMapping(metadata)) throw wrong("has no metadata");
  const { continue: token = "", remainingItemCount = 0 } = metadata;
  if (typeof token !== "string") throw wrong("has no metadata.continue that can be used");
  if (token === "" && remainingItemCount !== 0 && remainingItemCount !== null) {
    throw wrong(`says that ${remainingItemCount} objects follow, and not where`);
  }
  // Go writes an empty list so.
  if (items === null || items === undefined) return { items: [], continueToken: token };
  if (!Array.isArray(items) || !items.every(isNamed)) throw wrong("has items that are no objects");
  return { items, continueToken: token };
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNamed(item: unknown): item is ListedObject {
  return (
    isMapping(item) && isMapping(item.metadata) && typeof item.metadata.name === "string" && item.metadata.name !== ""
  );
}
