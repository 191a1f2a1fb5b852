// What may change for the traffic of a Service, as data. Writers make words for people and formats for machines of it.
import type { AddressFamily } from "../describe.ts";

/** What `--fail-on` can name. `any`: whatever changes. `problems`: what is wrong with HEAD and was not with BASE. */
export const gates = [
  "lost-endpoints",
  "unreachable",
  "new-exposure",
  "source-ip",
  "conflict",
  "problems",
  "any",
] as const;

export type Gate = (typeof gates)[number];

/** Stable, for programs. Kinds may be added. */
export type ChangeKind =
  | "service-appears"
  | "service-disappears"
  | "service-refused"
  | "service-renamed"
  | "port-appears"
  | "port-disappears"
  | "entry-point-added"
  | "entry-point-removed"
  | "lost-endpoints"
  | "got-endpoints"
  | "endpoints"
  | "no-endpoints"
  | "terminating-endpoints"
  | "topology"
  | "traffic-policy"
  | "source-ip"
  | "source-ranges"
  | "session-affinity"
  | "health-check-node-port"
  | "localhost-listener"
  | "conflict"
  | "conflict-solved";

/** One change, as one node sees it in one family. */
export interface Change {
  readonly kind: ChangeKind;
  /** `80/TCP`; empty: of the whole Service. */
  readonly port: string;
  /** `node port 30080`; empty: all, or those that `traffic` names. */
  readonly entryPoint: string;
  /** Of cluster IPs (`internal`), or of all other entry points; empty: both, or the entry point tells. */
  readonly traffic: "internal" | "external" | "";
  /** In words, to be read behind the Service's name. */
  readonly text: string;
  /** The gates that it violates, but for `any`. */
  readonly gates: readonly Gate[];
  /** Field of the Service that it is most likely due to; empty: none of its fields. */
  readonly field: string;
  readonly endpoints?: EndpointsChange;
}

/** Endpoints that are used before and after. */
export interface EndpointsChange {
  readonly before: number;
  readonly after: number;
  /** `10.244.1.5:8080`. Of assumed ones only the numbers tell something, so these lists are empty. */
  readonly lost: readonly string[];
  readonly gained: readonly string[];
  /** By zone, sorted; only where an endpoint has one. */
  readonly zones?: readonly ZoneChange[];
}

export interface ZoneChange {
  readonly zone: string;
  readonly before: number;
  readonly after: number;
}

/** A change with all nodes and families that see the same. */
export interface ReportedChange extends Change {
  readonly families: readonly AddressFamily[];
  /** Sorted names of the nodes that see it. */
  readonly nodes: readonly string[];
  /** All nodes that were compared see it. */
  readonly everywhere: boolean;
  /** Where to look. File empty: nobody has written it, or it is not known. */
  readonly place: ChangePlace;
}

export interface ChangePlace {
  readonly side: "base" | "head";
  readonly file: string;
  /** Counted from 1; 0: unknown. */
  readonly line: number;
  /** The file of which Helm or kustomize made that one; empty: it is what people edit. */
  readonly origin: string;
}
