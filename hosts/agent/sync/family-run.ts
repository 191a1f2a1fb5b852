// One address family in a run of the synchronizer: what is known of its rules in the kernel, and what the run has done.
import type { DriftReport, Family } from "../../shared/contract.ts";
import type { LeftOut } from "./refusals.ts";

/** What one run has done for one family. */
export interface FamilyReport {
  readonly family: Family;
  /** Transactions that the kernel has taken. */
  readonly transactions: number;
  readonly bytes: number;
  /** Services whose rules were written, and the first of their names. */
  readonly services: number;
  readonly names: readonly string[];
  /** The stock rules were among it. */
  readonly full: boolean;
  readonly milliseconds: number;
  /** The table was read back; what differed. */
  readonly drift: DriftReport | undefined;
  /** All that differed is somebody else's doing: what had changed in the cluster was written before. */
  readonly isForeign: boolean;
  /** Services that the kernel did not take: all else is written. */
  readonly leftOut: readonly LeftOut[];
  /** What has failed is not the kernel's refusal of rules: another process might do better. */
  readonly mayRestartHelp: boolean;
  /** Why not everything is written; undefined: the kernel holds what it should, but for what is left out. */
  readonly failure: string | undefined;
}

/** What is known of one family's rules in the kernel, and what the run at work has done for it. */
export class FamilyRun {
  readonly family: Family;
  /** It is not known what the kernel holds. */
  unread = true;
  /** Nothing has been written yet by this engine instance. */
  fresh = true;
  refusedReconciliations = 0;
  /** The kernel has contradicted what we took it to hold, and has not taken a whole run since. */
  isContradicted = false;
  /** The kernel holds what the engine thinks, unless somebody else has touched it. */
  isExact = false;
  /** Its last run has failed. */
  hasFailed = false;
  /** It is left as it is in this run: the back-off since its last failure is not over. */
  waits = false;
  /** A batch was refused, so another plan is needed. */
  plansAgain = false;

  transactions = 0;
  bytes = 0;
  services = 0;
  names: string[] = [];
  full = false;
  milliseconds = 0;
  drift: DriftReport | undefined;
  isForeign = false;
  leftOut: LeftOut[] = [];
  failure: string | undefined;
  mayRestartHelp = false;

  constructor(family: Family) {
    this.family = family;
  }

  /** A new run: what is known of the kernel stays. */
  begin(): void {
    this.transactions = 0;
    this.bytes = 0;
    this.services = 0;
    this.names = [];
    this.full = false;
    this.milliseconds = 0;
    this.drift = undefined;
    this.isForeign = false;
    this.leftOut = [];
    this.failure = undefined;
    this.mayRestartHelp = false;
    this.plansAgain = false;
  }

  /** Batches of it may be sent in this run, once it is known what the kernel holds. */
  get goesOn(): boolean {
    return !this.waits && this.failure === undefined;
  }

  report(): FamilyReport {
    const { family, transactions, bytes, services, names, full, milliseconds } = this;
    const { drift, isForeign, leftOut, mayRestartHelp, failure } = this;
    return {
      ...{ family, transactions, bytes, services, names, full, milliseconds },
      ...{ drift, isForeign, leftOut, mayRestartHelp, failure },
    };
  }
}
