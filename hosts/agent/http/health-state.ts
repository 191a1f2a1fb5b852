// What the agent knows of its own health, and what its health endpoints say about it.
//
// | | /livez: restart it | /healthz: send it no traffic | /readyz: an update goes on |
// |---|---|---|---|
// | kube-proxy asks | is a change overdue (twice syncPeriod)? | the same, or the node is about to go | (has none) |
// | Services whose rules the kernel refuses | 200 | 200, named | 200, named |
// | a family that the kernel refuses as a whole, tried again and again | 200 | 503 once a change is overdue | 503 |
// | a run that takes long, and gets on | 200 | 503 once a change is overdue | 503 |
// | a change is overdue and nothing has been tried, or its outcome is unknown | 503 | 503 | 503 |
// | no list from the API server yet, watches gone | 200 | 200, stale | 503 |
// | the node is about to go, or unknown | 200 | 503 | 200 |
//
// A restart reads and writes all rules again. It can't help if the kernel refuses them: the agent would only be away for longer
// and longer. So /livez differs there from kube-proxy's. /healthz keeps kube-proxy's meaning: the rules are old.

import type { Family, NodeView } from "../../shared/contract.ts";
import { FAMILIES, familyName } from "../../shared/families.ts";
import { systemClock } from "../time/clock.ts";

/** What the agent watches. */
export type Resource = "services" | "endpointslices" | "nodes" | "servicecidrs";

/** The state of a resource's watch. */
export interface WatchView {
  readonly resource: Resource;
  /** A complete list was read, and a watch is open. */
  readonly alive: boolean;
  /** Since the API server was heard last; undefined: never. */
  readonly staleSeconds: number | undefined;
}

export interface HealthOptions {
  /** Rules that wait longer than twice this are overdue. */
  readonly syncPeriodMs: number;
  /** Families that must have been written for the agent to be ready. */
  readonly families?: readonly Family[];
  /** Resources without which the agent is not ready. */
  readonly required?: readonly Resource[];
  /** Asked with each probe; `Metrics` takes the same. */
  readonly watches?: () => Iterable<WatchView>;
  /** Why rules may not be written yet, asked with each probe; "" if they may. */
  readonly holdUp?: () => string;
  /** What else /healthz should warn of, asked with each probe; "" if nothing. */
  readonly warning?: () => string;
  /** Milliseconds since some moment; it never goes back. */
  readonly now?: () => number;
  /** Milliseconds since 1970. Only for display, because the clock may be set at any time. */
  readonly wallClock?: () => number;
}

export interface HealthAnswer {
  readonly code: 200 | 503;
  readonly body: string;
}

interface FamilyState {
  /** When the rules were written last. */
  updated: number | undefined;
  /** Since when a change waits. */
  queued: number | undefined;
  /** Why the last write has failed. */
  failure: string | undefined;
  /** When the last write failed for a reason that would stop another process as well. */
  refused: number | undefined;
}

/** A watch that is quiet for longer is called stale: API servers send a bookmark about once a minute. */
const STALE_SECONDS = 5 * 60;

/** Milliseconds since 1970 as Go's time.Time in JSON: RFC 3339 without zeros at the end of the fraction. */
function goTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.?0*Z$/, "Z");
}

/**
 * Call `queued` when a family's rules have to change (also once at the start, so that a first write that never
 * succeeds is noticed), `updated` when the kernel has them, `failed` when it has refused them.
 */
export class HealthState {
  readonly #timeoutMs: number;
  readonly #families: readonly Family[];
  readonly #required: readonly Resource[];
  readonly #holdUp: () => string;
  readonly #warning: () => string;
  readonly #now: () => number;
  readonly #wallClock: () => number;
  readonly #states = new Map<Family, FamilyState>();
  readonly #watches: () => Iterable<WatchView>;
  readonly #warnings = new Map<string, string>();
  /** When the run under way made progress last; undefined: there is none. */
  #progressed: number | undefined;
  #nodeEligible = false;
  #stopping = false;

  constructor(options: HealthOptions) {
    this.#timeoutMs = 2 * options.syncPeriodMs;
    this.#families = options.families ?? FAMILIES;
    this.#required = options.required ?? ["services", "endpointslices"];
    this.#watches = options.watches ?? (() => []);
    this.#holdUp = options.holdUp ?? (() => "");
    this.#warning = options.warning ?? (() => "");
    this.#now = options.now ?? systemClock.now;
    this.#wallClock = options.wallClock ?? Date.now;
  }

  queued(family: Family): void {
    this.#family(family).queued ??= this.#now();
  }

  /** A run makes progress: more rules are read or planned, or a transaction is written. A restart would begin it anew. */
  progressed(): void {
    this.#progressed = this.#now();
  }

  updated(family: Family): void {
    this.#progressed = undefined;
    const state = this.#family(family);
    state.updated = this.#now();
    state.queued = undefined;
    state.failure = undefined;
    state.refused = undefined;
  }

  /** `reason` in one line. The change still waits. `mayRestartHelp`: another process might do better. */
  failed(family: Family, reason: string, mayRestartHelp = true): void {
    this.queued(family);
    this.#progressed = undefined;
    const state = this.#family(family);
    state.failure = reason;
    state.refused = mayRestartHelp ? undefined : this.#now();
  }

  /** Until this is called the Node counts as unknown, and so as one that load balancers should leave alone. */
  node({ known, deleting, toBeDeleted }: Pick<NodeView, "known" | "deleting" | "toBeDeleted">): void {
    this.#nodeEligible = known && !deleting && !toBeDeleted;
  }

  /** Shown in /healthz and /readyz until it is taken back; changes no code. */
  warn(key: string, text: string | undefined): void {
    if (text === undefined) this.#warnings.delete(key);
    else this.#warnings.set(key, text);
  }

  /** From now on the agent is not ready. */
  stopping(): void {
    this.#stopping = true;
  }

  /** No family has a change that waits for longer than twice the sync period. */
  get healthy(): boolean {
    return [...this.#states.values()].every((state) => this.#inTime(state));
  }

  /** Nothing is overdue that a restart could help. */
  get alive(): boolean {
    if (this.#progressed !== undefined && this.#now() - this.#progressed < this.#timeoutMs) return true;
    return [...this.#states.values()].every((state) => this.#inTime(state) || this.#isRefused(state));
  }

  /** The Node is known and is not about to go. */
  get nodeEligible(): boolean {
    return this.#nodeEligible;
  }

  livez(): HealthAnswer {
    return this.#answer(this.alive, this.alive, {}, {});
  }

  /** As kube-proxy says it; what it does not say comes after that. */
  healthz(): HealthAnswer {
    const stale = this.#stale();
    const failures = this.#families.flatMap((family) => this.#failureOf(family));
    const warnings = [this.#holdUp(), this.#warning(), ...this.#warnings.values(), ...failures].filter(
      (text) => text !== "",
    );
    return this.#answer(
      this.healthy && this.#nodeEligible,
      this.healthy,
      { nodeEligible: this.#nodeEligible },
      {
        ...(stale.length === 0 ? {} : { stale }),
        ...(warnings.length === 0 ? {} : { warnings }),
      },
    );
  }

  readyz(): HealthAnswer {
    const reasons = this.#notReady();
    const ready = reasons.length === 0;
    const warnings = [...this.#warnings.values()];
    const more = { ...(ready ? {} : { reasons }), ...(warnings.length === 0 ? {} : { warnings }) };
    return {
      code: ready ? 200 : 503,
      body: JSON.stringify({ currentTime: this.#shown(this.#now()), ready, ...more }),
    };
  }

  #failureOf(family: Family): string[] {
    const failure = this.#states.get(family)?.failure;
    return failure === undefined ? [] : [`the last write of the ${familyName(family)} rules has failed: ${failure}`];
  }

  #answer(ok: boolean, healthy: boolean, eligibility: object, more: object): HealthAnswer {
    const now = this.#now();
    const newest = [...this.#states.values()].reduce<number | undefined>(
      (latest, { updated }) => (updated === undefined || (latest ?? 0) > updated ? latest : updated),
      undefined,
    );
    const status = Object.fromEntries(
      this.#families.flatMap((family) => {
        const state = this.#states.get(family);
        if (state === undefined) return [];
        return [[familyName(family), { lastUpdated: this.#shown(state.updated), healthy: this.#inTime(state) }]];
      }),
    );
    const body = JSON.stringify({
      lastUpdated: this.#shown(ok ? now : newest),
      currentTime: this.#shown(now),
      ...eligibility,
      healthy,
      ...(Object.keys(status).length === 0 ? {} : { status }),
      ...more,
    });
    return { code: ok ? 200 : 503, body };
  }

  /** The wall clock's time at that moment, as if the clock had not been set since. */
  #shown(time: number | undefined): string {
    if (time === undefined) return "0001-01-01T00:00:00Z";
    return goTime(Math.round(this.#wallClock() - (this.#now() - time)));
  }

  #inTime(state: FamilyState): boolean {
    return state.queued === undefined || this.#now() - state.queued < this.#timeoutMs;
  }

  /** The kernel has refused the rules a short while ago, and they are being retried. */
  #isRefused(state: FamilyState): boolean {
    return state.refused !== undefined && this.#now() - state.refused < this.#timeoutMs;
  }

  #stale(): { resource: Resource; secondsSinceLastByte?: number }[] {
    return [...this.#watches()].flatMap(({ resource, alive, staleSeconds }) => {
      if (alive && (staleSeconds ?? 0) < STALE_SECONDS) return [];
      return [{ resource, ...(staleSeconds === undefined ? {} : { secondsSinceLastByte: Math.round(staleSeconds) }) }];
    });
  }

  #notReady(): string[] {
    const reasons: string[] = [];
    if (this.#stopping) reasons.push("the agent is about to end");
    if (this.#holdUp() !== "") reasons.push(this.#holdUp());
    for (const family of this.#families) {
      const state = this.#states.get(family);
      const name = familyName(family);
      if (state?.failure !== undefined) reasons.push(...this.#failureOf(family));
      else if (state?.updated === undefined) reasons.push(`the ${name} rules have not been written yet`);
      else if (!this.#inTime(state)) reasons.push(`a change of the ${name} rules is overdue`);
    }
    const alive = new Set([...this.#watches()].filter((watch) => watch.alive).map(({ resource }) => resource));
    for (const resource of this.#required) {
      if (!alive.has(resource)) reasons.push(`${resource} are not being watched`);
    }
    return reasons;
  }

  #family(family: Family): FamilyState {
    let state = this.#states.get(family);
    if (state === undefined) {
      state = { updated: undefined, queued: undefined, failure: undefined, refused: undefined };
      this.#states.set(family, state);
    }
    return state;
  }
}
