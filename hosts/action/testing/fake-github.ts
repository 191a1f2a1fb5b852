// As much of GitHub's REST API as the action asks, with GitHub's limits: what a token may do, sizes, pages, and failures on request.
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

export interface FakeComment {
  id: number;
  body: string;
  user: { login: string; type: string };
}

interface Failure {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly message?: string;
}

const bodyBytesAtMost = 65_536;
const ours = { login: "github-actions[bot]", type: "Bot" };

export class FakeGitHub {
  readonly comments: FakeComment[] = [];
  /** Open pull requests; `head` as the query has it. */
  readonly pulls: { number: number; head: string; sha: string }[] = [];
  /** `METHOD path` of each request, in order. */
  readonly asked: string[] = [];
  /** The next requests of a method fail so. */
  readonly failures: { method: string; failure: Failure }[] = [];
  mayWrite = true;
  #lastId = 1000;
  readonly #server = createServer(async (request, response) => {
    const { status, headers, value } = this.#answer(request, await textOf(request));
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
  });

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  addComment(body: string, user = ours): void {
    this.comments.push({ id: ++this.#lastId, body, user });
  }

  #answer({ method = "", url = "", headers }: IncomingMessage, text: string) {
    const { pathname, searchParams } = new URL(url, "http://fake");
    this.asked.push(`${method} ${pathname}`);
    const failing = this.failures.find((each) => each.method === method);
    if (failing !== undefined) {
      this.failures.splice(this.failures.indexOf(failing), 1);
      const { failure } = failing;
      return { status: failure.status, headers: failure.headers ?? {}, value: { message: failure.message ?? "" } };
    }
    const refuse = (status: number, message: string) => ({ status, headers: {}, value: { message } });
    const give = (status: number, value: unknown) => ({ status, headers: {}, value });
    if (headers.authorization !== "Bearer secret") return refuse(401, "Bad credentials");
    const perPage = Math.min(Number(searchParams.get("per_page") ?? 30), 100);
    const from = (Number(searchParams.get("page") ?? 1) - 1) * perPage;
    if (method === "GET" && pathname === "/repos/shop/deploy/issues/7/comments") {
      return give(200, this.comments.slice(from, from + perPage));
    }
    if (method === "GET" && pathname === "/repos/shop/deploy/pulls") {
      const found = this.pulls.filter(({ head }) => head === searchParams.get("head"));
      return give(
        200,
        found.slice(from, from + perPage).map(({ number, sha }) => ({ number, head: { sha } })),
      );
    }
    const id = /^\/repos\/shop\/deploy\/issues\/comments\/(\d+)$/.exec(pathname)?.[1];
    const isNew = method === "POST" && pathname === "/repos/shop/deploy/issues/7/comments";
    if (!isNew && !(method === "PATCH" && id !== undefined)) return refuse(404, "Not Found");
    if (!this.mayWrite) return refuse(403, "Resource not accessible by integration");
    const { body } = JSON.parse(text);
    if (Buffer.byteLength(body) > bodyBytesAtMost) return refuse(422, "Body is too long (maximum is 65536 characters)");
    if (isNew) {
      this.addComment(body);
      return give(201, this.comments.at(-1));
    }
    const comment = this.comments.find((each) => each.id === Number(id));
    if (comment === undefined) return refuse(404, "Not Found");
    comment.body = body;
    return give(200, comment);
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString("utf8");
}
