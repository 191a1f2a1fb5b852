// Durations as Go writes and reads them: 30s, 1m0s, 1.5h.

/** In milliseconds. */
const units: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * Milliseconds of Go's text, or of a number of nanoseconds. Undefined if the text is no duration.
 */
export function parseDuration(value: string | number): number | undefined {
  if (typeof value === "number") return value * 1e-6;
  const [, sign, rest = ""] = /^([-+]?)(.+)$/.exec(value) ?? [];
  if (rest === "0") return 0;
  if (!/^(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(rest)) return undefined;
  let sum = 0;
  for (const [, amount, unit] of rest.matchAll(/([0-9.]+)([a-zµμ]+)/g))
    sum += Number(amount) * (units[unit ?? ""] ?? 0);
  return sign === "-" ? -sum : sum;
}

/** As Go prints it: `1m0s`, `1.5s`, `250ms`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return "0s";
  const sign = milliseconds < 0 ? "-" : "";
  const size = Math.abs(milliseconds);
  if (size < 1e-3) return `${sign}${round(size * 1e6)}ns`;
  if (size < 1) return `${sign}${round(size * 1e3)}µs`;
  if (size < 1000) return `${sign}${round(size)}ms`;
  const hours = Math.floor(size / 3_600_000);
  const minutes = Math.floor((size % 3_600_000) / 60_000);
  const seconds = `${round((size % 60_000) / 1000)}s`;
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${sign}${minutes}m${seconds}` : `${sign}${seconds}`;
}

/** Nine digits after the point: nanoseconds of seconds, without what binary fractions add. */
function round(value: number): number {
  return Number(value.toFixed(9));
}
