// The state of a reflector, for logs, metrics and health checks.
import type { ApplyResult } from "../../../shared/contract.ts";
import type { OversizedObject } from "../decoding/oversized-objects.ts";

export interface ReflectorState {
  /** `services`, `endpointslices`, … */
  readonly resource: string;
  /** The store has been given a complete state. */
  readonly synced: boolean;
  /** A list is being read or a watch is open. */
  readonly connected: boolean;
  /** The server does not have this resource. */
  readonly absent: boolean;
  /** How long ago the server sent something (bookmarks come about once a minute); undefined: never. */
  readonly lastByteAgeMs: number | undefined;
  readonly resourceVersion: string;
  /** Until the next attempt; 0: it does not wait. */
  readonly waitingMs: number;
  /** Lists and watches begun so far. */
  readonly lists: number;
  readonly watches: number;
  /** Lists after the first one, by reason. */
  readonly relists: Readonly<Record<string, number>>;
  /** "" if there was none. It stays when all is well again. */
  readonly lastError: string;
}

export type Progress =
  /** The store has taken something. */
  | { readonly kind: "applied"; readonly result: ApplyResult }
  /** An object is too long to be taken. */
  | { readonly kind: "left out"; readonly object: OversizedObject }
  /** The store has been given a complete state. */
  | { readonly kind: "listed"; readonly resourceVersion: string }
  /** The connection was given up; `waitMs` until the next attempt. */
  | { readonly kind: "failed"; readonly error: unknown; readonly reason: string; readonly waitMs: number };
