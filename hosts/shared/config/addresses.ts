// Addresses as KubeProxyConfiguration writes them. Their parts may have leading zeros, as Go's sloppy parsers take them.
import { BlockList, isIP } from "node:net";
import type { Family } from "../contract.ts";
import { shown } from "./shown.ts";

/** Where a server listens. */
export interface ListenAddress {
  /** An IP address, without brackets. */
  readonly host: string;
  readonly port: number;
}

export function familyOf(address: string): Family | undefined {
  const family = isIP(withoutLeadingZeros(address));
  // A zone (fe80::1%eth0) is no part of an address here.
  return address.includes("%") || family === 0 ? undefined : family === 4 ? "ipv4" : "ipv6";
}

/** The family of a CIDR, undefined if it is none. */
export function familyOfCidr(cidr: string): Family | undefined {
  const slash = cidr.lastIndexOf("/");
  if (slash === -1) return undefined;
  const family = familyOf(cidr.slice(0, slash));
  const prefix = cidr.slice(slash + 1);
  if (family === undefined || !/^\d{1,20}$/.test(prefix)) return undefined;
  return Number(prefix) <= (family === "ipv4" ? 32 : 128) ? family : undefined;
}

/** fe80::/10, of an address in canonical form. */
export function isLinkLocal(address: string): boolean {
  return /^fe[89ab][\da-f]:/i.test(address);
}

/** Some of them name IPv6 link-local addresses. `::/0` names none: it stands for all that come in. */
export function nameLinkLocal(cidrs: readonly string[]): boolean {
  return cidrs.some((cidr) => {
    const [address = "", prefix = ""] = cidr.split("/");
    if (familyOfCidr(cidr) !== "ipv6" || Number(prefix) === 0) return false;
    const list = new BlockList();
    list.addSubnet(withoutLeadingZeros(address), Number(prefix), "ipv6");
    return isLinkLocal(address) || list.check("fe80::", "ipv6");
  });
}

/**
 * `127.0.0.1:10249`, `[::1]:10249`, or an address alone, which gets `defaultPort`. A text says what is wrong.
 */
export function parseListenAddress(text: string, defaultPort: number): ListenAddress | string {
  if (familyOf(text) !== undefined) return { host: withoutLeadingZeros(text), port: defaultPort };
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || port === undefined) return "it has no port";
  if (familyOf(host) === undefined) return `${shown(host)} is no IP address`;
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65535) return `${shown(port)} is no port`;
  return { host: withoutLeadingZeros(host), port: Number(port) };
}

export function formatListenAddress({ host, port }: ListenAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function withoutLeadingZeros(address: string): string {
  return address.length > 100 ? address : address.replace(/(^|[.:])0+(?=[\da-f])/gi, "$1");
}

/** URLs by which a server with this address is reached on its own machine; none if it is off. */
export function localAddresses(address: ListenAddress | undefined): readonly string[] {
  if (address === undefined) return [];
  const { host, port } = address;
  const hosts = ["", "0.0.0.0", "::"].includes(host) ? ["127.0.0.1", "::1"] : [host];
  return hosts.map((each) => `http://${formatListenAddress({ host: each, port })}`);
}
