// Reads one table from the kernel, for the engine's reconciliation.
//
// The kernel makes a dump in parts of up to 32 KiB, each inside recv(), and does not hold the ruleset still in between.
// Three things make a dump wrong, and each is noticed:
//  - the table changes: NLM_F_DUMP_INTR, and the ruleset's generation differs;
//  - the dump of a set without declared size runs while a kernel worker rebuilds its hash table, which it does after many
//    elements were added. Elements then come twice and as many are missing, without any sign. So we look for duplicates;
//  - parts are lost (ENOBUFS).
// Each part of a set skips the elements of all earlier parts one by one, so big sets take quadratic time in the kernel
// (README.md has numbers). It passes on a thread of libuv's pool.

import {
  ATTRIBUTE_HEADER,
  type AttributeWriter,
  align4,
  findAttribute,
  readAttributes,
  readString,
  readU32,
  viewOf,
} from "../messages/attributes.ts";
import { EBUSY, EINTR, ENOENT, NetlinkError } from "../messages/errno.ts";
import { ATTRIBUTES, type Message, messageFamily, messageResource, request } from "../messages/messages.ts";
import * as uapi from "../messages/uapi.ts";
import type { Libc } from "../sockets/libc.ts";
import { type DumpEnd, requestDump } from "../sockets/requests.ts";
import { NetlinkSocket } from "../sockets/socket.ts";
import { ByteBuffer } from "./byte-buffer.ts";
import { DuplicateFinder } from "./duplicate-finder.ts";
import { readGeneration } from "./generation.ts";
import type { TableName } from "./monitor.ts";
import { readTable } from "./table.ts";
import { TableWatch } from "./table-watch.ts";

export type TableDump =
  | {
      readonly outcome: "complete";
      /**
       * Netlink messages one after another, each whole in a piece, as the kernel wrote them: NEWTABLE, NEWCHAIN…, NEWSET…, NEWRULE…,
       * NEWOBJ…, NEWFLOWTABLE…, NEWSETELEM…. Elements of dynamic sets (NFT_SET_EVAL) are not among them.
       */
      readonly pieces: readonly Uint8Array[];
      /** Generation of the ruleset to which it belongs: start a `GenerationWatch` with it. */
      readonly generation: number;
      readonly chains: number;
      readonly sets: number;
      readonly rules: number;
      readonly elements: number;
      readonly attempts: number;
    }
  /** There is no such table. */
  | { readonly outcome: "absent"; readonly generation: number }
  /** The table never held still for long enough. Try again later. */
  | { readonly outcome: "unstable"; readonly attempts: number; readonly reason: string };

export interface DumpOptions {
  /** How often to start anew before giving up. */
  readonly attempts?: number;
  /** The kernel has told more: called often. */
  readonly onPart?: () => void;
  /** For tests. */
  readonly libc?: Libc;
}

const ATTEMPTS = 10;
/** Milliseconds before the second attempt; each further one waits longer by as much. */
const BACKOFF = 10;
/** The same for one list or set of an attempt. */
const PART_ATTEMPTS = 20;
/** The rebuilding of a hash table takes a worker of the kernel some 100 ms for a million elements. */
const REBUILD_BACKOFF = 50;

/**
 * Dumps a table as it is at one moment. It has a socket of its own, so batches can go on; each one that changes this
 * table starts the dump anew. Commits in other tables do not, from the second attempt on.
 *
 * @throws {NetlinkError} EPERM, or no nf_tables in the kernel
 */
export async function dumpTable(table: TableName, options: DumpOptions = {}): Promise<TableDump> {
  const attempts = options.attempts ?? ATTEMPTS;
  let reason = "";
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const dump = new Dump(table, options, attempt);
    try {
      return await dump.run();
    } catch (error) {
      if (!(error instanceof Moved)) throw error;
      reason = error.message;
    } finally {
      await dump.close();
    }
    if (attempt < attempts) await sleep(BACKOFF * attempt);
  }
  return { outcome: "unstable", attempts, reason };
}

/** The table did not hold still. Start anew. */
class Moved extends Error {
  constructor(reason = "somebody changed the ruleset while it was read") {
    super(reason);
  }
}

/** NFTA_OBJ_TABLE, NFTA_FLOWTABLE_TABLE. */
const OBJECT_TABLE = 1;

interface SetName {
  readonly name: string;
  readonly flags: number;
}

/** One attempt. */
class Dump {
  readonly #table: TableName;
  readonly #attempt: number;
  readonly #libc: { readonly libc?: Libc };
  readonly #onPart: () => void;
  /** It slows down everybody who commits meanwhile, so it is opened only after the first attempt has failed. */
  readonly #watch: TableWatch | undefined;
  #socket: NetlinkSocket;
  /** Of the ruleset when the attempt began. */
  #generation = 0;

  constructor(table: TableName, { libc, onPart }: DumpOptions, attempt: number) {
    this.#table = table;
    this.#attempt = attempt;
    this.#libc = libc === undefined ? {} : { libc };
    this.#onPart = onPart ?? (() => {});
    this.#watch = attempt === 1 ? undefined : new TableWatch(table, this.#libc);
    this.#socket = this.#open();
  }

  async run(): Promise<TableDump> {
    this.#generation = await readGeneration(this.#socket);
    const bytes = new ByteBuffer();
    const table = await readTable(this.#socket, this.#table);
    if (table === undefined) return { outcome: "absent", generation: this.#generation };
    bytes.add(table);

    const chains = await this.#chains(bytes);
    const found: SetName[] = [];
    const sets = await this.#list(bytes, uapi.NFT_MSG_GETSET, uapi.NFTA_SET.TABLE, (set) => {
      const name = readString(findAttribute(set.bytes, uapi.NFTA_SET.NAME, ATTRIBUTES)) ?? "";
      found.push({ name, flags: readU32(findAttribute(set.bytes, uapi.NFTA_SET.FLAGS, ATTRIBUTES)) ?? 0 });
    });
    const rules = await this.#list(bytes, uapi.NFT_MSG_GETRULE, uapi.NFTA_RULE.TABLE);
    const objects = await this.#list(bytes, uapi.NFT_MSG_GETOBJ, OBJECT_TABLE);
    const flowtables = await this.#list(bytes, uapi.NFT_MSG_GETFLOWTABLE, OBJECT_TABLE);
    if ([sets, rules, objects, flowtables].some(({ end }) => this.#moved(end))) throw new Moved();

    let elements = 0;
    for (const set of found) {
      if ((set.flags & uapi.NFT_SET_EVAL) === 0) elements += await this.#elements(bytes, set);
    }
    const generation = await readGeneration(this.#socket);
    if (generation !== this.#generation && ((await this.#watch?.touchedUntil(generation)) ?? true)) throw new Moved();
    return {
      outcome: "complete",
      pieces: bytes.list(),
      generation,
      chains,
      sets: sets.count,
      rules: rules.count,
      elements,
      attempts: this.#attempt,
    };
  }

  async close(): Promise<void> {
    await this.#socket.close();
    await this.#watch?.close();
  }

  #open(): NetlinkSocket {
    return NetlinkSocket.open({ ...this.#libc, sendBuffer: 64 << 10 });
  }

  /**
   * The kernel lists the chains of all tables, and resumes by position. So anybody's commit may make it leave out one of ours.
   * The list is read again until nobody has committed meanwhile.
   */
  async #chains(bytes: ByteBuffer): Promise<number> {
    for (let attempt = 1; attempt <= PART_ATTEMPTS; attempt++) {
      const before = await readGeneration(this.#socket);
      const mark = bytes.mark();
      const { count, end } = await this.#list(bytes, uapi.NFT_MSG_GETCHAIN, uapi.NFTA_CHAIN.TABLE);
      if (!end.interrupted && !end.lost && (await readGeneration(this.#socket)) === before) return count;
      if (this.#watch === undefined) break;
      bytes.rewind(mark);
    }
    throw new Moved();
  }

  /** Objects of one kind in our table. */
  async #list(
    bytes: ByteBuffer,
    type: number,
    tableAttribute: number,
    each: (message: Message) => void = () => {},
  ): Promise<{ readonly count: number; readonly end: DumpEnd }> {
    const { family, table } = this.#table;
    let count = 0;
    const end = await this.#ask(
      type,
      (w) => w.string(tableAttribute, table),
      (message) => {
        const ours = readString(findAttribute(message.bytes, tableAttribute, ATTRIBUTES)) === table;
        if (!ours || messageFamily(message) !== family) return true;
        bytes.add(message.bytes);
        count++;
        each(message);
        return true;
      },
    );
    return { count, end };
  }

  /** Returns how many elements the set has. */
  async #elements(bytes: ByteBuffer, set: SetName): Promise<number> {
    for (let attempt = 1; attempt <= PART_ATTEMPTS; attempt++) {
      const mark = bytes.mark();
      const { count, twice } = await this.#readElements(bytes, set);
      if (!twice) return count;
      bytes.rewind(mark);
      // The rest of that dump is unread; the kernel forgets it with the socket.
      await this.#socket.close();
      await sleep(REBUILD_BACKOFF);
      this.#socket = this.#open();
    }
    throw new Moved(`the kernel kept rebuilding the set ${set.name}`);
  }

  async #readElements(bytes: ByteBuffer, set: SetName): Promise<{ readonly count: number; readonly twice: boolean }> {
    // Intervals are kept in trees, which are not rebuilt. And the end of one interval may have the key of the next.
    const seen = (set.flags & uapi.NFT_SET_INTERVAL) === 0 ? new DuplicateFinder() : undefined;
    let count = 0;
    let twice = false;
    let moved = false;
    const end = await this.#ask(
      uapi.NFT_MSG_GETSETELEM,
      (w) => {
        w.string(uapi.NFTA_SET_ELEM_LIST.TABLE, this.#table.table);
        w.string(uapi.NFTA_SET_ELEM_LIST.SET, set.name);
      },
      (message) => {
        // Each message has the low half of the generation, so a changed set need not be read to its end.
        moved = messageResource(message) !== (this.#generation & 0xffff) && this.#touched();
        if (moved) return false;
        bytes.add(message.bytes);
        forEachKey(message.bytes, (view, start, end) => {
          count++;
          if (seen?.add(view, start, end)) twice = true;
        });
        return !twice;
      },
    );
    if (moved || (!twice && this.#moved(end))) throw new Moved();
    return { count, twice };
  }

  async #ask(
    type: number,
    content: (writer: AttributeWriter) => void,
    take: (message: Message) => boolean,
  ): Promise<DumpEnd> {
    const sequence = this.#socket.nextSequence();
    const header = { type, flags: uapi.NLM_F_DUMP, sequence, family: this.#table.family };
    const end = await requestDump(this.#socket, request(header, content), sequence, (message) => {
      this.#onPart();
      return take(message);
    });
    // ENOENT: what was listed a moment ago is gone.
    if (end.errno === ENOENT || end.errno === EBUSY || end.errno === EINTR) throw new Moved();
    if (end.errno !== 0) throw new NetlinkError("dump", end.errno);
    return end;
  }

  /** Parts were lost, or a commit that matters came in between. */
  #moved(end: DumpEnd): boolean {
    return end.lost || (end.interrupted && this.#touched());
  }

  #touched(): boolean {
    return this.#watch?.touched ?? true;
  }
}

/**
 * Where the keys are in one message of elements; the kernel writes NFTA_SET_ELEM_KEY first. This loops over offsets and makes
 * no objects: with a million elements the garbage collector would hold up timers.
 */
function forEachKey(message: Uint8Array, take: (view: DataView, start: number, end: number) => void): void {
  const view = viewOf(message);
  for (const { type, offset, payload } of readAttributes(message, ATTRIBUTES)) {
    if (type !== uapi.NFTA_SET_ELEM_LIST.ELEMENTS) continue;
    const end = offset + ATTRIBUTE_HEADER + payload.length;
    for (let element = offset + ATTRIBUTE_HEADER; element + 2 * ATTRIBUTE_HEADER <= end; ) {
      const key = element + ATTRIBUTE_HEADER;
      take(view, key + ATTRIBUTE_HEADER, key + view.getUint16(key, true));
      element += Math.max(ATTRIBUTE_HEADER, align4(view.getUint16(element, true)));
    }
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
