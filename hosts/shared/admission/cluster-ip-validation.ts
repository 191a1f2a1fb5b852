// Cluster IPs and IP families of a Service: whether they fit each other and the cluster (Kubernetes 1.37:
// ValidateServiceClusterIPsRelatedFields in pkg/apis/core/validation, pkg/registry/core/service/storage/alloc.go).
import { againstAddress } from "./addresses.ts";
import type { Causes } from "./causes.ts";
import type { ClusterSettings } from "./cluster-settings.ts";
import { familyOf } from "./ip-families.ts";
import { isHeadless, type ServiceSpec } from "./objects.ts";

const policies = ["PreferDualStack", "RequireDualStack", "SingleStack"];

/** Before anything is allocated, and before all other fields are looked at. */
export function validateClusterIPs(spec: ServiceSpec, settings: ClusterSettings, causes: Causes): void {
  const { clusterIP = "", clusterIPs = [], ipFamilies = [], ipFamilyPolicy } = spec;
  if (clusterIP === "" && clusterIPs.length > 0) {
    causes.invalid("spec.clusterIPs", clusterIPs, "must be empty when `clusterIP` is not specified");
  } else if (clusterIP !== "" && clusterIPs[0] !== clusterIP) {
    causes.invalid("spec.clusterIPs", clusterIPs, "first value must match `clusterIP`");
  }
  const seen = new Set<string>();
  for (const [index, family] of ipFamilies.entries()) {
    const field = `spec.ipFamilies[${index}]`;
    if (family !== "IPv4" && family !== "IPv6") causes.notSupported(field, family, ["IPv4", "IPv6"]);
    if (seen.has(family)) causes.duplicate(field, family);
    seen.add(family);
  }
  if (ipFamilyPolicy !== undefined && !policies.includes(ipFamilyPolicy)) {
    causes.notSupported("spec.ipFamilyPolicy", ipFamilyPolicy, policies);
  }
  if (!areGoodAddresses(clusterIPs, settings, causes)) return;
  if (clusterIPs.length > 1 && new Set(clusterIPs.map(familyOf)).size < 2) {
    causes.invalid("spec.clusterIPs", clusterIPs, "may specify no more than one IP for each IP family");
  }
  for (const [index, address] of clusterIPs.slice(0, ipFamilies.length).entries()) {
    const family = ipFamilies[index];
    if (address === "None" || (family !== "IPv4" && family !== "IPv6") || familyOf(address) === family) continue;
    const why = `expected an ${family} value as indicated by \`ipFamilies[${index}]\``;
    causes.invalid(`spec.clusterIPs[${index}]`, address, why);
  }
}

function areGoodAddresses(clusterIPs: readonly string[], { kubeVersion }: ClusterSettings, causes: Causes): boolean {
  let areGood = true;
  for (const [index, address] of clusterIPs.entries()) {
    if (index === 0 && address === "None") {
      if (clusterIPs.length === 1) continue;
      areGood = false;
      causes.invalid("spec.clusterIPs", clusterIPs, "'None' must be the first and only value");
      continue;
    }
    const why = againstAddress(address, kubeVersion);
    if (why === undefined) continue;
    areGood = false;
    causes.invalid(`spec.clusterIPs[${index}]`, address, why);
  }
  if (clusterIPs.length > 2) causes.invalid("spec.clusterIPs", clusterIPs, "may only hold up to 2 values");
  return areGood;
}

/** The number of families against the policy. */
export function validateFamilyPolicy(spec: ServiceSpec, causes: Causes): void {
  const { clusterIPs = [], ipFamilies = [], ipFamilyPolicy } = spec;
  if (ipFamilyPolicy !== "SingleStack") return;
  const why = (what: string) => `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`;
  if (clusterIPs.length === 2) causes.invalid("spec.ipFamilyPolicy", ipFamilyPolicy, why("cluster IPs"));
  if (ipFamilies.length === 2) causes.invalid("spec.ipFamilyPolicy", ipFamilyPolicy, why("IP families"));
}

/** What the Service asks for against what the cluster has. A headless Service without selector may ask for anything. */
export function validateConfiguredFamilies(spec: ServiceSpec, { families }: ClusterSettings, causes: Causes): void {
  if (isHeadless(spec) && spec.selector === undefined) return;
  const { clusterIPs = [], ipFamilies = [], ipFamilyPolicy } = spec;
  const isConfigured = (family: string) => families.some((each) => each === family);
  for (const [index, address] of clusterIPs.entries()) {
    if (address === "None" || index < ipFamilies.length || isConfigured(familyOf(address))) continue;
    causes.invalid(`spec.clusterIPs[${index}]`, clusterIPs, `${familyOf(address)} is not configured on this cluster`);
  }
  if (causes.list.length > 0) return;
  if (ipFamilyPolicy === "RequireDualStack" && families.length < 2) {
    causes.invalid("spec.ipFamilyPolicy", ipFamilyPolicy, "this cluster is not configured for dual-stack services");
  }
  for (const [index, family] of ipFamilies.entries()) {
    if (!isConfigured(family)) causes.invalid(`spec.ipFamilies[${index}]`, family, "not configured on this cluster");
  }
}
