// Has kube-proxy written its rules? Being Ready proves nothing: kube-proxy answers before its first write. In each mode the first
// write has all Services of a family, `default/kubernetes` among them.
import type { Family } from "../../../shared/contract.ts";
import { FAMILIES } from "../../../shared/families.ts";
import { NetlinkSocket } from "../../netlink/sockets/socket.ts";
import { findChain, hasElements, listChains, listRules, type NftChain } from "../listing/nft-listing.ts";
import { legacyTables, saveLegacyTable, targetsOf } from "../removal/legacy-removal.ts";
import type { IpvsHost } from "./ipvs-leftovers.ts";

export type KubeProxyMode = "iptables" | "ipvs" | "nftables";

export interface KubeProxyRules {
  /** Families that kube-proxy has written. */
  readonly families: ReadonlySet<Family>;
  /** Its rules of Service `default/kubernetes` are there, in one of them. */
  readonly kubernetes: boolean;
}

type Found = { family: Family; kubernetes: boolean };

/**
 * @param mode of that kube-proxy; undefined: any
 * @throws {RemovalError | NetlinkError} the kernel's rules could not be read
 */
export async function findKubeProxyRules(mode: KubeProxyMode | undefined, host: IpvsHost): Promise<KubeProxyRules> {
  const found: Found[] = [];
  if (mode !== "ipvs") {
    await withSocket(async (socket) => {
      if (mode !== "iptables") found.push(...ofNftables(await listChains(socket)));
      if (mode !== "nftables") for (const family of FAMILIES) found.push(...(await ofIptablesNft(socket, family)));
    });
  }
  // What reads legacy tables is a command, which may be missing.
  if (mode !== "nftables" && mode !== "ipvs" && !found.some(({ kubernetes }) => kubernetes)) {
    for (const family of FAMILIES) found.push(...(await ofIptablesLegacy(host, family)));
  }
  if (mode !== "iptables" && mode !== "nftables") found.push(...ofIpvs(host));
  return {
    families: new Set(found.map(({ family }) => family)),
    kubernetes: found.some(({ kubernetes }) => kubernetes),
  };
}

/** Families in which our own table, of mode flat, leads packets anywhere. @throws {NetlinkError} */
export async function familiesWeServe(): Promise<readonly Family[]> {
  const serving: Family[] = [];
  for (const family of FAMILIES) {
    for (const set of ["service-ips", "service-nodeports"]) {
      // A dump that is left unread ends with its socket.
      if (!(await withSocket((socket) => hasElements(socket, family, "sluice", set)))) continue;
      serving.push(family);
      break;
    }
  }
  return serving;
}

/** kube-proxy writes a table's first content in one transaction. */
function ofNftables(chains: readonly NftChain[]): Found[] {
  const ours = chains.filter(({ table }) => table === "kube-proxy");
  const written = ours.filter(({ name, base }) => base && name === "nat-prerouting");
  return written.map(({ family }) => ({
    family,
    // Its own rule, and the map's element that leads to it.
    kubernetes: ours.some(
      (chain) => chain.family === family && chain.use > 1 && /^service-\w+-default\/kubernetes\//.test(chain.name),
    ),
  }));
}

const SERVICES = "KUBE-SERVICES";
/** The last rule of KUBE-SERVICES leads there. kube-proxy makes the empty chain, and the jump to it, before it writes rules. */
const NODE_PORTS = "KUBE-NODEPORTS";
const KUBERNETES = /(?:^|[^a-z0-9-])default\/kubernetes(?::[a-z0-9-]+)? cluster IP/;
const ROOTS = ["PREROUTING", "OUTPUT"];

async function ofIptablesNft(socket: NetlinkSocket, family: Family): Promise<Found[]> {
  const rulesOf = async (name: string) => {
    const chain = await findChain(socket, family, "nat", name);
    return chain === undefined ? [] : await listRules(socket, chain);
  };
  for (const root of ROOTS) {
    if (!(await rulesOf(root)).some(({ targets }) => targets.includes(SERVICES))) return [];
  }
  const decoder = new TextDecoder("latin1");
  const rules = await rulesOf(SERVICES);
  // iptables-nft keeps a comment as text, in a match or in the rule's user data.
  return judge(
    family,
    rules.map(({ targets, bytes }) => ({ targets, text: () => decoder.decode(bytes) })),
  );
}

async function ofIptablesLegacy(host: IpvsHost, family: Family): Promise<Found[]> {
  if (!legacyTables(family).includes("nat")) return [];
  const { rules } = await saveLegacyTable(host.run, family, "nat");
  const of = (name: string) =>
    rules.filter(({ chain }) => chain === name).map(({ body }) => ({ targets: targetsOf(body), text: () => body }));
  if (ROOTS.some((root) => !of(root).some(({ targets }) => targets.includes(SERVICES)))) return [];
  return judge(family, of(SERVICES));
}

function judge(family: Family, services: readonly { targets: readonly string[]; text: () => string }[]): Found[] {
  if (!services.some(({ targets }) => targets.includes(NODE_PORTS))) return [];
  const kubernetes = services.some(
    ({ targets, text }) => targets.some((target) => /^KUBE-SV[CL]-/.test(target)) && KUBERNETES.test(text()),
  );
  return [{ family, kubernetes }];
}

/** IPVS knows no names of Services: that a virtual server leads anywhere is all that can be seen. */
function ofIpvs({ read }: IpvsHost): Found[] {
  if (!/^\s*kube-ipvs0:/m.test(read("/proc/net/dev") ?? "")) return [];
  const serves = /^\s+-> [0-9A-F[]/m.test((read("/proc/net/ip_vs") ?? "").replace(/^.*RemoteAddress.*$/m, ""));
  return serves ? FAMILIES.map((family) => ({ family, kubernetes: true })) : [];
}

async function withSocket<T>(work: (socket: NetlinkSocket) => Promise<T>): Promise<T> {
  const socket = NetlinkSocket.open();
  try {
    return await work(socket);
  } finally {
    await socket.close();
  }
}
