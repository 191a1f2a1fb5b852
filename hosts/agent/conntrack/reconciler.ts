// Removes flows that contradict our rules: conntrack goes on sending their packets to endpoints that are gone, or nowhere. The
// engine decides which flows these are, and why. Here they are fetched and removed.

import type { CheckedFlows, EntryPoint, Family, StaleFlow, StaleReason } from "../../shared/contract.ts";
import type { EngineInstance } from "../../shared/engine.ts";
import { FAMILIES } from "../../shared/families.ts";
import { viewOf } from "../netlink/messages/attributes.ts";
import { EINVAL, ENOENT, EPERM, errnoName, NetlinkError } from "../netlink/messages/errno.ts";
import { NFPROTO } from "../netlink/messages/protocol-family.ts";
import type { Libc } from "../netlink/sockets/libc.ts";
import { NetlinkSocket } from "../netlink/sockets/socket.ts";
import { dumpFlows } from "./dump.ts";
import { identityOf, MOST_AT_ONCE, removeFlows } from "./removal.ts";

/** What of the engine is asked here. */
export type FlowEngine = Pick<EngineInstance, "flowCheckDue" | "beginFlowCheck" | "staleFlows" | "endFlowCheck">;

/** One flow that was removed, or would have been. */
export interface FlowRemoval {
  readonly family: Family;
  readonly kind: CheckedFlows;
  readonly reason: StaleReason;
  readonly entryPoint: EntryPoint;
  /** The Service that has the entry point, or had it last. */
  readonly namespace: string;
  readonly service: string;
  /** The port's name; may be empty. */
  readonly port: string;
  /** `ip:port` or `[ip]:port`, as the next two. */
  readonly client: string;
  readonly destination: string;
  /** From where answers would have come. */
  readonly answers: string;
  readonly dryRun: boolean;
}

export interface ConntrackRun {
  readonly family: Family;
  readonly kind: CheckedFlows;
  /** Flows looked at. */
  readonly flows: number;
  /** Flows removed, or that would have been. */
  readonly removed: number;
  readonly dryRun: boolean;
  readonly durationMs: number;
  /** All flows were checked and all stale ones are gone. Otherwise the check stays due, and `errors` says why. */
  readonly complete: boolean;
  /** In one line each: what did not work, and what to do. */
  readonly errors: readonly string[];
}

export interface ConntrackOptions {
  /** Calls the engine that is current: `RestartingEngine.call` has this form. */
  readonly engine: <T>(run: (engine: FlowEngine) => T) => T;
  /** `--conntrack-dry-run`: says what would be removed, and removes nothing. */
  readonly dryRun: boolean;
  /** Called for each flow once the kernel has removed it. Must not throw. */
  readonly log: (removal: FlowRemoval) => void;
  /** For tests. */
  readonly libc?: Libc;
}

interface StaleEntry {
  readonly flow: StaleFlow;
  readonly identity: Uint8Array;
}

/**
 * Runs over the same kind of flows are made one after the other. Call `runDue` when Services and EndpointSlices have been listed
 * and the batches of a plan are closed: changes that are not committed are left for a later run.
 */
export class ConntrackReconciler {
  readonly #options: ConntrackOptions;
  readonly #last: Record<CheckedFlows, Promise<unknown>> = {
    udp: Promise.resolve(),
    "unanswered-tcp": Promise.resolve(),
  };
  /** Runs that have not begun. */
  readonly #waiting = new Map<string, Promise<ConntrackRun>>();
  #closed = false;

  constructor(options: ConntrackOptions) {
    this.#options = options;
  }

  /** Runs for the families for which the engine says that it is due. Never throws. */
  async runDue(kind: CheckedFlows): Promise<ConntrackRun[]> {
    if (this.#closed) return [];
    const due = FAMILIES.filter((family) => this.#isDue(family, kind));
    return Promise.all(due.map((family) => this.run(family, kind)));
  }

  /** Checks all such flows of a family. Never throws. Calls that wait at the same time share one run. */
  run(family: Family, kind: CheckedFlows): Promise<ConntrackRun> {
    const name = `${family} ${kind}`;
    const waiting = this.#waiting.get(name);
    if (waiting !== undefined) return waiting;
    const run = this.#last[kind].then(() => {
      this.#waiting.delete(name);
      return new Run(family, kind, this.#options).finish();
    });
    this.#waiting.set(name, run);
    this.#last[kind] = run;
    return run;
  }

  /** Waits for runs that have been asked for. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(Object.values(this.#last));
  }

  /** The loss of an engine is not handled here: its next caller learns of it, and does. */
  #isDue(family: Family, kind: CheckedFlows): boolean {
    try {
      return this.#options.engine((engine) => engine.flowCheckDue(family, kind));
    } catch {
      return false;
    }
  }
}

class Run {
  readonly #family: Family;
  readonly #kind: CheckedFlows;
  readonly #options: ConntrackOptions;
  readonly #errors = new Map<string, number>();
  #removed = 0;
  #flows = 0;
  /** Removals go on beside the dump, in order. */
  #removals: Promise<void> = Promise.resolve();

  constructor(family: Family, kind: CheckedFlows, options: ConntrackOptions) {
    this.#family = family;
    this.#kind = kind;
    this.#options = options;
  }

  async finish(): Promise<ConntrackRun> {
    const start = performance.now();
    try {
      this.#options.engine((engine) => engine.beginFlowCheck(this.#family, this.#kind));
      await this.#work();
    } catch (error) {
      this.#failed(explain(error));
    }
    const complete = this.#errors.size === 0;
    try {
      this.#options.engine((engine) => engine.endFlowCheck(this.#family, this.#kind, complete));
    } catch (error) {
      this.#failed(explain(error));
    }
    return {
      family: this.#family,
      kind: this.#kind,
      flows: this.#flows,
      removed: this.#removed,
      dryRun: this.#options.dryRun,
      durationMs: performance.now() - start,
      complete: this.#errors.size === 0,
      errors: [...this.#errors].map(([text, count]) => (count === 1 ? text : `${text} (${count} times)`)),
    };
  }

  async #work(): Promise<void> {
    const open = { ...(this.#options.libc === undefined ? {} : { libc: this.#options.libc }), sendBuffer: 64 << 10 };
    const reader = NetlinkSocket.open(open);
    const remover = NetlinkSocket.open(open);
    try {
      const end = await dumpFlows(reader, NFPROTO[this.#family], this.#kind, (messages) =>
        this.#take(remover, messages),
      );
      this.#flows = end.flows;
      if (end.errno !== 0) throw new NetlinkError("conntrack dump", end.errno, explainDump(end.errno));
      if (end.lost) this.#failed("the kernel dropped parts of the dump of conntrack; the rest is looked at next time");
      else if (end.interrupted) this.#failed("conntrack's table was rebuilt while it was read; it is read again");
    } finally {
      await this.#removals;
      await reader.close();
      await remover.close();
    }
  }

  #take(remover: NetlinkSocket, messages: Uint8Array): void {
    const view = viewOf(messages);
    const entries: StaleEntry[] = [];
    for (const flow of this.#options.engine((engine) => engine.staleFlows(this.#family, messages))) {
      const length = view.getUint32(flow.offset, true);
      const identity = identityOf(messages.subarray(flow.offset, flow.offset + length));
      if (identity === undefined) this.#failed("a flow has no id; it cannot be told from one that takes its place");
      else entries.push({ flow, identity });
    }
    if (this.#options.dryRun) {
      for (const { flow } of entries) this.#done(flow);
      return;
    }
    for (let start = 0; start < entries.length; start += MOST_AT_ONCE) {
      const batch = entries.slice(start, start + MOST_AT_ONCE);
      this.#removals = this.#removals.then(() => this.#remove(remover, batch));
    }
  }

  async #remove(remover: NetlinkSocket, batch: readonly StaleEntry[]): Promise<void> {
    try {
      const identities = batch.map(({ identity }) => identity);
      const errnos = await removeFlows(remover, NFPROTO[this.#family], identities);
      for (const [index, { flow }] of batch.entries()) {
        const errno = errnos[index] ?? 0;
        if (errno === 0) this.#done(flow);
        // Gone by itself in the meantime, or made anew.
        else if (errno !== ENOENT) this.#failed(`the kernel does not remove a flow: ${errnoName(errno)}`);
      }
    } catch (error) {
      this.#failed(explain(error));
    }
  }

  #done({ offset: _, ...flow }: StaleFlow): void {
    this.#removed++;
    this.#options.log({ family: this.#family, kind: this.#kind, ...flow, dryRun: this.#options.dryRun });
  }

  #failed(text: string): void {
    this.#errors.set(text, (this.#errors.get(text) ?? 0) + 1);
  }
}

function explain(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function explainDump(errno: number): string {
  if (errno === EINVAL) return "the kernel has no ctnetlink; load the module nf_conntrack_netlink";
  return errno === EPERM ? "needs CAP_NET_ADMIN" : "";
}
