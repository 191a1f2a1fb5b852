// Asks an API server for all that a snapshot holds.
import type { ApiClient } from "../../agent/kube/client/api-client.ts";
import { ApiError } from "../../agent/kube/client/api-error.ts";
import { isServed } from "../../agent/kube/client/discovery.ts";
import { listAll, type PagedListOptions } from "../../agent/kube/client/paged-list.ts";
import { type SnapshotObject, snapshotObject } from "../../shared/snapshot/document.ts";
import { pathOf, type SnapshotKind } from "../../shared/snapshot/kinds.ts";

export interface Collected {
  readonly objects: readonly SnapshotObject[];
  /** How many of each kind, in the order in which they were asked for. */
  readonly counts: ReadonlyMap<string, number>;
  /** Kinds that this API server does not have. */
  readonly absent: readonly string[];
}

/**
 * Everything or nothing: each list is whole. The lists are of moments one after the other, as an agent's are.
 *
 * @throws ListRefusedError the server does not give one of them
 * @throws whatever `listAll` throws
 */
export async function collectObjects(
  client: Pick<ApiClient, "open" | "json" | "host">,
  kinds: readonly SnapshotKind[],
  options: PagedListOptions,
): Promise<Collected> {
  const objects: SnapshotObject[] = [];
  const counts = new Map<string, number>();
  const absent: string[] = [];
  for (const each of kinds) {
    const { apiVersion, kind, optional } = each;
    const path = pathOf(each);
    let own: SnapshotObject[] = [];
    const take = {
      restart() {
        own = [];
      },
      object(listed: Readonly<Record<string, unknown>>) {
        const object = snapshotObject({ ...listed, apiVersion, kind });
        if (object !== undefined) own.push(object);
      },
    };
    try {
      await listAll(client, path, kind, take, options);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const isRefusal = error.status === 403 || error.status === 404;
      if (!isRefusal || !optional || (await isServed(client, path, options.signal))) {
        throw new ListRefusedError(each, error);
      }
      absent.push(kind);
      continue;
    }
    counts.set(kind, own.length);
    for (const object of own) objects.push(object);
  }
  return { objects, counts, absent };
}

/** The server has answered that it does not give this list. */
export class ListRefusedError extends Error {
  override readonly name = "ListRefusedError";
  readonly kind: SnapshotKind;
  readonly status: number;

  constructor(kind: SnapshotKind, refusal: ApiError) {
    super(refusal.message);
    this.kind = kind;
    this.status = refusal.status;
  }
}
