// When the agent knows enough to touch the kernel for the first time.
import type { Kind, NodeView } from "../../shared/contract.ts";
import type { Clock } from "../time/clock.ts";
import type { ClusterState } from "./cluster-state.ts";

/** How long kube-proxy waits for its Node, and for the Node's podCIDRs if they say which addresses are pods'. */
const NODE_WAIT = 30_000;
const POD_CIDRS_WAIT = 5 * 60_000;
/**
 * ServiceCIDRs make one rule, and come soon after the rest. Without this wait a restart would remove the rule and add it
 * again. The limit is for API servers that do not send them.
 */
const SERVICE_CIDRS_WAIT = 5_000;

/**
 * Nothing may be written before all Services and EndpointSlices are known: the rules of missing ones would be removed. The
 * wait for the Node and the ServiceCIDRs has a limit. `ready` is called once for each engine instance: a fresh one has to be
 * filled anew.
 */
export class FirstState {
  readonly #state: ClusterState;
  readonly #clock: Clock;
  readonly #ready: (missing: readonly string[]) => void;
  readonly #lacks: () => string;
  #cancelTimer: (() => void) | undefined;
  #started: number;
  #isReady = false;

  /**
   * @param ready gets what is still not known, in words, after all waiting
   * @param lacks what else has to be known, in words; "": nothing
   */
  constructor(state: ClusterState, clock: Clock, ready: (missing: readonly string[]) => void, lacks = () => "") {
    this.#state = state;
    this.#clock = clock;
    this.#ready = ready;
    this.#lacks = lacks;
    this.#started = clock.now();
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** What is being waited for, in words; empty once the first plan may be made. */
  waitingFor(): string[] {
    const kinds: [Kind, string][] = [
      ["service", "Services"],
      ["endpoint-slice", "EndpointSlices"],
    ];
    const waiting = kinds.filter(([kind]) => !this.#state.isSynced(kind)).map(([, name]) => name);
    if (this.#lacks() !== "") waiting.push(this.#lacks());
    return [...waiting, ...this.#optional().map(([name]) => name)];
  }

  /** Call it after every change and whenever a list is complete. */
  check(): void {
    if (this.#isReady) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (!this.#state.isSynced("service") || !this.#state.isSynced("endpoint-slice") || this.#lacks() !== "") return;
    const waited = this.#clock.now() - this.#started;
    const optional = this.#optional();
    const left = Math.max(0, ...optional.map(([, limit]) => limit - waited));
    if (left > 0) {
      this.#cancelTimer = this.#clock.setTimer(left, () => this.check());
      return;
    }
    this.#isReady = true;
    this.#ready(optional.map(([name]) => name));
  }

  /** The engine instance is a new one. */
  restart(): void {
    this.#isReady = false;
    this.#started = this.#clock.now();
  }

  stop(): void {
    this.#cancelTimer?.();
  }

  /** What is missing but not indispensable, and how long to wait for it. */
  #optional(): [string, number][] {
    const lacking: [string, number][] = [];
    const node = this.#state.use((engine) => engine.node());
    if (!hasAddress(node)) lacking.push([`the addresses of Node ${node.name}`, NODE_WAIT]);
    if (this.#state.options.detectLocalMode === "node-cidr" && !node.hasPodCidrs) {
      lacking.push([`the podCIDRs of Node ${node.name}`, POD_CIDRS_WAIT]);
    }
    if (!this.#state.isSynced("service-cidr")) lacking.push(["ServiceCIDRs", SERVICE_CIDRS_WAIT]);
    return lacking;
  }
}

function hasAddress({ known, ipv4, ipv6 }: NodeView): boolean {
  return known && (ipv4 !== "127.0.0.1" || ipv6 !== "::1");
}
