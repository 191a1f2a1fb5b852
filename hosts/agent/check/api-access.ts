// Checks whether the API server lets us read and write what the agent needs.
import { redactText } from "../log/redact.ts";
import { type Finding, ok } from "./finding.ts";

export interface AccessReviews {
  /** POSTs JSON and resolves with the answer's JSON. @throws for everything but success */
  post(path: string, body: unknown): Promise<unknown>;
  /** GETs JSON. @throws for everything but success */
  get(path: string): Promise<unknown>;
  /** Whether the server has the resource at this path. Never rejects. */
  serves(path: string): Promise<boolean>;
}

const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

interface Need {
  readonly group: string;
  readonly resource: string;
  readonly verbs: readonly string[];
  /** What is missing without it; absent: the agent cannot work. */
  readonly without?: string;
  /** Where servers have it; absent: all have. */
  readonly path?: string;
}

/** The part of the built-in ClusterRole system:node-proxier that is used. */
export const needs: readonly Need[] = [
  { group: "", resource: "services", verbs: ["list", "watch"] },
  { group: "discovery.k8s.io", resource: "endpointslices", verbs: ["list", "watch"] },
  { group: "", resource: "nodes", verbs: ["list", "watch"] },
  {
    group: "networking.k8s.io",
    resource: "servicecidrs",
    verbs: ["list", "watch"],
    without: "cluster IPs that no Service has are not rejected",
    path: "/apis/networking.k8s.io/v1/servicecidrs",
  },
  { group: "events.k8s.io", resource: "events", verbs: ["create", "patch"], without: "no events on the Node" },
];

/** `reviews` undefined: there is no way to the API server, and `reason` says why. */
export async function checkApiAccess(reviews: AccessReviews | undefined, reason = ""): Promise<Finding[]> {
  const area = "API server";
  if (reviews === undefined) {
    const hint = "give --kubeconfig, or clientConnection.kubeconfig in the configuration file";
    return [{ area, subject: "access", status: "failed", detail: redactText(reason, 2000), hint }];
  }
  const findings: Finding[] = [];
  for (const { group, resource, verbs, without, path: where } of needs) {
    for (const verb of verbs) {
      const subject = `${verb} ${resource}${group === "" ? "" : `.${group}`}`;
      let allowed: boolean;
      try {
        const answer = await reviews.post(path, review(group, resource, verb));
        allowed = (answer as { status?: { allowed?: unknown } } | null)?.status?.allowed === true;
      } catch (error) {
        // The same for all: the server can't be reached, or does not accept our credentials.
        const detail = redactText(error instanceof Error ? error.message : String(error));
        const hint = "check server, certificates and token of the kubeconfig";
        return [...findings, { area, subject, status: "failed", detail, hint }];
      }
      if (allowed) findings.push(ok(area, subject, "allowed"));
      else if (where !== undefined && !(await reviews.serves(where))) {
        findings.push(ok(area, subject, "not needed: this API server has none"));
      } else {
        const detail = without === undefined ? "not allowed" : `not allowed: ${without}`;
        const status = without === undefined ? "failed" : "warning";
        const hint = "bind the ClusterRole system:node-proxier to this user or service account";
        findings.push({ area, subject, status, detail, hint });
      }
    }
  }
  return findings;
}

function review(group: string, resource: string, verb: string): object {
  return {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SelfSubjectAccessReview",
    spec: { resourceAttributes: { group, resource, verb } },
  };
}
