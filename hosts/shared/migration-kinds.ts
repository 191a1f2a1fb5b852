// In which ways kube-proxy's modes treat packets differently: each difference that a comparison finds is one of these, or `other`.
import type { EntryPoints } from "./entry-points.ts";
import type { Difference } from "./witness-answers.ts";

export interface MigrationKind {
  readonly kind: string;
  readonly title: string;
  readonly advice: string;
}

/** Found by comparison. */
export const foundKinds: readonly MigrationKind[] = [
  {
    kind: "localhost-node-port",
    title: "node ports on 127.0.0.1 and ::1 are no longer served",
    advice:
      "find out who connects to them (the kubelet pulling from a registry, say) and use the node's address, or name localhost in nodePortAddresses with 1.38 or newer",
  },
  {
    kind: "node-port-address",
    title: "node ports answer on the node's primary addresses alone",
    advice: "set nodePortAddresses to the addresses that clients and load balancers use",
  },
  {
    kind: "shadowed-host-port",
    title:
      "a node port without endpoints is no longer refused on the node's other addresses: the host itself answers there",
    advice: "check what listens on that port on the node",
  },
  {
    kind: "unused-port",
    title:
      "ports, protocols and pings that a Service's address does not serve are refused at once, instead of leaving the node",
    advice: "nothing, unless somebody relies on such packets reaching a router",
  },
  {
    kind: "unallocated-address",
    title: "addresses of the service CIDRs that no Service has are dropped",
    advice: "nothing, unless something outside the cluster has an address of these ranges",
  },
  {
    kind: "without-endpoints",
    title:
      "load-balancer and external addresses without endpoints, or outside the source ranges, are refused or dropped where they were not",
    advice: "nothing, unless the node itself reaches the load balancer that way",
  },
  {
    kind: "source-ranges",
    title: "source ranges hold on an address that is a load balancer's and an external IP of one Service, too",
    advice: "take the address out of externalIPs if it must be reached from everywhere",
  },
  {
    kind: "hairpin",
    title: "a pod that reaches itself through its Service: its address is hidden or not in one of the modes alone",
    advice: "give EndpointSlices that you write yourself a nodeName for each endpoint",
  },
  {
    kind: "invalid-packets",
    title: "packets that conntrack calls invalid are no longer dropped when they are forwarded",
    advice: "set conntrack.tcpBeLiberal where long connections are reset",
  },
  {
    kind: "localnet-guard",
    title: "packets to 127.0.0.0/8 are no longer guarded by KUBE-FIREWALL",
    advice: "nothing: without route_localnet the kernel drops them",
  },
  {
    kind: "tcp-reset",
    title: "TCP connections are refused with a reset, and not with an ICMP message",
    advice: "nothing: clients see `connection refused` at once",
  },
  { kind: "other", title: "other differences", advice: "compare the rules with `sluice verify`, and please report it" },
];

/** What ipvs does otherwise, by Kubernetes' documentation: there are no rules of it to compare. */
export const ipvsKinds: readonly MigrationKind[] = [
  {
    kind: "ipvs-dummy-interface",
    title: "every port of a Service's address reaches the host by the interface kube-ipvs0",
    advice: "check that nothing on the node is reached by a cluster IP; remove kube-ipvs0 afterwards",
  },
  {
    kind: "ipvs-scheduler",
    title: "schedulers other than random (lc, sh, wrr, …) are gone: endpoints are chosen at random",
    advice: "use session affinity where clients must return to one endpoint",
  },
  {
    kind: "ipvs-strict-arp",
    title: "strictARP has no meaning without kube-ipvs0",
    advice: "leave it out; MetalLB does not need it then",
  },
];

/** What Kubernetes' calendar says of these versions: minor version, and what happens with it. */
export const calendar: readonly {
  readonly minor: number;
  readonly what: string;
  readonly concerns: "all" | "ipvs" | "externalIPs";
}[] = [
  { minor: 40, what: "an empty `mode` means nftables", concerns: "all" },
  { minor: 40, what: "mode ipvs is off by default", concerns: "ipvs" },
  { minor: 43, what: "mode ipvs is removed", concerns: "ipvs" },
  { minor: 40, what: "externalIPs are off by default", concerns: "externalIPs" },
  { minor: 43, what: "externalIPs are removed", concerns: "externalIPs" },
];

const isLoopback = (address: string) => address.startsWith("127.") || address === "::1";

/** `local`: the node's own addresses. */
export function migrationKind(difference: Difference, entryPoints: EntryPoints, local: readonly string[]): string {
  const { kind, state, destination } = difference;
  const [address = ""] = destination.split("-");
  if (kind === "hairpin") return "hairpin";
  if (kind === "reject-with") return "tcp-reset";
  const [before, after] = kind.split("-");
  if (state === "invalid" && before === "drop") return "invalid-packets";
  if (isLoopback(address)) {
    if (before === "endpoint") return "localhost-node-port";
    if (before === "reject") return "shadowed-host-port";
    return before === "drop" ? "localnet-guard" : "other";
  }
  // Packets that passed to one of the node's addresses are as others: it may lie in a service CIDR, or be an external IP.
  if (local.includes(address) && before !== "pass") {
    if (before === "endpoint") return "node-port-address";
    return before === "reject" || before === "drop" ? "shadowed-host-port" : "other";
  }
  const isServed = entryPoints.at(address, difference.protocol, difference.port[0]) !== undefined;
  if (isServed && before === "endpoint" && after === "drop") return "source-ranges";
  if (isServed) return before === "pass" || before === "reject" || before === "mixed" ? "without-endpoints" : "other";
  if (before === "pass" && after === "reject") return "unused-port";
  return before === "pass" && after === "drop" ? "unallocated-address" : "other";
}
