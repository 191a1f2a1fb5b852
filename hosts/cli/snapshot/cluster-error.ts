// Why a cluster could not be asked, and what to do.
import { ConnectionError } from "../../agent/kube/client/api-error.ts";
import { ListFormatError } from "../../agent/kube/client/paged-list.ts";
import { ClusterAccessError } from "../../agent/kube/credentials/cluster-access-error.ts";
import { type Diagnostic, diagnostic } from "../../shared/diagnostics.ts";
import { networkKinds } from "../../shared/snapshot/kinds.ts";
import { ListRefusedError } from "./collect.ts";

/** Rethrows what is none of the ways in which this fails. */
export function clusterError(error: unknown): Diagnostic {
  if (error instanceof ListRefusedError) return refusal(error);
  if (error instanceof ClusterAccessError) return diagnostic("error", "no-cluster-access", error.message);
  if (error instanceof ConnectionError) {
    const hint = "check the server's address, its certificate, and whether a proxy or VPN is needed";
    return diagnostic("error", "api-unreachable", error.message, { hint });
  }
  if (error instanceof ListFormatError) {
    const hint = "does an API server answer there, or something before it?";
    return diagnostic("error", "api-answer", error.message, { hint });
  }
  throw error;
}

function refusal({ status, message, kind }: ListRefusedError): Diagnostic {
  const optional = networkKinds.includes(kind) ? "" : ", or leave out --workloads";
  const hint =
    status === 401
      ? "the credentials are not accepted: log in again, or name another --context"
      : status === 403
        ? `give this user the verb list on ${kind.resource} of all namespaces (a ClusterRole)${optional}`
        : status === 404
          ? `this server lists no ${kind.resource} of ${kind.apiVersion}${optional}`
          : "try again later";
  return diagnostic("error", "api-refused", message, { hint });
}
