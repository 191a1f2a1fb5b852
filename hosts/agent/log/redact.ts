// What may be shown, in logs, events and answers: no secrets, no dumps of rules, nothing long.
import { hideSecrets } from "./secrets.ts";

const LONGEST_TEXT = 500;
const LONGEST_STACK = 2000;
const MOST_ITEMS = 20;
const DEEPEST = 4;

/** Names of fields whose values are never shown. */
const SECRET = /token|password|passwd|secret|authorization|cookie|(?:key|certificate|ca)-?data|client-?key|private/i;

/** Credentials inside text: HTTP authorization, users and queries of URLs, JSON web tokens, PEM blocks. */
const CREDENTIALS: [RegExp, string][] = [
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]+/gi, "$1 (hidden)"],
  [/(\w+:\/\/)[^/\s@"'<>]+@/g, "$1(hidden)@"],
  [/([^\s"'<>]\?)[\w.~%[\]-]+=[^\s"'<>]*/g, "$1(hidden)"],
  [/\b((?:access_|id_|refresh_)?token|password|passwd|client_secret|api_?key)=[^\s"'<>&;,]+/gi, "$1=(hidden)"],
  [/\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*/g, "(hidden)"],
  [/-----BEGIN [A-Z ]+-----[\s\S]*?(?:-----END [A-Z ]+-----|$)/g, "(hidden)"],
];

/** The text without credentials, cut to a length that a line of a log may have. */
export function redactText(text: string, longest = LONGEST_TEXT): string {
  // What is far behind the end of what is shown need not be searched: a credential that this cut splits is not shown either.
  let redacted = text.length > 4 * longest ? text.slice(0, 4 * longest) : text;
  redacted = hideSecrets(redacted);
  for (const [pattern, replacement] of CREDENTIALS) redacted = redacted.replace(pattern, replacement);
  if (redacted.length <= longest && text.length <= 4 * longest) return redacted;
  return `${redacted.slice(0, longest)}… (${text.length} characters)`;
}

function redactError(error: Error): object {
  const { code } = error as NodeJS.ErrnoException;
  const cause = error.cause instanceof Error ? { cause: redactText(error.cause.message) } : {};
  // An error with a code is caused by the outside world, so its stack says nothing.
  const origin = code === undefined ? { stack: redactText(error.stack ?? "", LONGEST_STACK) } : { code };
  return { message: redactText(error.message), ...origin, ...cause };
}

/** The value as it may be logged: a copy. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "function" || typeof value === "symbol") return undefined;
  if (typeof value !== "object" || value === null) return value;
  if (ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`;
  if (value instanceof Date) return value;
  if (value instanceof Error) return redactError(value);
  if (depth === DEEPEST) return "…";
  if (Array.isArray(value)) {
    const items = value.slice(0, MOST_ITEMS).map((item) => redact(item, depth + 1));
    return value.length > MOST_ITEMS ? [...items, `… (${value.length} items)`] : items;
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, SECRET.test(name) ? "(hidden)" : redact(item, depth + 1)]),
  );
}
