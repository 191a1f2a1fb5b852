// Numbers for names, the same on every machine. A name gets the number that its hash points to, or if another has that, the
// next one that its hash leads to. So a name that comes or goes moves no others but those that wanted the same number.

/** Tries by hash; then the numbers are taken one after the other. */
const PROBES = 64;

export class NumberPool {
  readonly #size: number;
  readonly #reserved: number;
  readonly #taken = new Set<number>();
  #free: number;

  /**
   * Numbers 0 … size − 1.
   * @param reserved the lowest ones, which are given last: a cluster leaves them to those who choose for themselves
   */
  constructor(size: number, reserved = 0) {
    this.#size = size;
    this.#free = size;
    this.#reserved = Math.min(reserved, size);
  }

  /** Keeps a number from being given. */
  exclude(number: number): void {
    if (number < 0 || number >= this.#size || this.#taken.has(number)) return;
    this.#taken.add(number);
    this.#free--;
  }

  /** Undefined: all are taken. */
  take(name: string): number | undefined {
    const found = this.#free === 0 ? undefined : this.#find(name);
    if (found !== undefined) this.exclude(found);
    return found;
  }

  #find(name: string): number | undefined {
    const span = this.#size - this.#reserved;
    if (span > 0) {
      let number = 0;
      for (let probe = 0; probe < PROBES; probe++) {
        number = this.#reserved + (hash(name, probe) % span);
        if (!this.#taken.has(number)) return number;
      }
      // As many steps as numbers are taken, plus one, find a free one if there is any.
      for (let step = 1; step < span && step <= this.#taken.size + 1; step++) {
        const next = this.#reserved + ((number - this.#reserved + step) % span);
        if (!this.#taken.has(next)) return next;
      }
    }
    for (let next = this.#reserved - 1; next >= 0; next--) if (!this.#taken.has(next)) return next;
    return undefined;
  }
}

/** 0 ≤ hash < 2^53, of a text and a number: two 32-bit FNV-1a hashes, each mixed once more (MurmurHash3's last step). */
export function hash(text: string, number = 0): number {
  let a = 0x811c9dc5 ^ number;
  let b = 0x2f0b4c47 ^ Math.imul(number, 0x9e3779b1);
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ unit, 0x85ebca6b);
  }
  return (mix(a) & 0x1f_ffff) * 0x1_0000_0000 + mix(b ^ a);
}

function mix(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
