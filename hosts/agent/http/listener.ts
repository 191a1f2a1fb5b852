// One of the agent's servers: health or metrics. If its port is taken, it waits until the port is free.
import type { Server } from "node:http";
import type { ListenAddress } from "../../shared/config/addresses.ts";
import { type Answer, closeServer, defaultLimits, type Limits, limitedServer } from "./limited-server.ts";
import { listenDualStack, portOf } from "./listen.ts";

export interface ListenerOptions {
  readonly address: ListenAddress;
  /** `bindAddressHardFail`: `start` rejects if the address can't be had. Else it is tried again and again. */
  readonly hardFail?: boolean;
  readonly retryMs?: number;
  readonly limits?: Limits;
  /** Once for each reason, in one line: why the address could not be had. */
  readonly onFailure?: (message: string) => void;
  /** A request made the agent throw: a defect, which costs this request only. */
  readonly onDefect?: (error: unknown) => void;
}

export class HttpListener {
  readonly #name: string;
  readonly #answer: Answer;
  readonly #options: ListenerOptions;
  #server: Server | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #lastFailure: string | undefined;

  constructor(name: string, answer: Answer, options: ListenerOptions) {
    this.#name = name;
    this.#answer = answer;
    this.#options = options;
  }

  /** The port, while it listens. */
  get port(): number | undefined {
    return this.#server === undefined ? undefined : portOf(this.#server);
  }

  /** Tries once. With `hardFail` a failure rejects, else it is reported, and the address tried again every 5 s. */
  async start(): Promise<void> {
    const { address, hardFail = false, limits = defaultLimits, onDefect = () => {} } = this.#options;
    const server = limitedServer(this.#answer, onDefect, limits);
    try {
      await listenDualStack(server, address.host, address.port);
    } catch (error) {
      const message = `${this.#name} cannot listen on ${text(address)}: ${(error as Error).message}`;
      if (hardFail) throw new Error(message, { cause: error });
      this.#retry(message);
      return;
    }
    if (this.#closed) {
      await closeServer(server);
      return;
    }
    this.#server = server;
  }

  /** Stops listening and drops all connections. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await closeServer(server);
  }

  #retry(message: string): void {
    if (message !== this.#lastFailure) this.#options.onFailure?.(message);
    this.#lastFailure = message;
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.start(), this.#options.retryMs ?? 5000);
    this.#timer.unref();
  }
}

function text({ host, port }: ListenAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
