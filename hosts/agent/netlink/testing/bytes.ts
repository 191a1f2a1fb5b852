// Keys and data of elements as the kernel wants them: parts in network order, each padded to 4 bytes.
import { align4 } from "../messages/attributes.ts";

export function ipv4(text: string): Uint8Array {
  return Uint8Array.from(text.split(".").map(Number));
}

/** The n-th address after 10.0.0.0. */
export function podAddress(n: number): Uint8Array {
  return Uint8Array.of(10, (n >>> 16) & 0xff, (n >>> 8) & 0xff, n & 0xff);
}

/** The n-th address after 172.16.0.0. */
export function serviceAddress(n: number): Uint8Array {
  return Uint8Array.of(172, 16 + ((n >>> 16) & 0xf), (n >>> 8) & 0xff, n & 0xff);
}

export const tcp = Uint8Array.of(6);

export function port(number: number): Uint8Array {
  return Uint8Array.of(number >>> 8, number & 0xff);
}

/** In the machine's order, as numgen writes it. */
export function slot(number: number): Uint8Array {
  return new Uint8Array(new Uint32Array([number]).buffer);
}

export function concatenate(...parts: Uint8Array[]): Uint8Array {
  const padded = parts.map((part) => align4(part.length));
  const bytes = new Uint8Array(padded.reduce((sum, length) => sum + length, 0));
  let offset = 0;
  parts.forEach((part, index) => {
    bytes.set(part, offset);
    offset += padded[index] ?? 0;
  });
  return bytes;
}
