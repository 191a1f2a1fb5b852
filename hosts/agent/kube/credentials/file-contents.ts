// A file that others replace now and then: certificates, tokens.
import { readFile } from "node:fs/promises";
import type { Clock } from "../../time/clock.ts";
import { ClusterAccessError } from "./cluster-access-error.ts";

/** How old the content in memory may be. For tokens as in client-go: a minute, less ten seconds. */
export const TOKEN_FILE_MS = 50_000;
export const CERTIFICATE_FILE_MS = 60_000;

export class FileContents {
  readonly path: string;
  readonly #field: string;
  readonly #everyMs: number;
  readonly #clock: Clock;
  #text: string | undefined;
  #readAt = 0;
  #stale = true;

  /**
   * @param field where the path was found, for errors
   * @param everyMs how old what was read may be
   */
  constructor(path: string, field: string, everyMs: number, clock: Clock) {
    this.path = path;
    this.#field = field;
    this.#everyMs = everyMs;
    this.#clock = clock;
  }

  /** The content in memory may be out of date: the next `read` reads the file. */
  expire(): void {
    this.#stale = true;
  }

  /**
   * The file's text. If the file can't be read now, or is empty, its former text stays in use.
   *
   * @throws ClusterAccessError if it could never be read
   */
  async read(): Promise<string> {
    const now = this.#clock.now();
    if (this.#text !== undefined && !this.#stale && now - this.#readAt < this.#everyMs) return this.#text;
    try {
      const text = await readFile(this.path, "utf8");
      if (text.trim() === "") throw new Error("the file is empty");
      this.#text = text;
      this.#stale = false;
      this.#readAt = now;
    } catch (error) {
      if (this.#text !== undefined) return this.#text;
      const what = error instanceof Error ? error.message : String(error);
      throw new ClusterAccessError(this.path, this.#field, what, "check that the file is mounted and readable");
    }
    return this.#text;
  }
}
