// IP addresses and CIDRs as numbers, without anything of Node: pages use it too.
import type { AddressFamily } from "../describe.ts";

export interface Address {
  readonly family: AddressFamily;
  readonly value: bigint;
}

export interface Cidr {
  readonly family: AddressFamily;
  /** Its lowest address. */
  readonly base: bigint;
  readonly prefix: number;
  /** Number of addresses. */
  readonly size: bigint;
}

export function bitsOf(family: AddressFamily): number {
  return family === "IPv4" ? 32 : 128;
}

/** Undefined: it is no address. Leading zeros count as decimal; IPv4 written as IPv6 is IPv4, as in kube-proxy. */
export function parseAddress(text: string): Address | undefined {
  return text.includes(":") ? parseIPv6(text) : parseIPv4(text);
}

function parseIPv4(text: string): Address | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    if (!/^\d{1,9}$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256n + BigInt(Number(part));
  }
  return { family: "IPv4", value };
}

function parseIPv6(text: string): Address | undefined {
  const dotted = /^(.*:)([^:]*\.[^:]*)$/.exec(text);
  let hex = text;
  if (dotted !== null) {
    const last = parseIPv4(dotted[2] ?? "");
    if (last === undefined) return undefined;
    hex = `${dotted[1]}${(last.value >> 16n).toString(16)}:${(last.value & 0xffffn).toString(16)}`;
  }
  const halves = hex.split("::");
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
  const [before = [], after = []] = groups;
  const missing = 8 - before.length - after.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  let value = 0n;
  for (const group of [...before, ...Array<string>(missing).fill("0"), ...after]) {
    if (!/^[\da-f]{1,4}$/i.test(group)) return undefined;
    value = value * 0x10000n + BigInt(`0x${group}`);
  }
  return value >> 32n === 0xffffn ? { family: "IPv4", value: value & 0xffff_ffffn } : { family: "IPv6", value };
}

/** Undefined: it is none. Bits behind the prefix are cleared. */
export function parseCidr(text: string): Cidr | undefined {
  const [, address = "", length = ""] = /^([^/]*)\/(\d{1,3})$/.exec(text) ?? [];
  const parsed = parseAddress(address);
  const prefix = Number(length);
  if (parsed === undefined || length === "" || prefix > bitsOf(parsed.family)) return undefined;
  const size = 1n << BigInt(bitsOf(parsed.family) - prefix);
  return { family: parsed.family, base: parsed.value - (parsed.value % size), prefix, size };
}

/** Canonical: RFC 5952 for IPv6. */
export function addressText({ family, value }: Address): string {
  if (family === "IPv4") return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join(".");
  const groups = Array.from({ length: 8 }, (_, index) => Number((value >> BigInt(112 - 16 * index)) & 0xffffn));
  const zeros = longestZeros(groups);
  const text = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(":");
  return zeros.length < 2 ? text(0, 8) : `${text(0, zeros.start)}::${text(zeros.start + zeros.length, 8)}`;
}

function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (const [index, group] of groups.entries()) {
    if (group !== 0) start = index + 1;
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
  }
  return best;
}

export function cidrText({ family, base, prefix }: Cidr): string {
  return `${addressText({ family, value: base })}/${prefix}`;
}
