// Where the API server is and how to get in: what kubeconfigs and service accounts come down to.
import { scrubText } from "../../log/redact.ts";
import type { Credentials } from "./credentials.ts";
import type { TlsMaterial } from "./tls-material.ts";

export interface ClusterAccess {
  /** Where this was found, for people: a file and its context, or the service account. */
  readonly source: string;
  /** May have a path, which goes in front of all others. */
  readonly server: URL;
  readonly tls: TlsMaterial;
  readonly credentials: Credentials;
  /** http, https or socks5; undefined: straight to the server. */
  readonly proxy: URL | undefined;
}

/** Paths are long at times. */
const MESSAGE_LENGTH = 2000;

/** Address or credentials can't be used as they are: where, and what to do. */
export class ClusterAccessError extends Error {
  override readonly name = "ClusterAccessError";
  /** The file concerned; "" if none. */
  readonly file: string;
  /** Path of the field in that file, or the environment variable; "" if none. */
  readonly field: string;
  /** What to do. */
  readonly hint: string;

  constructor(file: string, field: string, what: string, hint: string) {
    const message = [file, field, what].filter((part) => part !== "").join(": ") + (hint === "" ? "" : `; ${hint}`);
    super(scrubText(message, MESSAGE_LENGTH));
    this.file = file;
    this.field = field;
    this.hint = hint;
  }
}
