// The agent's log: a line per change, on standard output, as JSON or as text.
import { type DestinationStream, destination, type Level, type Logger, pino } from "pino";
import type { LoggingConfig } from "../../shared/config/config.ts";
import { BufferedOutput } from "./buffered-output.ts";
import { printableLine, textLine } from "./log-text.ts";
import { redact, redactText } from "./redact.ts";

/**
 * Use as pino's: `log.info({ family, services, seconds }, "rules written")`. Fields first, the same words for the same
 * thing each time. `info` says what an administrator wants to know of a node that is well, `verbose` each change and why, `debug`
 * how it went, `trace` what came over the wire.
 */
export type Log = Pick<
  Logger<"verbose">,
  "fatal" | "error" | "warn" | "info" | "verbose" | "debug" | "trace" | "isLevelEnabled"
>;

/** How much may wait for the reader of the log. Beyond it lines are dropped: a stuck reader must not stop the agent. */
const MOST_WAITING_BYTES = 4 * 1024 * 1024;

/** klog's verbosity at which a level is shown: 2 and 3 tell steady-state changes, 4 and 5 are for debugging, then everything. */
const VERBOSITIES = { verbose: 2, debug: 4, trace: 6 } as const;
/** Between pino's debug (20) and info (30). */
const VERBOSE = 25;

export function levelOf(verbosity: number): Level | "verbose" {
  if (verbosity >= VERBOSITIES.trace) return "trace";
  if (verbosity >= VERBOSITIES.debug) return "debug";
  return verbosity >= VERBOSITIES.verbose ? "verbose" : "info";
}

export interface OpenLog {
  readonly log: Log;
  /** Writes what waits, before the process ends. */
  flush(): void;
}

/** `stream` is for tests; without it lines go to standard output, without ever blocking the process. */
export function openLog(config: Pick<LoggingConfig, "format" | "verbosity">, stream?: DestinationStream): OpenLog {
  const output = stream ?? new BufferedOutput(destination({ dest: 1, sync: false, maxLength: MOST_WAITING_BYTES }));
  const log = pino(
    {
      level: levelOf(config.verbosity),
      customLevels: { verbose: VERBOSE },
      base: null,
      timestamp: () => `,"ts":${Date.now()}`,
      formatters: {
        log: (fields) => withErrorText(redact(fields) as Record<string, unknown>),
        ...(config.format === "json" ? { level: jsonLevel } : {}),
      },
      serializers: { err: (error) => error }, // it is redacted already
      hooks: {
        logMethod(args, method) {
          method.apply(this, withScrubbedText(args) as typeof args);
        },
      },
    },
    config.format === "json" ? asJson(output) : asText(output),
  );
  return {
    log,
    flush: () => {
      if ("flushSync" in output) (output as { flushSync(): void }).flushSync();
    },
  };
}

/** As Kubernetes' components do: errors have no verbosity, and only `level` distinguishes warnings from other lines. */
function jsonLevel(level: string): object {
  if (level === "error" || level === "fatal") return { level };
  return { level: level === "verbose" ? "info" : level, v: VERBOSITIES[level as keyof typeof VERBOSITIES] ?? 0 };
}

/** `err` is text, as Kubernetes' components have it; what else is known of the error stands beside it. */
function withErrorText(fields: Record<string, unknown>): Record<string, unknown> {
  const { err } = fields;
  if (typeof err !== "object" || err === null) return fields;
  const { message, cause, stack, ...others } = err as { message?: string; cause?: string; stack?: string };
  const text = cause === undefined ? message : `${message}: ${cause}`;
  const caller = callerIn(stack ?? "");
  return { ...(caller && { caller }), ...others, ...fields, err: text, ...(stack !== undefined && { stack }) };
}

/** Folder, file and line of a stack's first place, as `agent/log.ts:12`. */
function callerIn(stack: string): string | undefined {
  return /^ +at .*?([^/(\s]+\/[^/()\s]+:\d+):\d+\)?$/m.exec(stack)?.[1];
}

/** Where only an error is given, pino would take its message as it is. */
function withScrubbedText(args: readonly unknown[]): unknown[] {
  const [first, ...rest] = args;
  const fields = first instanceof Error ? { err: first } : first;
  const error = (fields as { err?: unknown } | null | undefined)?.err;
  const all = rest.length === 0 && error instanceof Error ? [fields, error.message] : [fields, ...rest];
  return all.map((each) => (typeof each === "string" ? redactText(each) : each));
}

function asJson(output: DestinationStream): DestinationStream {
  return { write: (line) => output.write(printableLine(line)) };
}

function asText(output: DestinationStream): DestinationStream {
  return { write: (line) => output.write(printableLine(textLine(JSON.parse(line), process.pid))) };
}
