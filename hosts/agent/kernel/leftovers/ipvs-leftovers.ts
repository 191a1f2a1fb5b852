// What kube-proxy's mode ipvs leaves: virtual servers, the interface kube-ipvs0 with all service addresses, and ipsets.
// Its iptables chains are in kube-proxy-chains.ts.
//
// Our rules translate a packet before IPVS sees it, so leftovers do no harm if they stay for a while. No test machine had IPVS:
// only a fake checks the commands.

import type { RunCommand } from "../commands/run-command.ts";
import { RemovalError } from "../removal/nft-removal.ts";

export interface IpvsLeftovers {
  /** kube-ipvs0 is there. */
  readonly interface: boolean;
  /** Names of ipsets. */
  readonly sets: readonly string[];
}

export interface IpvsHost {
  readonly run: RunCommand;
  /** A file's text, or undefined if there is none. */
  readonly read: (path: string) => string | undefined;
}

const INTERFACE = "kube-ipvs0";
const SET_PREFIX = "KUBE-";

/** If ipset is not installed, sets can't be listed, and nobody can have made them here. */
export async function findIpvs({ run, read }: IpvsHost): Promise<IpvsLeftovers> {
  const interfaces = read("/proc/net/dev") ?? "";
  const sets: string[] = [];
  await run("ipset", ["list", "-name"], {
    onLine: (line) => {
      if (line.startsWith(SET_PREFIX)) sets.push(line.trim());
    },
  });
  return { interface: new RegExp(`^\\s*${INTERFACE}:`, "m").test(interfaces), sets };
}

/** Removes virtual servers and the interface. @throws {RemovalError} */
export async function removeIpvsServers(host: IpvsHost): Promise<void> {
  const addresses = await interfaceAddresses(host.run);
  const servers = await virtualServers(host.run);
  for (const { protocol, address, port, server } of servers) {
    // Those of node ports stand at the node's own addresses. Others are somebody else's.
    const nodePort = addresses.others.has(address) && port >= FIRST_NODE_PORT && port <= LAST_NODE_PORT;
    if (addresses.ours.has(address) || nodePort) await must(host.run, "ipvsadm", ["-D", protocol, server]);
  }
  await must(host.run, "ip", ["link", "delete", "dev", INTERFACE]);
}

/** Kubernetes' default range of node ports. */
const FIRST_NODE_PORT = 30_000;
const LAST_NODE_PORT = 32_767;

/** To be called when no iptables rule names them any more. @throws {RemovalError} */
export async function removeIpsets(host: IpvsHost, sets: readonly string[]): Promise<void> {
  for (const set of sets) await must(host.run, "ipset", ["destroy", set]);
}

interface Interface {
  readonly ifname?: string;
  readonly addr_info?: readonly { readonly local?: string }[];
}

async function interfaceAddresses(run: RunCommand): Promise<{ ours: Set<string>; others: Set<string> }> {
  const interfaces = JSON.parse(await must(run, "ip", ["-json", "address", "show"])) as readonly Interface[];
  const of = (wanted: (each: Interface) => boolean) =>
    new Set(interfaces.filter(wanted).flatMap(({ addr_info }) => (addr_info ?? []).map(({ local }) => local ?? "")));
  return { ours: of(({ ifname }) => ifname === INTERFACE), others: of(({ ifname }) => ifname !== INTERFACE) };
}

interface VirtualServer {
  /** "-t", "-u" or "--sctp-service" */
  readonly protocol: string;
  readonly address: string;
  readonly port: number;
  /** As ipvsadm writes it. */
  readonly server: string;
}

/** `-A -t 10.96.0.1:443 -s rr`, `-A -t [fd00::1]:443 -s rr`; servers by firewall mark (-f) are never kube-proxy's. */
async function virtualServers(run: RunCommand): Promise<VirtualServer[]> {
  const text = await must(run, "ipvsadm", ["--save", "--numeric"]);
  const pattern = /^-A (-t|-u|--sctp-service) (\[([0-9a-f:.]+)\]:(\d+)|([0-9.]+):(\d+))/gm;
  return [...text.matchAll(pattern)].map(([, protocol = "", server = "", six, sixPort, four, fourPort]) => ({
    protocol,
    server,
    address: six ?? four ?? "",
    port: Number(sixPort ?? fourPort),
  }));
}

async function must(run: RunCommand, command: string, args: readonly string[]): Promise<string> {
  const result = await run(command, args);
  if (result.outcome === "exited" && result.code === 0) return result.stdout;
  const words = [command, ...args].join(" ");
  if (result.outcome === "missing") {
    throw new RemovalError(`${command} is not on the path; install it, or reboot the node: nothing makes these again`);
  }
  throw new RemovalError(
    result.outcome === "exited"
      ? `${words} failed (exit code ${result.code}): ${result.stderr.trim()}`
      : `${words}: ${result.outcome}`,
  );
}
