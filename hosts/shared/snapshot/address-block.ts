// Ranges of addresses as numbers.
import { Address4, Address6 } from "ip-address";

/** An address range; of an address alone `length` is all bits. */
export interface Block {
  /** The first address of it. */
  readonly base: bigint;
  readonly length: number;
  /** 32 or 128. */
  readonly bits: number;
}

/**
 * The range that a text such as `10.0.0.0/8` names, its bits behind the prefix cleared, or the one address. Parts of IPv4
 * addresses may have leading zeros, which do not make them octal, as in Kubernetes. Undefined: it is neither.
 */
export function blockOf(text: string): Block | undefined {
  const [address = "", prefix, ...more] = text.trim().split("/");
  if (more.length > 0 || (prefix !== undefined && !/^\d{1,3}$/.test(prefix)) || address.includes("%")) return undefined;
  const bits = address.includes(":") ? 128 : 32;
  const length = prefix === undefined ? bits : Number(prefix);
  if (length > bits) return undefined;
  const plain = address.replace(/(^|[.:])0+(?=\d+(\.|$))/g, "$1");
  const Address = bits === 128 ? Address6 : Address4;
  return Address.isValid(plain) ? blockAt(new Address(plain).bigInt(), length, bits) : undefined;
}

export function blockAt(address: bigint, length: number, bits: number): Block {
  const rest = BigInt(bits - length);
  return { base: (address >> rest) << rest, length, bits };
}

/** In canonical form; the address alone. */
export function addressText({ base, bits }: Block): string {
  return (bits === 128 ? Address6.fromBigInt(base) : Address4.fromBigInt(base)).correctForm();
}

export function sizeOf({ length, bits }: Block): bigint {
  return 1n << BigInt(bits - length);
}

export function contains(outer: Block, inner: Block): boolean {
  return outer.length <= inner.length && inner.base >= outer.base && inner.base < outer.base + sizeOf(outer);
}
