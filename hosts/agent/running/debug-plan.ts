// What the agent would do next and why, for people who look at a node: the page /debug/plan.
import type { Family, ServiceName } from "../../shared/contract.ts";
import { lengthOf } from "../../shared/engine.ts";
import { plural } from "../../shared/plural.ts";
import type { ClusterState } from "../sync/cluster-state.ts";
import type { FamilyReport } from "../sync/family-run.ts";
import type { NextRun } from "../sync/schedule.ts";
import type { Clock } from "../time/clock.ts";

export interface DebugPlan {
  /** In one sentence. */
  readonly summary: string;
  /** What the first write waits for, in words. */
  readonly waitingFor: readonly string[];
  readonly nextRun: NextRun;
  /** Age of the oldest change that no run has written yet; null: there is none. */
  readonly oldestChangeMs: number | null;
  /** Failed runs since the last that succeeded. */
  readonly failedRuns: number;
  /** Until the next check whether somebody else has touched the rules. */
  readonly nextLookMs: number | null;
  /** Services that the kernel has refused, and when they are tried again at the latest. */
  readonly leftOut: { readonly count: number; readonly services: readonly string[]; readonly retryMs: number };
  /** What a plan that is made now would write. Empty while a run is at work, and before the first write may begin. */
  readonly plan: readonly FamilyPlan[];
  /** Of each family that has been written. */
  readonly lastRun: readonly FamilyReport[];
}

/** The page. */
export interface DebugPlanPage extends DebugPlan {
  /** Up to where each resource has been heard; empty: not at all. */
  readonly resourceVersions: Readonly<Record<string, string>>;
}

export interface FamilyPlan {
  readonly family: Family;
  /** The kernel's rules are read first and the difference is written, so it is not known yet. */
  readonly readFirst: boolean;
  /** Of what may go at once. */
  readonly transactions: number;
  readonly bytes: number;
  /** Services whose rules would be written or removed, and the names of the first five. */
  readonly services: number;
  readonly names: readonly string[];
  /** Rules that belong to no Service are part of it. */
  readonly full: boolean;
  /** Transactions that wait because packets may still be in the chains that they delete, and until when the first one waits. */
  readonly later: { readonly transactions: number; readonly inMs: number } | null;
}

export interface DebugPlanParts {
  readonly state: ClusterState;
  readonly clock: Clock;
  readonly families: readonly Family[];
  /** Families whose rules the next run reads back. */
  readonly unread: readonly Family[];
  readonly waitingFor: readonly string[];
  readonly nextRun: NextRun;
  readonly failedRuns: number;
  /** On the clock. */
  readonly waitingSince: number | undefined;
  readonly driftCheckAt: number | undefined;
  readonly retryAt: number;
  readonly lastRun: readonly FamilyReport[];
}

/** A page for people has no room for all names of a large cluster. */
const NAMES_AT_MOST = 100;

/**
 * Between two runs this makes a plan and sends nothing of it. The engine forgets the plan as soon as the next run plans.
 * While a run is at work there is no plan here: it would take away the run's open batches.
 *
 * @throws {EngineTrapError}
 */
export function debugPlanOf(parts: DebugPlanParts): DebugPlan {
  const { state, clock, nextRun, waitingFor, failedRuns, lastRun } = parts;
  const now = clock.now();
  const leftOut = state.use((engine) => engine.leftOut());
  const isQuiet = nextRun.state !== "at work" && waitingFor.length === 0;
  const plan = isQuiet ? planOf(parts) : [];
  return {
    summary: summary(parts, plan, leftOut.length),
    waitingFor,
    nextRun,
    oldestChangeMs: parts.waitingSince === undefined ? null : Math.round(now - parts.waitingSince),
    failedRuns,
    nextLookMs: parts.driftCheckAt === undefined ? null : until(parts.driftCheckAt, now),
    leftOut: {
      count: leftOut.length,
      services: leftOut.slice(0, NAMES_AT_MOST).map(nameOf),
      retryMs: until(parts.retryAt, now),
    },
    plan,
    lastRun,
  };
}

function planOf({ state, clock, families, unread }: DebugPlanParts): FamilyPlan[] {
  // If everything is read back first, a plan against what the engine thinks is there means nothing.
  const isKnown = families.some((family) => !unread.includes(family));
  const batches = isKnown ? state.use((engine) => engine.plan(clock.now())) : [];
  return families.map((family) => {
    const readFirst = unread.includes(family);
    const own = readFirst ? [] : batches.filter((batch) => batch.family === family);
    const first = own.findIndex(({ notBeforeMs }) => notBeforeMs > 0);
    const atOnce = first < 0 ? own : own.slice(0, first);
    const names = own.length === 0 ? [] : state.use((engine) => engine.plannedServices(family));
    return {
      family,
      readFirst,
      transactions: atOnce.length,
      bytes: atOnce.reduce((sum, { data }) => sum + lengthOf(data), 0),
      services: atOnce.reduce((sum, { services }) => sum + services, 0),
      names: names.map(nameOf),
      full: atOnce.some(({ full }) => full),
      later: first < 0 ? null : { transactions: own.length - first, inMs: own[first]?.notBeforeMs ?? 0 },
    };
  });
}

function summary({ waitingFor, nextRun, failedRuns }: DebugPlanParts, plan: readonly FamilyPlan[], leftOut: number) {
  const besides = leftOut === 0 ? "" : `; ${leftOut} left out, because the kernel refuses the rules`;
  if (waitingFor.length > 0) {
    return `nothing is taken out of the kernel yet; it waits: ${waitingFor.join(", ")}`;
  }
  if (nextRun.state === "at work") return `a run has been at work for ${nextRun.forMs} ms`;
  const due = nextRun.state === "due" ? `in ${nextRun.inMs} ms: ${nextRun.why}` : "with the next change";
  if (plan.some(({ readFirst }) => readFirst))
    return `the kernel's rules are read back in the next run, ${due}${besides}`;
  if (failedRuns > 0) return `${plural(failedRuns, "run")} in a row failed; the next is ${due}`;
  if (plan.some(({ transactions }) => transactions > 0)) return `something waits to be written ${due}${besides}`;
  return `the kernel has what it should have${besides}`;
}

function until(time: number, now: number): number {
  return Math.max(0, Math.round(time - now));
}

function nameOf({ namespace, name }: ServiceName): string {
  return `${namespace}/${name}`;
}
