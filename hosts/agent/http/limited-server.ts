// An HTTP server that slow, many or broken clients cannot hurt. Everything that a client can make it wait for or keep is limited.
// When all connections are taken, the oldest one is closed, so that a probe is always answered.
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { createServer } from "./node-http.ts";

export interface Limits {
  readonly connections: number;
  readonly headerBytes: number;
  /** A request's headers must be there by then. */
  readonly headersMs: number;
  /** All of the request must be there by then. */
  readonly requestMs: number;
  /** A connection on which nothing moves, in either direction, is closed. */
  readonly idleMs: number;
}

export const defaultLimits: Limits = {
  connections: 128,
  headerBytes: 8192,
  headersMs: 5000,
  requestMs: 10_000,
  idleMs: 15_000,
};

/** In the header Server of every answer: how another agent tells ours from kube-proxy's, which have none. */
export const serverName = "sluice";

export type Answer = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** A server for `answer`, not listening yet. What `answer` throws becomes a 500 and goes to `onDefect`. */
export function limitedServer(
  answer: Answer,
  onDefect: (error: unknown) => void,
  limits: Limits = defaultLimits,
): Server {
  const sockets = new Set<Socket>(); // oldest first
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: Math.min(1000, limits.headersMs),
    },
    (request, response) => {
      response.setHeader("Server", serverName);
      // Nobody reads bodies: a connection that brings one is closed behind the answer.
      if (hasBody(request)) response.setHeader("Connection", "close");
      Promise.resolve()
        .then(() => answer(request, response))
        .catch((error: unknown) => {
          onDefect(error);
          if (response.headersSent) response.destroy();
          else sendText(response, 500, "internal error\n");
        });
    },
  );
  server.timeout = limits.idleMs;
  server.on("connection", (socket: Socket) => {
    for (const oldest of sockets) {
      if (sockets.size < limits.connections) break;
      sockets.delete(oldest);
      oldest.destroy();
    }
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  return server;
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}

/** Answers with a body and the headers that kube-proxy's answers have. */
export function send(
  response: ServerResponse,
  code: number,
  contentType: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(code, {
    "Content-Type": contentType,
    "X-Content-Type-Options": "nosniff",
    "Content-Length": Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}

export function sendText(response: ServerResponse, code: number, body: string): void {
  send(response, code, "text/plain; charset=utf-8", body);
}

export function sendNotFound(response: ServerResponse): void {
  sendText(response, 404, "404 page not found\n");
}

/** Path and query of a request, whatever its target looks like. */
export function targetOf(request: IncomingMessage): { path: string; query: URLSearchParams } {
  const target = request.url ?? "/";
  const mark = target.indexOf("?");
  if (mark === -1) return { path: target, query: new URLSearchParams() };
  return { path: target.slice(0, mark), query: new URLSearchParams(target.slice(mark + 1)) };
}

/** Stops listening at once and drops all connections. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
