// Addresses of some CIDRs of one family for names.

import { type Address, addressText, type Cidr, parseAddress } from "../cidr.ts";
import type { AddressFamily } from "../describe.ts";
import { NumberPool } from "./pool.ts";

/** More than a cluster has Services: of larger ranges the beginning is used, so that numbers stay exact. */
const LARGEST = 2n ** 48n;

export class AddressPool {
  readonly family: AddressFamily;
  readonly #parts: { cidr: Cidr; size: number; pool: NumberPool }[];

  /**
   * @param cidrs all of that family; the first one that has an address left gives it
   * @param reserved how many of a range of that size are given last
   */
  constructor(family: AddressFamily, cidrs: readonly Cidr[], reserved: (size: number) => number = () => 0) {
    this.family = family;
    this.#parts = cidrs.map((cidr) => {
      const size = Number(cidr.size < LARGEST ? cidr.size : LARGEST);
      const pool = new NumberPool(size, reserved(size));
      // No host has the network's own address, nor IPv4's broadcast address.
      if (size > 2) {
        pool.exclude(0);
        if (family === "IPv4") pool.exclude(size - 1);
      }
      return { cidr, size, pool };
    });
  }

  exclude(address: Address): void {
    if (address.family !== this.family) return;
    for (const { cidr, size, pool } of this.#parts) {
      const number = address.value - cidr.base;
      if (number >= 0n && number < size) pool.exclude(Number(number));
    }
  }

  excludeText(text: string): void {
    const address = parseAddress(text);
    if (address !== undefined) this.exclude(address);
  }

  /** Undefined: none is left. */
  take(name: string): string | undefined {
    for (const { cidr, pool } of this.#parts) {
      const number = pool.take(name);
      if (number !== undefined) {
        const text = addressText({ family: this.family, value: cidr.base + BigInt(number) });
        // Ranges may overlap.
        this.excludeText(text);
        return text;
      }
    }
    return undefined;
  }
}
