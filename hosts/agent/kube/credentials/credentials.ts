// How we authenticate to the API server: headers of each request.
import { keepSecret } from "../../log/secrets.ts";
import type { FileContents } from "./file-contents.ts";
import type { ClientCertificate } from "./tls-material.ts";

export interface Credentials {
  /** For the next request. May read files or run a plugin; rejects if there is nothing to show. */
  current(): Promise<Presented>;
  /** The server answered 401: these credentials must not be used again. */
  rejected(): void;
  /** Milliseconds since 1970 at which the certificate expires that a plugin has made; undefined: none has. */
  certificateExpires?(): number | undefined;
}

export interface Presented {
  readonly headers: Readonly<Record<string, string>>;
  readonly certificate?: ClientCertificate;
}

/** The same headers for ever; none for anonymous requests and for client certificates. */
export class StaticCredentials implements Credentials {
  readonly #headers: Readonly<Record<string, string>>;

  constructor(headers: Readonly<Record<string, string>> = {}) {
    this.#headers = headers;
  }

  static basic(username: string, password: string): StaticCredentials {
    const both = Buffer.from(`${username}:${password}`).toString("base64");
    keepSecret(password);
    keepSecret(both);
    return new StaticCredentials({ authorization: `Basic ${both}` });
  }

  static bearer(token: string): StaticCredentials {
    keepSecret(token);
    return new StaticCredentials({ authorization: `Bearer ${token.trim()}` });
  }

  async current(): Promise<Presented> {
    return { headers: this.#headers };
  }

  rejected(): void {
    // There are no others to try.
  }
}

/** A token in a file that is replaced while we run, as service accounts have it. */
export class TokenFileCredentials implements Credentials {
  readonly #file: FileContents;
  readonly #fallback: string | undefined;

  /** @param fallback what counts as long as the file can't be read */
  constructor(file: FileContents, fallback?: string) {
    this.#file = file;
    this.#fallback = fallback;
  }

  async current(): Promise<Presented> {
    const token = (await this.#token()).trim();
    keepSecret(token);
    return { headers: { authorization: `Bearer ${token}` } };
  }

  async #token(): Promise<string> {
    if (this.#fallback === undefined) return this.#file.read();
    return this.#file.read().catch(() => this.#fallback as string); // as client-go, which starts with the static one
  }

  rejected(): void {
    this.#file.expire();
  }
}

/** Adds headers, such as those for impersonation, to what others present. */
export class WithHeaders implements Credentials {
  readonly #inner: Credentials;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(inner: Credentials, headers: Readonly<Record<string, string>>) {
    this.#inner = inner;
    this.#headers = headers;
  }

  async current(): Promise<Presented> {
    const presented = await this.#inner.current();
    return { ...presented, headers: { ...presented.headers, ...this.#headers } };
  }

  rejected(): void {
    this.#inner.rejected();
  }
}
