// The Services that have messages or lines in a batch, and trials of parts of it: which of them does the kernel refuse?
import type { Batch, ServiceName } from "../../shared/contract.ts";
import type { EngineInstance } from "../../shared/engine.ts";
import type { KernelWriter, WriteResult } from "../kernel/writer.ts";

/** Suspects are numbered from 0. The batch stays open until one is left out. */
export interface Suspects {
  readonly count: number;
  /** Asks whether the kernel takes what belongs to no Service and to `count` of them, from number `first` on. */
  attempt(first: number, count: number): Promise<WriteResult>;
  /** Closes the batch as failed, and leaves a Service out from now on. */
  leaveOut(number: number, nowMs: number): ServiceName[];
}

type Use = <T>(run: (engine: EngineInstance) => T) => T;

export function suspectsOf(batch: Batch, writer: KernelWriter, use: Use): Suspects {
  if (writer.attemptPart !== undefined) return netlinkSuspects(batch, writer, use);
  return {
    count: writer.attempt === undefined ? 0 : use((engine) => engine.suspects(batch.id)),
    attempt: async (first, count) => {
      const trial = use((engine) => engine.trial(batch.id, first, count));
      return (await writer.attempt?.(batch.family, trial)) ?? { outcome: "unknown", message: "it can't be tried" };
    },
    leaveOut: (number, nowMs) => use((engine) => engine.refusedSuspects(batch.id, [number], nowMs)),
  };
}

function netlinkSuspects(batch: Batch, writer: KernelWriter, use: Use): Suspects {
  const messages = writer.messages?.(batch) ?? [];
  const causes = use((engine) => engine.causes(messages));
  /** Number of each cause, in the order of their messages. */
  const numbers = new Map<number, number>();
  /** One message of each. */
  const samples: number[] = [];
  const suspectOf = new Map<number, number>();
  messages.forEach((message, index) => {
    const cause = causes[index] ?? 0;
    // What several Services share goes with each of them.
    if (cause === 0 || cause % 2 === 1) return;
    const number = numbers.get(cause) ?? samples.push(message) - 1;
    numbers.set(cause, number);
    suspectOf.set(message, number);
  });
  const late = new Set(messages.slice(1 + causes.findLastIndex((cause) => cause !== 0)));
  return {
    count: samples.length,
    attempt: async (first, count) => {
      const wanted = (message: number, removes: boolean): boolean => {
        const suspect = suspectOf.get(message);
        // Deletions at the end need what Services write in their place, so trials go without them.
        if (suspect === undefined) return !removes || !late.has(message);
        return suspect >= first && suspect < first + count;
      };
      return (await writer.attemptPart?.(batch, wanted)) ?? { outcome: "unknown", message: "it can't be tried" };
    },
    leaveOut: (number, nowMs) => use((engine) => engine.refused(batch.id, [samples[number] ?? 0], nowMs)),
  };
}
