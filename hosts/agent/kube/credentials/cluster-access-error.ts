// Why the API server cannot be reached with what was configured.
import { redactText } from "../../log/redact.ts";

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
    super(redactText(message, MESSAGE_LENGTH));
    this.file = file;
    this.field = field;
    this.hint = hint;
  }
}
