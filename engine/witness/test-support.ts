// What the witness' tests share.

import type { Family, LoadResult, Packet, Witness } from "../../hosts/shared/witness.ts";
import type { Difference, Ending } from "../../hosts/shared/witness-answers.ts";
import { loadWitness } from "../../hosts/shared/witness-node.ts";

const module = await loadWitness();
const encoder = new TextEncoder();

export function newWitness(): Witness {
  return module.create();
}

/** Reads a text into a rule set. */
export function load(witness: Witness, ruleset: number, text: string, assumed: Family = "ipv4"): LoadResult {
  return witness.load(ruleset, encoder.encode(text), assumed);
}

/** What a witness of its own says of a text. */
export function read(text: string, assumed: Family = "ipv4"): LoadResult {
  return load(newWitness(), 0, text, assumed);
}

/** The problems of a text, `line code: message`. */
export function complaints(result: LoadResult): string[] {
  return result.problems.map(({ line, code, message }) => `${line} ${code}: ${message}`);
}

const protocols: Record<string, number> = { tcp: 6, udp: 17, sctp: 132, icmp: 1, icmpv6: 58, other: 253 };

/** A new TCP connection from outside to `destination:port`, and what `fields` say otherwise. */
export function packet(destination: string, port: number, fields: Partial<Packet> = {}): Packet {
  return {
    origin: "network",
    state: "new",
    translated: false,
    protocol: 6,
    source: destination.includes(":") ? "2001:db8::9" : "198.51.100.9",
    sourcePort: 40000,
    destination,
    destinationPort: port,
    inInterface: "",
    outInterface: "",
    sticksTo: "",
    sticksToPort: 0,
    ...fields,
  };
}

/** The first packet of those that differ. */
export function counterexample(difference: Difference): Packet {
  const { origin, state, source, destination, protocol, port, inInterface = "", outInterface = "" } = difference;
  const [, sticksTo = "", sticksToPort = "0"] = /^\[?(.*?)\]?:(\d+)$/.exec(difference.sticksTo ?? "") ?? [];
  // Some interface of a pattern.
  const name = (pattern: string) => pattern.replace("*", "-any");
  return packet(destination.split("-")[0] ?? "", port[0], {
    origin,
    state,
    source: source.split("-")[0] ?? "",
    protocol: protocols[protocol] ?? Number(protocol),
    sourcePort: port[0] === 0 ? 0 : 40000,
    inInterface: name(inInterface),
    outInterface: name(outInterface),
    sticksTo,
    sticksToPort: Number(sticksToPort),
  });
}

/** Where a packet ends, in short: `1/2 10.0.0.1:80 masqueraded`, sorted; paths to the same end are added up. */
export function ends(witness: Witness, ruleset: number, of: Packet): string[] {
  const sums = new Map<string, [bigint, bigint]>();
  for (const path of witness.trace(ruleset, of)?.paths ?? []) {
    const [n, d] = path.probability.map(BigInt) as [bigint, bigint];
    const [n0, d0] = sums.get(short(path)) ?? [0n, 1n];
    sums.set(short(path), reduced(n0 * d + n * d0, d0 * d));
  }
  return [...sums].map(([end, [n, d]]) => `${n}/${d} ${end}`).sort();
}

function reduced(n: bigint, d: bigint): [bigint, bigint] {
  let [a, b] = [n, d];
  while (b !== 0n) [a, b] = [b, a % b];
  return [n / a, d / a];
}

function short(end: Ending): string {
  const { ending, address = "", port, masquerade, snat, affinitySeconds } = end;
  const host = address.includes(":") ? `[${address}]` : address;
  const to = ending === "endpoint" ? `${host}:${port}` : ending === "reject" ? `reject ${end.with}` : ending;
  return `${to}${masquerade ? " masqueraded" : ""}${snat ? ` from ${snat}` : ""}${affinitySeconds ? ` sticks ${affinitySeconds}s` : ""}`;
}
