// Mode iptables: batches go to iptables-restore and ip6tables-restore, as kube-proxy's do.

import type { Batch, Extension, Family } from "../../../shared/contract.ts";
import { lengthOf } from "../../../shared/engine.ts";
import { FAMILIES } from "../../../shared/families.ts";
import { NetlinkSocket } from "../../netlink/sockets/socket.ts";
import { findMissingExtensions, type MissingExtension, missingText } from "../commands/iptables-extensions.ts";
import { checkArguments, insertionInput, JUMPS, type Jump, withoutComment } from "../commands/iptables-jumps.ts";
import { RESOURCE_PROBLEM, writeResultOf } from "../commands/iptables-refusal.ts";
import { findIptables, type IptablesHost, type IptablesTools, thisHost } from "../commands/iptables-tools.ts";
import { commandRunner, type RunCommand } from "../commands/run-command.ts";
import { isKubeProxyChain, XTABLES } from "../removal/kube-proxy-chains.ts";
import { removeLegacyChains } from "../removal/legacy-removal.ts";
import { removeChains } from "../removal/nft-removal.ts";
import type { Dump, Intactness, KernelWriter, WriteResult } from "../writer.ts";
import { CANARY_INPUT, IptablesCanary } from "./iptables-canary.ts";
import { readIptablesNodePortAddresses } from "./node-port-addresses.ts";

export interface IptablesWriterOptions {
  readonly run?: RunCommand;
  readonly host?: IptablesHost;
  /** Milliseconds for each command, and for each 300 kB of its input. */
  readonly timeout?: number;
}

export type OpenedIptablesWriter =
  | { readonly outcome: "opened"; readonly writer: IptablesWriter }
  /** There is no iptables on this machine. `message` says what to do. */
  | { readonly outcome: "unavailable"; readonly message: string };

const TIMEOUT = 30_000;
/**
 * iptables-restore may take once more as long for each so many bytes of input: 2 MB, 5,000 ports of one Service, took it 4 s of a
 * processor, and 30 s on a node that had no more than a part of one. Killed, it would begin again, and never end.
 */
const BYTES_PER_TIMEOUT = 300_000;
const RESTORE = ["--noflush", "--counters"];

/**
 * Each batch is one `iptables-restore --noflush --counters`. A table is committed as a whole, filter before nat. If nat is then
 * refused, the new filter rules do no harm, and the next batch writes them again: what the engine counts as written is in nat.
 *
 * The jumps from built-in chains, and the canary chains, are made after the first batch of a family, after a full one,
 * and when somebody has touched them: rules first, then what leads to them.
 */
export class IptablesWriter implements KernelWriter {
  readonly mode = "iptables";
  readonly tools: IptablesTools;
  /** For the log. */
  readonly missingExtensions: readonly MissingExtension[];
  readonly missing: Readonly<Record<Family, ReadonlyMap<Extension, string>>>;
  readonly #run: RunCommand;
  readonly #timeout: number;
  readonly #canary: IptablesCanary;
  readonly #socket: NetlinkSocket | undefined;
  /** Families whose jumps are known to be there. */
  readonly #set = new Set<Family>();

  private constructor(tools: IptablesTools, missing: readonly MissingExtension[], run: RunCommand, timeout: number) {
    this.tools = tools;
    this.missingExtensions = missing;
    this.missing = { ipv4: missingIn("ipv4", missing), ipv6: missingIn("ipv6", missing) };
    this.#run = run;
    this.#timeout = timeout;
    this.#socket = openSocket(tools);
    this.#canary = new IptablesCanary(tools, run, this.#socket);
  }

  get checksByProcess(): boolean {
    return this.#canary.isDear;
  }

  /** Looks for the commands that this node uses, and tries what they and the kernel can do. */
  static async open(options: IptablesWriterOptions = {}): Promise<OpenedIptablesWriter> {
    const run = options.run ?? commandRunner();
    const found = await findIptables(options.host ?? thisHost(run));
    if (found.outcome === "missing") return { outcome: "unavailable", message: found.message };
    const timeout = options.timeout ?? TIMEOUT;
    const missing = await findMissingExtensions(found.tools, run, timeout);
    return { outcome: "opened", writer: new IptablesWriter(found.tools, missing, run, timeout) };
  }

  /** iptables-save prints rules in other words than the engine reads. */
  async dump(family: Family): Promise<Dump> {
    return { outcome: "unsupported", drift: this.#canary.drift(family) };
  }

  nodePortAddresses(): Promise<readonly string[]> {
    return readIptablesNodePortAddresses(this.tools, this.#run, this.#timeout);
  }

  async write(batch: Batch): Promise<WriteResult> {
    const unusable = this.#unusable(batch.family);
    if (unusable !== undefined) return { outcome: "refused", message: unusable, sequences: [], transient: false };
    const written = await this.#restore(batch.family, batch.data);
    if (written.outcome !== "written") return written;
    if (batch.full || !this.#set.has(batch.family)) {
      const ready = await this.#setUp(batch.family);
      if (ready.outcome !== "written") return ready;
    }
    await this.#canary.remember(batch.family);
    return written;
  }

  async attempt(family: Family, trial: readonly Uint8Array[]): Promise<WriteResult> {
    const unusable = this.#unusable(family);
    if (unusable !== undefined) return { outcome: "refused", message: unusable, sequences: [], transient: false };
    return this.#restore(family, trial);
  }

  /** Why no rule of the family can be written, whatever it is. */
  #unusable(family: Family): string | undefined {
    const needed = this.missingExtensions.find(
      ({ probe, families }) => probe.isNeeded === true && families.includes(family),
    );
    return this.tools.unusable[family] ?? (needed === undefined ? undefined : missingText(needed));
  }

  async intactness(family: Family): Promise<Intactness> {
    if (this.tools.unusable[family] !== undefined) return "untouched";
    const intactness = await this.#canary.look(family);
    if (intactness === "perhaps-touched") this.#set.delete(family);
    return intactness;
  }

  /** @throws {RemovalError | NetlinkError} what could not be removed, and why */
  async cleanup(): Promise<void> {
    for (const family of FAMILIES) {
      if (this.tools.unusable[family] !== undefined) continue;
      this.#set.delete(family);
      for (const table of XTABLES) {
        const unwanted = (name: string) => isKubeProxyChain(table, name);
        if (this.#socket !== undefined) await removeChains(this.#socket, family, table, unwanted);
        else await removeLegacyChains(this.#run, family, table, unwanted);
      }
    }
  }

  async close(): Promise<void> {
    await this.#socket?.close();
  }

  async #setUp(family: Family): Promise<WriteResult> {
    const missing = await this.#missingJumps(family);
    if ("outcome" in missing) return missing;
    const chain = await this.#createFirewallChain(family);
    if (chain.outcome !== "written") return chain;
    const input = insertionInput(missing);
    if (input !== "") {
      const inserted = await this.#restore(family, [encode(input)]);
      if (inserted.outcome !== "written") return inserted;
    }
    // Without table mangle there is no canary and the rules work all the same; `intactness` then says "perhaps-touched".
    await this.#restore(family, [encode(CANARY_INPUT)]);
    this.#set.add(family);
    return { outcome: "written" };
  }

  #jumps(family: Family): readonly Jump[] {
    return this.missing[family].has("comment") ? JUMPS.map(withoutComment) : JUMPS;
  }

  async #missingJumps(family: Family): Promise<readonly Jump[] | WriteResult> {
    const missing: Jump[] = [];
    for (const jump of this.#jumps(family)) {
      const result = await this.#iptables(family, checkArguments(jump));
      if (result.outcome !== "exited" || result.code === RESOURCE_PROBLEM) {
        return writeResultOf(this.tools.commands[family].iptables, result, []);
      }
      // 1: no such rule; 2: no such chain (KUBE-FIREWALL). If more is wrong, inserting the rule will say so.
      if (result.code !== 0) missing.push(jump);
    }
    return missing;
  }

  /** kubelet's chain as well, so it must not be emptied, as a chain line of iptables-restore would. */
  async #createFirewallChain(family: Family): Promise<WriteResult> {
    const result = await this.#iptables(family, ["-N", "KUBE-FIREWALL", "-t", "filter"]);
    const exists = result.outcome === "exited" && result.code === 1;
    return exists ? { outcome: "written" } : writeResultOf(this.tools.commands[family].iptables, result, []);
  }

  #iptables(family: Family, args: readonly string[]) {
    const options = { timeout: this.#timeout };
    return this.#run(this.tools.commands[family].iptables, [...this.tools.wait, ...args], options);
  }

  async #restore(family: Family, input: readonly Uint8Array[]): Promise<WriteResult> {
    const { restore } = this.tools.commands[family];
    const timeout = Math.round(this.#timeout * (1 + lengthOf(input) / BYTES_PER_TIMEOUT));
    const result = await this.#run(restore, [...this.tools.wait, ...RESTORE], { input, timeout });
    return writeResultOf(restore, result, input);
  }
}

/** What the engine has to know, and what is said of a Service that needs it. */
function missingIn(family: Family, missing: readonly MissingExtension[]): ReadonlyMap<Extension, string> {
  const found = new Map<Extension, string>();
  for (const each of missing) {
    const { extension } = each.probe;
    if (extension !== undefined && each.families.includes(family)) found.set(extension, missingText(each));
  }
  return found;
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** To look at chains of nf_tables without a process. Where that can't be had, the canary chains are looked at. */
function openSocket(tools: IptablesTools): NetlinkSocket | undefined {
  if (tools.variant === "legacy") return undefined;
  try {
    return NetlinkSocket.open();
  } catch {
    return undefined;
  }
}
