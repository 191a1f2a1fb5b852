// Which endpoint a connection goes to. All clients of a listener on 127.0.0.1 have the same address. So with affinity by ClientIP
// all of them go to one endpoint, as with kube-proxy.
import { randomInt } from "node:crypto";

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** Chooses at random, or with `affinityMs` the same as long as connections come within that time. */
export class EndpointChoice {
  #endpoints: readonly Endpoint[] = [];
  #affinityMs = 0;
  #pinned: Endpoint | undefined;
  #pinnedAt = 0;
  readonly #now: () => number;
  readonly #random: (below: number) => number;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(now: () => number, random: (below: number) => number = randomInt) {
    this.#now = now;
    this.#random = random;
  }

  update(endpoints: readonly Endpoint[], affinityMs: number): void {
    this.#endpoints = endpoints;
    this.#affinityMs = affinityMs;
  }

  /** Undefined: there is none. `besides`: one that has not answered. */
  next(besides?: Endpoint): Endpoint | undefined {
    const now = this.#now();
    if (this.#affinityMs === 0) return this.#any(besides);
    const isPinned = this.#pinned !== undefined && now - this.#pinnedAt < this.#affinityMs;
    const pinned = isPinned ? this.#endpoints.find((each) => isSame(each, this.#pinned)) : undefined;
    const chosen = pinned !== undefined && !isSame(pinned, besides) ? pinned : this.#any(besides);
    if (chosen === undefined) return undefined;
    this.#pinned = chosen;
    this.#pinnedAt = now;
    return chosen;
  }

  #any(besides: Endpoint | undefined): Endpoint | undefined {
    const left = besides === undefined ? this.#endpoints : this.#endpoints.filter((each) => !isSame(each, besides));
    return left.length === 0 ? undefined : left[this.#random(left.length)];
  }
}

function isSame(a: Endpoint, b: Endpoint | undefined): boolean {
  return a.address === b?.address && a.port === b.port;
}
