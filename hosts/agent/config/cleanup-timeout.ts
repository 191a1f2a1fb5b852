// --timeout of `sluice cleanup`.
import { parseDuration } from "../../shared/config/duration.ts";

const DEFAULT_MS = 300_000;

/** How long a cleanup waits, in milliseconds: 5 m where nothing is given, undefined if the text is no such duration. */
export function parseTimeout(text = ""): number | undefined {
  if (text === "") return DEFAULT_MS;
  const timeout = parseDuration(text);
  return timeout === undefined || timeout < 0 ? undefined : timeout;
}
