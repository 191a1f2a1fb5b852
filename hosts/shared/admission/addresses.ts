// IP addresses and ranges as the API server wants them (staging/src/k8s.io/apimachinery/pkg/util/validation/ip.go; KEP-4858):
// reasons against a text in the server's words, and what it warns of.
import { type Address, addressText, cidrText, contains, parseAddress, parseCidr } from "../cidr.ts";
import { isAtLeast, type KubeVersion } from "../config/kube-version.ts";
import type { Warning } from "./warning.ts";

/** Since 1.36 leading zeros, IPv4-mapped IPv6 addresses and bits beyond the prefix are refused (StrictIPCIDRValidation). */
export function isStrict(version: KubeVersion): boolean {
  return isAtLeast(version, 1, 36);
}

/** Undefined: it is good. */
export function againstAddress(text: string, version: KubeVersion): string | undefined {
  const address = parseAddress(text);
  if (address === undefined) return "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
  if (!isStrict(version)) return undefined;
  if (hasLeadingZeros(text)) return "must not have leading 0s";
  return isMapped(text, address) ? "must not be an IPv4-mapped IPv6 address" : undefined;
}

/** Of a field in which only one form of an IPv6 address is right (since 1.33). Undefined: it is good. */
export function againstForm(text: string, version: KubeVersion): string | undefined {
  const address = parseAddress(text);
  if (address === undefined || !isAtLeast(version, 1, 33) || text === addressText(address)) return undefined;
  return `must be in canonical form (${JSON.stringify(addressText(address))})`;
}

/** Undefined: it is good. */
export function againstCIDR(text: string, version: KubeVersion): string | undefined {
  const slash = text.indexOf("/");
  const address = slash === -1 ? undefined : parseAddress(text.slice(0, slash));
  const cidr = parseCidr(text);
  const prefix = text.slice(slash + 1);
  // Its prefix counts the bits of IPv6.
  const isMappedRange =
    address !== undefined && isMapped(text, address) && /^\d{1,3}$/.test(prefix) && Number(prefix) <= 128;
  if (address === undefined || (cidr === undefined && !isMappedRange)) {
    return "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
  }
  if (!isStrict(version)) return undefined;
  if (hasLeadingZeros(text)) return "must not have leading 0s in IP or prefix length";
  if (isMappedRange) return "must not have an IPv4-mapped IPv6 address";
  return cidr?.base === address.value ? undefined : "must not have bits set beyond the prefix length";
}

const MULTICAST = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)";
const ranges: readonly (readonly [ranges: readonly string[], why: string])[] = [
  [["127.0.0.0/8", "::1/128"], "may not be in the loopback range (127.0.0.0/8, ::1/128)"],
  [["169.254.0.0/16", "fe80::/10"], "may not be in the link-local range (169.254.0.0/16, fe80::/10)"],
  // Whatever the flags in its third digit.
  [["224.0.0.0/24", ...[..."0123456789abcdef"].map((flags) => `ff${flags}2::/16`)], MULTICAST],
];
const special = ranges.flatMap(([cidrs, why]) => cidrs.map((text) => ({ cidr: parseCidr(text), why })));

/** Addresses to which no packet may be sent on. Of a text that is no address: none. */
export function* againstSpecialAddress(text: string): Generator<string> {
  const address = parseAddress(text);
  if (address === undefined) return;
  if (address.value === 0n) yield `may not be unspecified (${text})`;
  for (const { cidr, why } of special) if (cidr !== undefined && contains(cidr, address)) yield why;
}

/** What is taken and not as it should be. */
export function* addressWarnings(field: string, text: string, version: KubeVersion): Generator<Warning> {
  const address = parseAddress(text);
  if (address === undefined) return;
  const canonical = addressText(address);
  if (isMapped(text, address) || hasLeadingZeros(text)) {
    yield { field, text: `${field}: non-standard IP address "${text}" ${verdict(version)}: use "${canonical}"` };
  } else if (address.family === "IPv6" && text !== canonical) {
    yield { field, text: `${field}: IPv6 address "${text}" should be in RFC 5952 canonical format ("${canonical}")` };
  }
}

export function* cidrWarnings(field: string, text: string, version: KubeVersion): Generator<Warning> {
  const cidr = parseCidr(text);
  const address = parseAddress(text.slice(0, text.indexOf("/")));
  if (cidr === undefined || address === undefined) return;
  const canonical = cidrText(cidr);
  const isAmbiguous = address.value !== cidr.base;
  const isOdd = isMapped(text, address) || hasLeadingZeros(text);
  if (isAmbiguous) {
    const single = `${addressText(address)}/${cidr.family === "IPv4" ? 32 : 128}`;
    const why = `is ambiguous in this context (should be "${canonical}" or "${single}"?)`;
    yield { field, text: `${field}: CIDR value "${text}" ${why}` };
  }
  if (isOdd) {
    yield { field, text: `${field}: non-standard CIDR value "${text}" ${verdict(version)}: use "${canonical}"` };
  } else if (!isAmbiguous && cidr.family === "IPv6" && text !== canonical) {
    yield {
      field,
      text: `${field}: IPv6 CIDR value "${text}" should be in RFC 5952 canonical format ("${canonical}")`,
    };
  }
}

function verdict(version: KubeVersion): string {
  return isStrict(version) ? "is invalid" : "will be considered invalid in a future Kubernetes release";
}

function isMapped(text: string, address: Address): boolean {
  return text.includes(":") && address.family === "IPv4";
}

/** In a part of an IPv4 address, or in the length of a prefix. */
function hasLeadingZeros(text: string): boolean {
  const [address = "", prefix = ""] = text.split("/");
  const dotted = address.slice(address.lastIndexOf(":") + 1);
  return (dotted.includes(".") && /(^|\.)0\d/.test(dotted)) || /^0\d/.test(prefix);
}
