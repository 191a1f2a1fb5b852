// Requests to the API server: bodies as streams, or small ones as JSON.
import { pipeline, type Readable, Transform } from "node:stream";
import { createGunzip } from "node:zlib";
import type { ClusterAccess } from "../credentials/cluster-access.ts";
import type {} from "../credentials/cluster-access-error.ts";
import { ApiError, apiError, ConnectionError } from "./api-error.ts";
import { Transport } from "./transport.ts";
import type { Dispatcher } from "./undici.ts";

export interface ApiRequest {
  /** GET if absent. */
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** application/json if absent. */
  readonly contentType?: string;
  readonly signal?: AbortSignal;
}

export interface ApiResponse {
  readonly status: number;
  /** Decompressed. Read it to its end or destroy it. */
  readonly body: Readable;
}

export interface ApiClientOptions {
  /** For example `sluice/1.2.3 (linux/amd64)`. */
  readonly userAgent: string;
  /** A request was answered, or failed. */
  readonly onRequest?: (request: ApiRequestReport) => void;
  /** The answer to a request was read to its end; of a watch this is not reported. `bytes`: decompressed. */
  readonly onResponse?: (verb: string, host: string, bytes: number) => void;
}

export interface ApiRequestReport {
  /** The HTTP method. */
  readonly verb: string;
  /** The HTTP status, or `<error>`. */
  readonly code: string;
  /** host:port */
  readonly host: string;
  /** Until the head of the answer. */
  readonly seconds: number;
  readonly requestBytes: number;
}

/** Bytes that are read of an error's body, and of answers to `json`. */
const ERROR_BODY_LIMIT = 64 * 1024;
const JSON_LIMIT = 16 * 1024 * 1024;
const JSON_TIMEOUT_MS = 30_000;

export class ApiClient {
  readonly access: ClusterAccess;
  readonly #options: ApiClientOptions;
  readonly #transport: Transport;
  readonly #prefix: string;

  constructor(access: ClusterAccess, options: ApiClientOptions) {
    this.access = access;
    this.#options = options;
    this.#transport = new Transport(access);
    this.#prefix = access.server.pathname.replace(/\/+$/, "");
  }

  get host(): string {
    return this.access.server.host;
  }

  /** Pools of connections opened and closed. A changed certificate needs a new pool; the old one closes after its last request. */
  get transports(): { readonly made: number; readonly closed: number } {
    return this.#transport.counts;
  }

  /**
   * Resolves with any success, as soon as its head is there. No time limit: abort the signal.
   *
   * @throws ApiError the server refused
   * @throws ConnectionError there was no answer
   * @throws ClusterAccessError there are no credentials to show
   */
  async open(request: ApiRequest): Promise<ApiResponse> {
    const { method = "GET", path, query, body, contentType = "application/json", signal } = request;
    const presented = await this.access.credentials.current();
    const dispatcher = await this.#transport.dispatcher(presented.certificate);
    const search = query === undefined ? "" : `?${new URLSearchParams(query)}`;
    const headers: Record<string, string> = {
      accept: "application/json",
      "accept-encoding": "gzip",
      "user-agent": this.#options.userAgent,
      ...presented.headers,
      ...(body === undefined ? {} : { "content-type": contentType }),
    };
    const started = performance.now();
    const content = body === undefined ? undefined : JSON.stringify(body);
    const requestBytes = content === undefined ? 0 : Buffer.byteLength(content);
    const report = (code: string) => {
      const seconds = (performance.now() - started) / 1000;
      this.#options.onRequest?.({ verb: method, code, host: this.host, seconds, requestBytes });
    };
    let response: Dispatcher.ResponseData;
    try {
      response = await dispatcher.request({
        origin: this.access.server.origin,
        path: `${this.#prefix}${path}${search}`,
        method,
        headers,
        ...(content === undefined ? {} : { body: content }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      report("<error>");
      this.#transport.suspect();
      throw new ConnectionError(this.host, error);
    }
    report(String(response.statusCode));
    const decoded = decompressed(response);
    const { onResponse } = this.#options;
    const isCounted = onResponse !== undefined && query?.watch === undefined;
    const stream = isCounted ? counted(decoded, (bytes) => onResponse(method, this.host, bytes)) : decoded;
    if (response.statusCode >= 200 && response.statusCode < 300) return { status: response.statusCode, body: stream };
    if (response.statusCode === 401) this.access.credentials.rejected();
    const text = await readText(stream, ERROR_BODY_LIMIT).catch(() => ""); // the status alone says enough
    throw apiError(`${method} ${path}`, response.statusCode, response.headers, text);
  }

  /** A small answer, parsed. Tries once more with fresh credentials after a 401. At most 30 s. */
  async json<T>(request: ApiRequest): Promise<T> {
    const once = async () => {
      const signal = AbortSignal.timeout(JSON_TIMEOUT_MS);
      const { body } = await this.open({ signal, ...request });
      return parseJson(await readText(body, JSON_LIMIT), `the answer to ${request.path}`) as T;
    };
    return once().catch((error: unknown) => {
      if (error instanceof ApiError && error.status === 401) return once();
      throw error;
    });
  }

  /** Cuts all connections; requests that are open fail. */
  async close(): Promise<void> {
    await this.#transport.close();
  }
}

function decompressed({ headers, body }: Dispatcher.ResponseData): Readable {
  if (headers["content-encoding"] !== "gzip") return body;
  // Errors of either end come out at the stream that is returned.
  return pipeline(body, createGunzip(), () => {});
}

/** The same bytes; at their end `onBytes` is given their number. */
function counted(body: Readable, onBytes: (bytes: number) => void): Readable {
  let bytes = 0;
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      done(null, chunk);
    },
    flush(done) {
      onBytes(bytes);
      done();
    },
  });
  return pipeline(body, counter, () => {}); // as above
}

/**
 * @param what was read, for messages: Node's own message would quote the text
 * @throws {Error} it is no JSON
 */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${what} is no JSON`);
  }
}

async function readText(body: Readable, limit: number): Promise<string> {
  return (await readBytes(body, limit, "the answer")).toString("utf8");
}

/**
 * All of a body that is not long.
 *
 * @param what is read, for messages
 * @throws {Error} it has over `limit` bytes, or what it fails with
 */
export async function readBytes(body: Readable, limit: number, what: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw new Error(`${what} is longer than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
