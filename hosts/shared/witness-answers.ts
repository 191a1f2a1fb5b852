// What the witness answers, as its JSON has it.

/** Where a path ends. */
export interface Ending {
  readonly ending: "pass" | "endpoint" | "drop" | "reject" | "unknown";
  /** How it rejects. */
  readonly with?: string;
  /** The endpoint. */
  readonly address?: string;
  readonly port?: number;
  readonly masquerade?: boolean;
  /** The source that it gets instead of the node's own. */
  readonly snat?: string;
  /** The client sticks to the endpoint for so long. */
  readonly affinitySeconds?: number;
  /** Line of the rule that decides, or of the rule or element that has chosen the endpoint; 0: none. */
  readonly line: number;
  /** Exact: numerator and denominator. */
  readonly probability: readonly [number, number];
}

/** A hook that the packet comes to, or a rule that has an effect on it. */
export type Step =
  | { readonly hook: string }
  | {
      readonly table: string;
      readonly chain: string;
      readonly line: number;
      /** Line of the element that a look-up has found. */
      readonly element?: number;
      readonly because: readonly string[];
      readonly does: string;
    };

export interface Path extends Ending {
  readonly steps: readonly Step[];
}

export interface Trace {
  readonly paths: readonly Path[];
}

/** Packets that no rule tells apart. */
export interface Packets {
  readonly origin: "network" | "node";
  readonly state: "new" | "established" | "invalid";
  /** Address, or first and last: `A-B`. */
  readonly source: string;
  readonly destination: string;
  readonly protocol: string;
  /** First and last destination port. */
  readonly port: readonly [number, number];
  readonly inInterface?: string;
  readonly outInterface?: string;
  /** The endpoint that the client sticks to. */
  readonly sticksTo?: string;
}

/** New connections that a question is about, and what becomes of them. */
export interface Survey {
  /** False: it gave up at the limit. */
  readonly complete: boolean;
  /** Classes of packets that were looked at. */
  readonly classes: number;
  /** Classes beyond the thousand of `found`. */
  readonly more: number;
  readonly found: readonly (Packets & { readonly endings: readonly Ending[] })[];
}

/** One way in which an entry point differs, with the first packets that do. */
export interface Difference extends Packets {
  /**
   * What differs: `endpoints`, `odds`, `masquerade`, `hairpin` (masquerading where a client is its own endpoint), `affinity`,
   * `reject-with`, `source`; `unknown`; or what kind of ending A has and what B, such as `pass-reject`.
   */
  readonly kind: string;
  /** Classes of packets that differ so, of this entry point. */
  readonly classes: number;
  /** How these packets end in both. */
  readonly a: readonly Ending[];
  readonly b: readonly Ending[];
}

export interface Comparison {
  /** `gave-up`: equal so far, but there is more. */
  readonly result: "equal" | "different" | "inconclusive" | "gave-up";
  /** False: it gave up at the limit. */
  readonly complete: boolean;
  readonly classes: number;
  readonly differentClasses: number;
  readonly unknownClasses: number;
  /** Classes that are not what they claim to be: 0, or there is a fault in the comparison. */
  readonly unsoundBoxes: number;
  readonly kinds: readonly { readonly kind: string; readonly classes: number }[];
  /** At most a thousand. */
  readonly differences: readonly Difference[];
}

/** Something of two rule sets that is not the same. */
export interface RuleDifference {
  /**
   * `table-missing`, `table-off` (dormant in A); `chain-missing`, `chain-extra`, `chain-otherwise` (hook, priority or policy);
   * `rules` (those of A that B has not, and the other way round), `order`; `set-missing`, `set-extra`, `set-otherwise`
   * (declared in another way); `element-missing`, `element-extra`, `element-otherwise` (leads elsewhere).
   */
  readonly what: string;
  readonly family: "ip" | "ip6" | "inet" | "other";
  readonly table: string;
  readonly chain?: string;
  readonly set?: string;
  /** Lines of A, and of B. */
  readonly a: readonly number[];
  readonly b: readonly number[];
}

export interface RuleDifferences {
  /** At most a thousand. */
  readonly differences: readonly RuleDifference[];
  readonly more: number;
  /** Tables of A that B does not have; first and last line of their chains, if they have any. */
  readonly foreign: readonly {
    readonly family: RuleDifference["family"];
    readonly table: string;
    readonly lines: readonly number[];
  }[];
}
