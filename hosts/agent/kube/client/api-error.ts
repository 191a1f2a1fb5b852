// How requests to the API server fail.
import { redactText } from "../../log/redact.ts";
import { retryAfterMs } from "./retry-after.ts";

/** The server has answered with an error. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** HTTP status, or the code of an ERROR line. */
  readonly status: number;
  /** `reason` of the Status object, such as `Expired`; "" where there was none. */
  readonly reason: string;
  /** Retry-After, in milliseconds, as `retryAfterMs` bounds it; 0 if the server gave none. */
  readonly retryAfterMs: number;
  /** `reason` of each of the Status object's causes, such as `ResourceVersionTooLarge`. */
  readonly causes: readonly string[];

  constructor(status: number, reason: string, message: string, retryAfterMs = 0, causes: readonly string[] = []) {
    super(redactText(message));
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
    this.causes = causes;
  }
}

/** No answer: no connection, or it broke. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  /** `ECONNREFUSED`, `UND_ERR_SOCKET`, `SELF_SIGNED_CERT_IN_CHAIN`, …; "" if unknown. */
  readonly code: string;

  constructor(host: string, cause: unknown) {
    const code = codeOf(cause);
    super(redactText(`${host}: ${messageOf(cause)}`), { cause });
    this.code = code;
  }
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(messageOf).join("; ");
  if (!(error instanceof Error)) return String(error);
  return error.message === "" ? codeOf(error) : error.message;
}

function codeOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown };
  if (typeof code === "string") return code;
  return cause === undefined ? "" : codeOf(cause);
}

interface StatusBody {
  kind?: unknown;
  message?: unknown;
  reason?: unknown;
  details?: { retryAfterSeconds?: unknown; causes?: unknown } | null;
}

/** Reads a refusal: a Status object, or whatever a proxy in between has answered. */
export function apiError(request: string, status: number, headers: Record<string, unknown>, body: string): ApiError {
  let parsed: StatusBody = {};
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === "object" && value !== null) parsed = value;
  } catch {
    // No JSON, so it is not from an API server. The status and the beginning of the text have to do.
  }
  const reason = typeof parsed.reason === "string" ? parsed.reason : "";
  const text = typeof parsed.message === "string" ? parsed.message : redactText(body.replace(/\s+/g, " ").trim(), 200);
  const waitMs = retryAfterMs(headers["retry-after"] ?? parsed.details?.retryAfterSeconds);
  const message = `${request}: ${status}${text === "" ? "" : ` ${text}`}`;
  return new ApiError(status, reason, message, waitMs, causesOf(parsed));
}

function causesOf({ details }: StatusBody): string[] {
  const causes: unknown = details?.causes;
  if (!Array.isArray(causes)) return [];
  return causes
    .map((cause: { reason?: unknown } | null) => cause?.reason)
    .filter((reason) => typeof reason === "string");
}
