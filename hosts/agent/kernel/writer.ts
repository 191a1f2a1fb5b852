// What the agent needs of a kernel in any mode: to write a batch, to return the result, and to notice changes by others.
import type { Batch, DriftReport, Extension, Family, Mode } from "../../shared/contract.ts";

/** The result of one batch. */
export type WriteResult =
  /** The kernel holds it, all of it. */
  | { readonly outcome: "written" }
  /** The kernel holds what it held before. */
  | {
      readonly outcome: "refused";
      /** In one line: what was refused, why, and what to do. */
      readonly message: string;
      /** Sequence numbers of the messages (netlink) or numbers of the lines (iptables) that were not taken, where it is said. */
      readonly sequences: readonly number[];
      /** The same bytes may succeed later (busy, out of memory, a lock that somebody holds). */
      readonly transient: boolean;
      /**
       * The kernel lacks something that the batch relies on, or has something that it adds. Somebody else may have changed
       * the rules. (Or the kernel lacks a feature.)
       */
      readonly contradicted?: boolean;
      /** This process may not write the table at all: another one owns it. So no Service is to blame. */
      readonly forbidden?: boolean;
    }
  /** It is unknown what the kernel holds: read it again before the next batch. */
  | { readonly outcome: "unknown"; readonly message: string };

/** Our table as the kernel holds it. */
export type Dump =
  /** Whole messages, as `read-dump` of the engine's contract wants them; none: there is no table. */
  | { readonly outcome: "dumped"; readonly pieces: readonly Uint8Array[] }
  /** This mode can't read its rules back: the engine has to `forget` and write everything. `drift`: what has been noticed. */
  | { readonly outcome: "unsupported"; readonly drift: DriftReport | undefined }
  /** Not now: the table never held still, or the kernel refused. Try again later. */
  | { readonly outcome: "failed"; readonly message: string };

/** What somebody else has done to our rules since the last check. */
export type Intactness = "untouched" | "perhaps-touched";

/** Sizes of batches in bytes. */
export interface BatchLimits {
  readonly preferred: number;
  readonly largest: number;
}

/**
 * Writes the batches of one mode for both families, one at a time.
 *
 * No function throws for what the kernel or a child process does; errors are in the result.
 */
export interface KernelWriter {
  readonly mode: Mode;
  /** For `set-batch-limits` of the engine's contract; undefined: batches may have any size. */
  readonly batchLimits?: BatchLimits;
  /** Missing extensions, for `set-missing-extensions` of the engine's contract, each with the reason for Services that need it. */
  readonly missing?: Readonly<Record<Family, ReadonlyMap<Extension, string>>>;
  /** `intactness` starts a process: it is asked once in a sync period. Else it is cheap. */
  readonly checksByProcess?: boolean;
  /** `onPart`: called whenever the kernel has told more; a table with a million elements takes it a minute. */
  dump(family: Family, onPart?: () => void): Promise<Dump>;
  /** Cheap: the kernel has no rules of this mode. Absent: this mode can't begin with a part of its rules. */
  isEmpty?(family: Family): Promise<boolean>;
  /** On which the rules that the kernel has let node ports answer. None: on all, there are no rules, or nobody can tell. */
  nodePortAddresses?(): Promise<readonly string[]>;
  write(batch: Batch): Promise<WriteResult>;
  /** Numbers of the batch's messages, as `causes` of the engine's contract takes them. Absent: it has none. */
  messages?(batch: Batch): readonly number[];
  /**
   * Asks the kernel whether it would take those messages of the batch alone; changes nothing. `removes`: the message
   * deletes something, or empties a chain. Absent: as `messages`.
   */
  attemptPart?(batch: Batch, wanted: (message: number, removes: boolean) => boolean): Promise<WriteResult>;
  /** Gives the kernel a `trial` of the engine's contract. Absent: what this mode's kernel refuses, it names. */
  attempt?(family: Family, trial: readonly Uint8Array[]): Promise<WriteResult>;
  /**
   * Has anybody but us changed the ruleset since our last write (netlink: its generation; iptables: the use of chains, or
   * the canary chains)? "perhaps-touched" asks for a dump (or a full write) to find out.
   */
  intactness(family: Family): Promise<Intactness>;
  /** Removes everything that this mode writes, in both families. Foreign tables and chains stay. */
  cleanup(): Promise<void>;
  close(): Promise<void>;
}
