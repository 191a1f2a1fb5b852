// Writes the batches of the modes flat and nftables as netlink, without any binary.
import type { Batch, Family, Mode } from "../../../shared/contract.ts";
import { joinPieces } from "../../../shared/engine.ts";
import { FAMILIES } from "../../../shared/families.ts";
import {
  type BatchError,
  type BatchResult,
  InvalidBatchError,
  RECOMMENDED_BATCH_BYTES,
  sendBatch,
} from "../../netlink/batches/batch.ts";
import { BatchWriter } from "../../netlink/messages/batch-writer.ts";
import { EBUSY, EEXIST, ENOENT, EPERM } from "../../netlink/messages/errno.ts";
import { NFPROTO } from "../../netlink/messages/protocol-family.ts";
import { NLM_F_ACK, NLM_F_CREATE } from "../../netlink/messages/uapi.ts";
import { probeKernel } from "../../netlink/probe/probe.ts";
import { dumpTable } from "../../netlink/ruleset/dump.ts";
import { readGeneration } from "../../netlink/ruleset/generation.ts";
import type { TableName } from "../../netlink/ruleset/monitor.ts";
import { readTable } from "../../netlink/ruleset/table.ts";
import type { Libc } from "../../netlink/sockets/libc.ts";
import { NetlinkSocket } from "../../netlink/sockets/socket.ts";
import type { Dump, Intactness, KernelWriter, WriteResult } from "../writer.ts";
import { partOf, sequencesOf } from "./netlink-trial.ts";
import { readNftNodePortAddresses } from "./node-port-addresses.ts";

export type NetlinkMode = Exclude<Mode, "iptables">;

/** The name of each mode's tables, one for each family. */
const TABLES: Readonly<Record<NetlinkMode, string>> = { flat: "sluice", nftables: "kube-proxy" };

function tableOf(mode: NetlinkMode, family: Family): TableName {
  return { family: NFPROTO[family], table: TABLES[mode] };
}

export type OpenedNetlinkWriter =
  | { readonly outcome: "opened"; readonly writer: NetlinkWriter }
  /** This kernel, or this process's privileges, won't do. In one line: what is missing and what to do. */
  | { readonly outcome: "unsupported"; readonly message: string };

export interface NetlinkWriterOptions {
  /** For tests. */
  readonly libc?: Libc;
}

/** Opens a socket, and tries whether the kernel has what the rules need. Changes nothing. */
export async function openNetlinkWriter(
  mode: NetlinkMode,
  options: NetlinkWriterOptions = {},
): Promise<OpenedNetlinkWriter> {
  let socket: NetlinkSocket | undefined;
  try {
    socket = NetlinkSocket.open(options);
    const probed = await probeKernel(socket);
    if (probed.outcome === "supported") {
      return { outcome: "opened", writer: new NetlinkWriter(mode, socket, await readGeneration(socket), options) };
    }
    await socket.close();
    return { outcome: "unsupported", message: probed.message };
  } catch (error) {
    await socket?.close();
    return { outcome: "unsupported", message: messageOf(error) };
  }
}

export class NetlinkWriter implements KernelWriter {
  readonly mode: NetlinkMode;
  /**
   * For `set-batch-limits` of the engine's contract. A batch may grow past what is preferred by one Service, and is still
   * short enough for the socket unless that Service alone has thousands of endpoints.
   */
  readonly batchLimits: { readonly preferred: number; readonly largest: number };
  readonly #socket: NetlinkSocket;
  readonly #options: NetlinkWriterOptions;
  /** The ruleset's generation when it was read last. */
  #generation: number;
  /** The generation at which a foreign commit was noticed last. */
  #foreign: number | undefined;
  /** Generation of each family's last dump. */
  readonly #dumped = new Map<Family, number>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(mode: NetlinkMode, socket: NetlinkSocket, generation: number, options: NetlinkWriterOptions = {}) {
    this.mode = mode;
    this.batchLimits = {
      preferred: Math.min(RECOMMENDED_BATCH_BYTES, socket.sendLimit >> 1),
      largest: socket.sendLimit,
    };
    this.#socket = socket;
    this.#generation = generation;
    this.#options = options;
  }

  async dump(family: Family, onPart?: () => void): Promise<Dump> {
    try {
      // What others did before the dump began is in it.
      await this.#alone(() => this.#look(0));
      const options = { ...this.#options, ...(onPart === undefined ? {} : { onPart }) };
      const dump = await dumpTable(tableOf(this.mode, family), options);
      if (dump.outcome === "unstable") {
        return { outcome: "failed", message: `cannot read the table ${this.#name(family)}: ${dump.reason}` };
      }
      this.#dumped.set(family, dump.generation);
      return { outcome: "dumped", pieces: dump.outcome === "complete" ? dump.pieces : [] };
    } catch (error) {
      return { outcome: "failed", message: `cannot read the table ${this.#name(family)}: ${messageOf(error)}` };
    }
  }

  async isEmpty(family: Family): Promise<boolean> {
    try {
      return (await readTable(this.#socket, tableOf(this.mode, family))) === undefined;
    } catch {
      return false; // the next dump will say what is wrong
    }
  }

  async nodePortAddresses(): Promise<readonly string[]> {
    try {
      return await this.#alone(() => readNftNodePortAddresses(this.#socket, TABLES[this.mode]));
    } catch {
      return []; // the next dump will say what is wrong
    }
  }

  async write(batch: Batch): Promise<WriteResult> {
    return this.#send(joinPieces(batch.data));
  }

  messages(batch: Batch): readonly number[] {
    return sequencesOf(joinPieces(batch.data));
  }

  async attemptPart(batch: Batch, wanted: (message: number, removes: boolean) => boolean): Promise<WriteResult> {
    return this.#send(partOf(joinPieces(batch.data), wanted) ?? this.#nothing(batch.family), true);
  }

  /** A dry run of what the kernel takes from whoever may write at all. */
  #nothing(family: Family): Uint8Array {
    const { family: protocol, table } = tableOf(this.mode, family);
    const batch = new BatchWriter(protocol, table);
    batch.addTable(NLM_F_CREATE | NLM_F_ACK);
    return batch.endDryRun();
  }

  async intactness(family: Family): Promise<Intactness> {
    await this.#alone(() => this.#look(0));
    const dumped = this.#dumped.get(family);
    if (dumped === undefined) return "perhaps-touched";
    return this.#foreign !== undefined && isAfter(this.#foreign, dumped) ? "perhaps-touched" : "untouched";
  }

  /** @throws {Error} a table is still there */
  async cleanup(): Promise<void> {
    for (const family of FAMILIES) {
      const { family: protocol, table } = tableOf(this.mode, family);
      const batch = new BatchWriter(protocol, table);
      batch.addTable(); // so that it is there to be deleted
      batch.deleteTable(NLM_F_ACK);
      const result = await this.#send(batch.end());
      this.#dumped.delete(family);
      if (result.outcome !== "written") {
        throw new Error(`cannot remove the table ${this.#name(family)}: ${result.message}`);
      }
    }
  }

  close(): Promise<void> {
    return this.#socket.close();
  }

  #name(family: Family): string {
    return `${family === "ipv4" ? "ip" : "ip6"} ${TABLES[this.mode]}`;
  }

  /** `dryRun`: the bytes have no end, and the kernel takes everything back. */
  #send(bytes: Uint8Array, dryRun = false): Promise<WriteResult> {
    return this.#alone(async () => {
      let result: BatchResult;
      try {
        result = await sendBatch(this.#socket, bytes, { dryRun });
      } catch (error) {
        if (error instanceof InvalidBatchError) {
          return { outcome: "refused", message: error.message, sequences: [], transient: false };
        }
        return { outcome: "unknown", message: messageOf(error) };
      }
      switch (result.outcome) {
        case "acknowledged":
          await this.#look(dryRun ? 0 : 1);
          return { outcome: "written" };
        case "refused":
          return refused(result.errors);
        case "too-large":
          return { outcome: "refused", message: tooLarge(result), sequences: [], transient: false };
        case "unknown":
          await this.#look(dryRun ? 0 : 1);
          return { outcome: "unknown", message: `it is not known whether the kernel took the batch: ${result.reason}` };
      }
    });
  }

  /** Runs `work` when all earlier work is done: a check during a batch of ours would take it for somebody else's commit. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#last.then(work);
    this.#last = run.catch(() => {});
    return run;
  }

  /** Reads the generation: more commits than `ours` since the last time are somebody else's. */
  async #look(ours: number): Promise<void> {
    try {
      const generation = await readGeneration(this.#socket);
      if ((generation - this.#generation) >>> 0 > ours) this.#foreign = generation;
      this.#generation = generation;
    } catch {
      // It is unknown what has happened, so no dump counts any more. The next one will tell what is wrong with the socket.
      this.#dumped.clear();
    }
  }
}

function refused(errors: readonly BatchError[]): WriteResult {
  const [first] = errors;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
  return {
    outcome: "refused",
    message: `${first?.message ?? "the kernel refused the batch"}${more}`,
    // A refusal of the whole batch says nothing about its first message.
    sequences: errors.filter(({ subject }) => subject.kind !== "batch").map(({ sequence }) => sequence),
    transient: errors.length > 0 && errors.every(({ transient }) => transient),
    contradicted: isContradiction(errors.map(({ errno }) => errno)),
    // So the kernel answers to each message for a table that another process owns. Nothing that a rule says leads to it.
    forbidden: errors.some(({ errno, subject }) => errno === EPERM && subject.kind !== "batch"),
  };
}

/**
 * Something is there that should not be, or the other way round. What it uses is busy then: a chain that somebody has renamed
 * keeps its sets.
 */
function isContradiction(numbers: readonly number[]): boolean {
  const contradicts = (errno: number) => errno === ENOENT || errno === EEXIST;
  return numbers.some(contradicts) && numbers.every((errno) => contradicts(errno) || errno === EBUSY);
}

function tooLarge({ bytes, limit }: { readonly bytes: number; readonly limit: number }): string {
  return (
    `a batch has ${bytes} bytes and the kernel takes ${limit} from this process: give it CAP_NET_ADMIN in the initial ` +
    "user namespace, or raise the sysctl net.core.wmem_max"
  );
}

/** Generations go up by one and wrap. */
function isAfter(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
