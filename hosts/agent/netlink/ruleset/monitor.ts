// Listens to the kernel's notifications about the ruleset (NFNLGRP_NFTABLES): who changed which tables.
//
// While anybody listens, the kernel describes each change within the commit, ours too. That makes a load of 100,000 elements
// slower (see README.md), so a monitor is opened only when it is needed. `GenerationWatch` costs nothing.
import { findAttribute, readString, readU32 } from "../messages/attributes.ts";
import { ATTRIBUTES, type Message, messageFamily, readMessages } from "../messages/messages.ts";
import { NFNL_SUBSYS_NFTABLES, NFNLGRP_NFTABLES, NFT_MSG_NEWGEN, NFTA_GEN } from "../messages/uapi.ts";
import type { Libc } from "../sockets/libc.ts";
import { NetlinkSocket } from "../sockets/socket.ts";

export interface TableName {
  /** NFPROTO_… */
  readonly family: number;
  readonly table: string;
}

/** One commit. */
export interface RulesetChange {
  /** The generation it made; undefined when notifications were lost. */
  readonly generation: number | undefined;
  /** Of the socket that made it. */
  readonly portId: number;
  /** Of the thread that made it, which for a process with one thread is the process: ours are made by libuv's pool. */
  readonly threadId: number | undefined;
  readonly processName: string | undefined;
  readonly tables: readonly TableName[];
  /** Notifications were lost: anything may have changed. */
  readonly overrun: boolean;
}

export interface MonitorOptions {
  /** Bytes for queued notifications. */
  readonly receiveBuffer?: number;
  /** For tests. */
  readonly libc?: Libc;
}

const RECEIVE_BUFFER = 4 << 20;
/** Milliseconds of reading before timers get their turn. */
const TURN = 5;
/** The table's name has this number in every message of nf_tables except a generation's. */
const TABLE_NAME = 1;

export class RulesetMonitor {
  readonly #socket: NetlinkSocket;
  #tables = new Map<string, TableName>();
  #running: Promise<void> | undefined;
  #closed = false;

  private constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** Changes committed after this returns are reported. @throws {NetlinkError} EPERM without CAP_NET_ADMIN */
  static open(options: MonitorOptions = {}): RulesetMonitor {
    const { receiveBuffer = RECEIVE_BUFFER } = options;
    return new RulesetMonitor(
      NetlinkSocket.open({ ...options, sendBuffer: 4096, receiveBuffer, groups: [NFNLGRP_NFTABLES] }),
    );
  }

  /** Calls `listener` for each commit until `close`. Does not keep the process alive. */
  start(listener: (change: RulesetChange) => void): void {
    this.#running ??= this.#run(listener);
  }

  /** What was reported since the last call, without waiting: at most 5 ms of reading. Not together with `start`. */
  take(): RulesetChange[] {
    const changes: RulesetChange[] = [];
    this.#read((change) => changes.push(change));
    return changes;
  }

  /** Waits for something to take. */
  waitForChange(milliseconds: number): Promise<boolean> {
    return this.#socket.waitReadable(milliseconds);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#socket.close();
    await this.#running;
  }

  async #run(listener: (change: RulesetChange) => void): Promise<void> {
    while (!this.#closed) {
      if (this.#read(listener)) await new Promise((resolve) => setImmediate(resolve));
      else if (!(await this.#socket.waitReadable(Number.POSITIVE_INFINITY, false))) return;
    }
  }

  /** Reads for one turn; true when more may be queued. */
  #read(listener: (change: RulesetChange) => void): boolean {
    const end = performance.now() + TURN;
    while (performance.now() < end) {
      const received = this.#socket.receive();
      if (received.kind === "empty") return false;
      if (received.kind === "overrun") {
        this.#tables.clear();
        listener({
          generation: undefined,
          portId: 0,
          threadId: undefined,
          processName: undefined,
          tables: [],
          overrun: true,
        });
        continue;
      }
      for (const message of readMessages(received.bytes)) this.#message(message, listener);
    }
    return true;
  }

  #message(message: Message, listener: (change: RulesetChange) => void): void {
    if (message.type >> 8 !== NFNL_SUBSYS_NFTABLES) return;
    if (message.type !== NFT_MSG_NEWGEN) {
      const table = readString(findAttribute(message.bytes, TABLE_NAME, ATTRIBUTES));
      const family = messageFamily(message);
      if (table !== undefined) this.#tables.set(`${family} ${table}`, { family, table });
      return;
    }
    const attribute = (type: number): Uint8Array | undefined => findAttribute(message.bytes, type, ATTRIBUTES);
    listener({
      generation: readU32(attribute(NFTA_GEN.ID)),
      portId: message.portId,
      threadId: readU32(attribute(NFTA_GEN.PROC_PID)),
      processName: readString(attribute(NFTA_GEN.PROC_NAME)),
      tables: [...this.#tables.values()],
      overrun: false,
    });
    this.#tables.clear();
  }
}
