// Other addresses for all that a cluster has. What lies in a range lies in its new range, and nothing else does; ranges keep their
// sizes, and families stay. The new ones are counted up: they tell nothing of the old ones but their order within a range.
import { addressText, type Block, blockAt, blockOf, contains, sizeOf } from "./address-block.ts";
import { byBase, FreeSpace } from "./free-space.ts";

interface Family {
  /** Loopback, link-local, multicast, reserved: they mean the same everywhere, so they stay. */
  readonly fixed: readonly Block[];
  /** Where new ranges may lie, in the order in which they are filled. */
  readonly pools: readonly Block[];
}

const blocks = (...texts: string[]) => texts.map((text) => blockOf(text) as Block);

const families: readonly Family[] = [
  {
    fixed: blocks("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"),
    pools: blocks(
      ...["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15"],
      // More ranges than that are of no cluster; still there must be room for them.
      ...Array.from({ length: 120 - 11 }, (_, i) => `${i + 11}.0.0.0/8`),
      ...Array.from({ length: 224 - 200 }, (_, i) => `${i + 200}.0.0.0/8`),
    ),
  },
  {
    // The first one has ::, ::1 and IPv4 addresses written as IPv6 ones.
    fixed: blocks("::/8", "fe80::/10", "ff00::/8"),
    pools: blocks("fd00::/8", "fc00::/8", "2000::/3"),
  },
];

/** Ranges of fewer bits say nothing of a cluster (`0.0.0.0/0`), and stay. */
const SHORTEST = 8;

/** A range and the ranges and addresses in it. */
interface Branch extends Block {
  readonly inner: Branch[];
}

const keyOf = ({ base, length, bits }: Block): string => `${bits} ${base}/${length}`;

export class AddressMap {
  /** Block → first address of the new one. */
  readonly #moved = new Map<string, bigint>();
  /** As they were given → new. */
  readonly #texts = new Map<string, string>();

  /** @param texts all addresses and ranges that there are; what is neither is passed over */
  constructor(texts: Iterable<string>) {
    const given = new Map<string, Block>();
    for (const text of texts) {
      const block = blockOf(text);
      if (block !== undefined) given.set(text, block);
    }
    const all = [...new Map([...given.values()].map((block) => [keyOf(block), block])).values()];
    for (const family of families) {
      const own = all.filter(({ bits }) => bits === family.pools[0]?.bits);
      this.#place(treeOf(own), family);
    }
    for (const [text, block] of given) this.#texts.set(text, this.#textOf(text, block) ?? "");
  }

  /** The new address or range, in canonical form. Undefined: the text is none of those that were given. */
  get(text: string): string | undefined {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    const block = blockOf(text);
    return block === undefined ? undefined : this.#textOf(text, block);
  }

  #textOf(text: string, block: Block): string | undefined {
    const base = this.#moved.get(keyOf(block));
    if (base === undefined) return undefined;
    const address = addressText({ ...block, base });
    return text.includes("/") ? `${address}/${block.length}` : address;
  }

  /**
   * Places branches that lie in no range that moves. What moves goes where none of them was, so that no old address is a new one;
   * only in a range of one to seven bits there may be no other place than one of those, or none at all.
   *
   * @param pools where to
   */
  #place(branches: readonly Branch[], { fixed, pools }: Family, within?: Branch): void {
    const moving: Branch[] = [];
    const staying: Block[] = [...fixed];
    for (const branch of branches) {
      if (fixed.some((each) => contains(each, branch))) this.#keep([branch]);
      else if (branch.length < SHORTEST) {
        staying.push(branch);
        this.#moved.set(keyOf(branch), branch.base);
        const inside = pools.filter((pool) => contains(branch, pool));
        const isAll = branch.length === 0;
        this.#place(branch.inner, { fixed, pools: inside.length > 0 ? inside : [branch] }, isAll ? undefined : branch);
      } else moving.push(branch);
    }
    const ways = [() => this.#fill(moving, pools, [...staying, ...branches])];
    if (within !== undefined) {
      ways.push(
        () => this.#fill(moving, [within], staying),
        () => {
          for (const branch of moving) this.#fill([branch], [branch], []);
        },
      );
    }
    firstWithRoom(ways);
  }

  #fill(branches: readonly Branch[], pools: readonly Block[], obstacles: readonly Block[]): void {
    const free = new FreeSpace(pools, obstacles);
    const room = pools.reduce((sum, pool) => sum + sizeOf(pool), 0n);
    const isFull = branches.reduce((sum, branch) => sum + sizeOf(branch), 0n) === room;
    const starts = new Set(pools.map(({ base }) => base));
    const largestFirst = [...branches].sort((a, b) => a.length - b.length || byBase(a, b));
    for (const branch of largestFirst) {
      const { length, bits, inner } = branch;
      const base = free.take(sizeOf(branch), (start) => length === bits && !isFull && starts.has(start));
      this.#moved.set(keyOf(branch), base);
      if (inner.length > 0) this.#fill(inner, [blockAt(base, length, bits)], []);
    }
  }

  #keep(branches: readonly Branch[]): void {
    for (const branch of branches) {
      this.#moved.set(keyOf(branch), branch.base);
      this.#keep(branch.inner);
    }
  }
}

function firstWithRoom(ways: readonly (() => void)[]): void {
  for (const [index, way] of ways.entries()) {
    try {
      way();
      return;
    } catch (error) {
      if (!(error instanceof RangeError) || index === ways.length - 1) throw error;
    }
  }
}

/** Each block in the smallest that contains it. */
function treeOf(all: readonly Block[]): Branch[] {
  const top: Branch[] = [];
  const open: Branch[] = [];
  for (const block of [...all].sort(byBase)) {
    const branch = { ...block, inner: [] };
    while (open.length > 0 && !contains(open.at(-1) as Branch, branch)) open.pop();
    (open.at(-1)?.inner ?? top).push(branch);
    open.push(branch);
  }
  return top;
}
