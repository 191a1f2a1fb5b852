// /debug/describe, /debug/rules and /debug/plan, on a Unix socket that only root (or the agent's user) may open: with
// hostNetwork, every process of the host could reach a port on loopback.
import { chmodSync, lstatSync, mkdirSync, unlinkSync } from "node:fs";
import type { Server } from "node:http";
import { connect } from "node:net";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Family } from "../../shared/contract.ts";
import { type Answer, closeServer, limitedServer, sendNotFound, sendText, targetOf } from "./limited-server.ts";
import { listen } from "./listen.ts";

/** Texts in pieces, as the engine returns them. */
type Pieces = readonly Uint8Array[];

export interface DebugPages {
  /** JSON of hosts/shared/describe.ts. */
  describe(): Promise<Pieces>;
  /** The whole rules of a family, as they should be. */
  rules(family: Family): Promise<Pieces>;
  /** What would be written next, when and why: JSON of hosts/agent/running/debug-plan.ts. */
  plan(): Promise<Pieces>;
}

export interface DebugSocketOptions {
  readonly path: string;
  readonly onDefect?: (error: unknown) => void;
}

export class DebugSocket {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /**
   * Listens on the socket, which gets mode 0600. One that a dead process has left is replaced. Rejects if another
   * process answers there, if the path is no socket, or if the directory can't be written.
   */
  static async open(pages: DebugPages, { path, onDefect = () => {} }: DebugSocketOptions): Promise<DebugSocket> {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    await removeStale(path);
    const server = limitedServer(answerWith(pages), onDefect);
    // The socket is bound before `listen` returns: nobody finds it with another mode.
    const umask = process.umask(0o177);
    let listening: Promise<void>;
    try {
      listening = listen(server, { path });
    } finally {
      process.umask(umask);
    }
    await listening;
    chmodSync(path, 0o600);
    return new DebugSocket(server);
  }

  /** Removes the socket. */
  close(): Promise<void> {
    return closeServer(this.#server);
  }
}

function answerWith(pages: DebugPages): Answer {
  return async (request, response) => {
    const { path, query } = targetOf(request);
    const sendPieces = async (contentType: string, pieces: Pieces): Promise<void> => {
      response.writeHead(200, { "Content-Type": contentType, "X-Content-Type-Options": "nosniff" });
      try {
        await pipeline(Readable.from(pieces), response);
      } catch {
        response.destroy(); // the client is gone
      }
    };
    switch (path) {
      case "/debug/describe":
        return sendPieces("application/json", await pages.describe());
      case "/debug/plan":
        return sendPieces("application/json", await pages.plan());
      case "/debug/rules": {
        const family = query.get("family") ?? "ipv4";
        if (family !== "ipv4" && family !== "ipv6") {
          return sendText(response, 400, "family is neither ipv4 nor ipv6: ask for /debug/rules?family=ipv6\n");
        }
        return sendPieces("text/plain; charset=utf-8", await pages.rules(family));
      }
      default:
        return sendNotFound(response);
    }
  };
}

async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`${path} is there and is no socket: remove it, or choose another path`);
  if (await answers(path)) throw new Error(`${path} belongs to a process that runs: stop it first`);
  unlinkSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    // A socket that nobody listens on refuses; one that may not be opened belongs to somebody.
    socket.once("error", (error: NodeJS.ErrnoException) =>
      resolve(error.code !== "ECONNREFUSED" && error.code !== "ENOENT"),
    );
  });
}
