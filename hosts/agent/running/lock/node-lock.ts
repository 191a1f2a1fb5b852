// One agent a node. Two would undo each other's rules all the time: each would take the other's for damage.
//
// The lock is a packet queue of the kernel (queue-lock.ts). Beside it a socket is bound (lock-name.ts): it says who has the lock,
// and it is the lock of earlier versions, and of all versions where the kernel has no such queues.

import type { Log } from "../../log/log.ts";
import type { Clock } from "../../time/clock.ts";
import { findNameHolder, LOCK_ADDRESSES, LockName, type NameHolder, UNSEEN } from "./lock-name.ts";
import { type Claim, QueueLock, readQueue } from "./queue-lock.ts";

/** How long a holder of which nothing can be seen keeps an agent from its work. */
const UNSEEN_MS = 10_000;
/** The same for root's processes in other pods: an agent of an earlier version that is told to end has 30 s, and is gone then. */
const PERHAPS_MS = 45_000;
/** How often one that works without the lock tries to get it, and how often a kernel without queues is asked again. */
const SELDOM_MS = 10_000;
const RETRY_MS = 100;
/** How often one that waits looks who has the lock. */
const LOOK_MS = 2_000;

/** Who has the lock. */
export interface Holder {
  /** An agent, or somebody who can't be told from one. */
  readonly isAgent: boolean;
  /** `process 17, mode flat`, as far as it is known. */
  readonly text: string;
}

export interface NodeLockOptions {
  readonly mode: string;
  readonly log: Log;
  readonly clock: Clock;
  /** For tests. */
  readonly queue?: Pick<QueueLock, "take" | "setMode" | "close">;
}

/** What became of one try. */
type AttemptOutcome =
  | { readonly kind: "ours" }
  /** An agent has it: its end is waited for. */
  | { readonly kind: "agent"; readonly text: string }
  /** It can't be had, and nobody can tell who has it: wait for a while. */
  | { readonly kind: "doubt"; readonly text: string; readonly patienceMs: number };

/**
 * Tries until it has the lock. If an agent holds it, this waits until that agent ends, however long that takes. A stopped
 * agent (SIGSTOP) counts too: it may go on at any moment. A holder that may not write rules holds nothing up, or only for a
 * while. Then this agent works without the lock, or with a part of it, and keeps trying.
 */
export class NodeLock {
  /** Resolves as soon as rules may be written. */
  readonly free: Promise<void>;
  readonly #options: NodeLockOptions;
  readonly #ending = new AbortController();
  readonly #done: Promise<void>;
  readonly #queue: Pick<QueueLock, "take" | "setMode" | "close">;
  readonly #names = new Map<Uint8Array, LockName>();
  #mode: string;
  #release: () => void = () => {};
  #isFree = false;
  #holdUp = "";
  #warning = "";
  #withoutQueueUntil = 0;
  #withoutQueue: Claim | undefined;
  #holder: { readonly text: string; readonly at: number } | undefined;

  constructor(options: NodeLockOptions) {
    this.#options = options;
    this.#mode = options.mode;
    this.#queue = options.queue ?? new QueueLock();
    this.free = new Promise((resolve) => {
      this.#release = resolve;
    });
    this.#done = this.#acquire();
  }

  /** Why no rules are written yet; "" if they may be. */
  get holdUp(): string {
    return this.#holdUp;
  }

  /** Why another agent may be writing rules too; "" if the lock is held or waited for. */
  get warning(): string {
    return this.#warning;
  }

  /** Others are told from now on that it works in this mode. */
  async setMode(mode: string): Promise<void> {
    this.#mode = mode;
    await this.#queue.setMode(mode);
  }

  /** Whoever waits for it gets it. `free` does not resolve after this. */
  async close(): Promise<void> {
    this.#ending.abort();
    await this.#done;
    // In this order: an agent of this version that gets the queue checks next whether an earlier version has the names.
    await Promise.all([...this.#names.values()].map((name) => name.close()));
    await this.#queue.close();
  }

  async #acquire(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#ending;
    let doubtSince: number | undefined;
    while (!signal.aborted) {
      const outcome = await this.#try();
      if (outcome.kind === "ours") {
        if (this.#holdUp + this.#warning !== "") log.info({}, "the node's lock is free, and taken");
        this.#warning = "";
        this.#goOn();
        return;
      }
      if (outcome.kind === "agent") {
        doubtSince = undefined;
        this.#met(outcome.text);
      } else {
        doubtSince ??= clock.now();
        this.#doubt(outcome, clock.now() - doubtSince);
      }
      if (!signal.aborted) await clock.sleep(this.#isFree ? SELDOM_MS : RETRY_MS, signal);
    }
  }

  async #try(): Promise<AttemptOutcome> {
    const claim = await this.#claim();
    if (claim.state === "agent") {
      return { kind: "agent", text: await this.#look(claim.mode) };
    }
    const holder = await this.#takeNames();
    if (holder?.kind === "agent") return { kind: "agent", text: textOf(holder) };
    if (claim.state === "foreign") return { kind: "doubt", text: claim.reason, patienceMs: UNSEEN_MS };
    if (claim.state === "unavailable" && this.#withoutQueue === undefined) {
      this.#withoutQueue = claim;
      this.#options.log.warn({ reason: claim.reason }, "the node's lock is no more than the socket @sluice-agent");
    }
    if (holder === undefined) return { kind: "ours" };
    const others = claim.state === "taken" ? "an agent of an earlier version" : "a second agent";
    const unnoticed = `${others} on this node would not be noticed`;
    if (holder.kind === "stranger") {
      const text = `${processOf(holder)} has the socket @sluice-agent and is no sluice agent: ${unnoticed}`;
      return { kind: "doubt", text, patienceMs: 0 };
    }
    const text = `${processOf(holder)} has the socket @sluice-agent, and whether it is ${others} can't be seen`;
    return { kind: "doubt", text, patienceMs: holder.kind === "unseen" ? UNSEEN_MS : PERHAPS_MS };
  }

  /** A kernel without queues looks for a module each time it is asked for one, so it is asked seldom. */
  async #claim(): Promise<Claim> {
    const { clock } = this.#options;
    if (this.#withoutQueue !== undefined && clock.now() < this.#withoutQueueUntil) return this.#withoutQueue;
    const claim = await this.#queue.take(this.#mode);
    if (claim.state === "unavailable") this.#withoutQueueUntil = clock.now() + SELDOM_MS;
    return claim;
  }

  /** Takes the names. Returns the holder of one that can't be had: of two, the one that is more likely an agent. Undefined: all are ours. */
  async #takeNames(): Promise<NameHolder | undefined> {
    let found: NameHolder | undefined;
    for (const address of LOCK_ADDRESSES) {
      if (this.#names.has(address)) continue;
      // All take the names in the same order, so that no two of them can wait for each other.
      const mayTake = found === undefined || found.kind === "stranger" || this.#isFree;
      found = likeliest([found, mayTake ? await this.#takeName(address) : await findNameHolder(address)]);
    }
    return found;
  }

  async #takeName(address: Uint8Array): Promise<NameHolder | undefined> {
    const name = await LockName.listen(address, () => this.#mode);
    if (typeof name === "string") return name === "EADDRINUSE" ? ((await findNameHolder(address)) ?? UNSEEN) : UNSEEN;
    this.#names.set(address, name);
    return undefined;
  }

  /** Who has the lock, looked at every 2 s. */
  async #look(mode: string | undefined): Promise<string> {
    const now = this.#options.clock.now();
    if (this.#holder === undefined || now - this.#holder.at > LOOK_MS) {
      this.#holder = { text: await describeHolder(mode), at: now };
    }
    return this.#holder.text;
  }

  /** An agent holds the lock. */
  #met(text: string): void {
    if (this.#isFree) this.#warn(`another sluice agent writes this node's rules as well (${text}); end one of them`);
    else this.#wait(`another sluice agent writes this node's rules (${text}); its end is waited for`);
  }

  #doubt({ text, patienceMs }: { text: string; patienceMs: number }, forMs: number): void {
    if (forMs < patienceMs && !this.#isFree) {
      this.#wait(`${text}; it is tried again`);
    } else {
      this.#warn(text);
      this.#goOn();
    }
  }

  #wait(text: string): void {
    if (this.#holdUp !== text) this.#options.log.warn({}, text);
    this.#holdUp = text;
  }

  #warn(text: string): void {
    if (this.#warning !== text) this.#options.log.error({}, text);
    this.#warning = text;
  }

  #goOn(): void {
    this.#holdUp = "";
    this.#isFree = true;
    this.#release();
  }
}

/** Who holds the lock; undefined: nobody, or it has just been let go. */
export async function lockHolder(): Promise<Holder | undefined> {
  const queue = await readQueue();
  if (typeof queue === "object" && queue.mode !== undefined) {
    return { isAgent: true, text: await describeHolder(queue.mode) };
  }
  if (queue === "unreadable") {
    const lock = new QueueLock();
    const { state } = await lock.take("flat");
    await lock.close();
    if (state === "agent") return { isAgent: true, text: await describeHolder(undefined) };
  }
  const holder = likeliest(await Promise.all(LOCK_ADDRESSES.map((address) => findNameHolder(address))));
  return holder === undefined ? undefined : { isAgent: holder.kind !== "stranger", text: textOf(holder) };
}

/** Who has the queue. The names are believed only if their holder may hold the queue as well. */
async function describeHolder(mode: string | undefined): Promise<string> {
  const holder = likeliest(await Promise.all(LOCK_ADDRESSES.map((address) => findNameHolder(address, mode))));
  const believed = holder?.kind === "agent" || holder?.kind === "perhaps" ? holder : UNSEEN;
  return textOf({ ...believed, mode: mode ?? believed.mode });
}

const LIKELIEST: readonly NameHolder["kind"][] = ["agent", "perhaps", "unseen", "stranger"];

function likeliest(holders: readonly (NameHolder | undefined)[]): NameHolder | undefined {
  const found = holders.filter((holder) => holder !== undefined);
  return found.sort((a, b) => LIKELIEST.indexOf(a.kind) - LIKELIEST.indexOf(b.kind))[0];
}

function processOf({ pid }: NameHolder): string {
  return pid === 0 ? "somebody" : `process ${pid}`;
}

function textOf(holder: NameHolder): string {
  const { pid, mode, isStopped } = holder;
  const parts = [
    pid === 0 ? "" : processOf(holder),
    mode === undefined ? "" : `mode ${mode}`,
    isStopped ? "stopped" : "",
  ];
  const text = parts.filter((part) => part !== "").join(", ");
  return text === "" ? "a process that can't be seen" : text;
}
