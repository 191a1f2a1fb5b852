// When the agent looks for hazards: at the first write, and every few minutes, because firewalls and VPNs come and go.
import type { NodeView } from "../../shared/contract.ts";
import type { AgentConfig } from "../config/agent-config.ts";
import type { Clock } from "../time/clock.ts";
import { AffinityWatch } from "./affinity.ts";
import { clusterCidrHazards } from "./cluster-cidr.ts";
import type { Hazard, HazardReport } from "./hazard.ts";
import { findKernelHazards } from "./kernel-hazards.ts";
import { gone, neverSeen } from "./node-object.ts";

/** All rules of others are read for it. */
const PERIOD_MS = 5 * 60_000;

export interface HazardWatchParts {
  readonly report: HazardReport;
  /** In force when it is asked for. */
  readonly config: () => AgentConfig;
  readonly clock: Clock;
  /** The kernel could not be read this time, for example because others change rules all the time. */
  readonly onFailure: (error: unknown) => void;
}

export class HazardWatch {
  readonly #parts: HazardWatchParts;
  readonly #affinity: AffinityWatch;
  #cancelTimer: (() => void) | undefined;
  #looking: Promise<void> | undefined;
  #hadNode = false;
  #isClosed = false;

  constructor(parts: HazardWatchParts) {
    this.#parts = parts;
    this.#affinity = new AffinityWatch(parts.config().mode);
  }

  /** Looks now, and from time to time. Does not wait for it. */
  start(): void {
    this.configured();
    this.#check();
  }

  /** The configuration is another one. */
  configured(): void {
    this.#parts.report.update("clusterCIDR", clusterCidrHazards(this.#parts.config()));
  }

  /** @param isPatient the wait for the Node is still short, so it may come */
  node(node: NodeView, isPatient: boolean): void {
    this.#hadNode ||= node.known;
    this.#parts.report.update("node", this.#nodeHazards(node, isPatient));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer?.();
    await this.#looking;
  }

  #nodeHazards(node: NodeView, isPatient: boolean): Hazard[] {
    if (node.known) return [];
    if (this.#hadNode) return [gone(node)];
    return isPatient ? [] : [neverSeen(node.name, node)];
  }

  #check(): void {
    if (this.#isClosed) return;
    this.#looking = this.#lookOnce().finally(() => {
      if (!this.#isClosed) this.#cancelTimer = this.#parts.clock.setTimer(PERIOD_MS, () => this.#check());
    });
  }

  async #lookOnce(): Promise<void> {
    try {
      for (const [source, found] of await findKernelHazards(this.#parts.config(), this.#affinity)) {
        this.#parts.report.update(source, found);
      }
    } catch (error) {
      this.#parts.onFailure(error);
    }
  }
}
