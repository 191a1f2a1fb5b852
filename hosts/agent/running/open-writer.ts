// Opens the writer of a mode. What it finds out about this machine on the way becomes options of the engine.

import { existsSync } from "node:fs";
import type { Family, Mode, Options } from "../../shared/contract.ts";
import { FAMILIES } from "../../shared/families.ts";
import { ensureNfacct } from "../host/nfacct.ts";
import { missingText } from "../kernel/commands/iptables-extensions.ts";
import type { IptablesTools } from "../kernel/commands/iptables-tools.ts";
import type { KernelWriter } from "../kernel/writer.ts";
import { IptablesWriter } from "../kernel/writers/iptables-writer.ts";
import { openNetlinkWriter } from "../kernel/writers/netlink-writer.ts";
import type { Log } from "../log/log.ts";
import { NetlinkSocket } from "../netlink/sockets/socket.ts";
import { StartError } from "./start-error.ts";

export interface OpenedWriter {
  readonly writer: KernelWriter;
  /** The families whose rules this machine takes. */
  readonly families: readonly Family[];
  /** Engine options that depend on what was found. */
  readonly facts: Pick<Options, "nfacctInvalidDropped" | "nfacctLocalhostAccepted" | "randomFully">;
  /** Of mode iptables. */
  readonly tools: IptablesTools | undefined;
}

/** @throws {StartError} the mode can't work on this machine */
export async function openWriter(mode: Mode, log: Log): Promise<OpenedWriter> {
  if (mode === "iptables") return openIptables(log);
  const opened = await openNetlinkWriter(mode);
  if (opened.outcome === "unsupported") throw new StartError(opened.message);
  return {
    writer: opened.writer,
    families: withIPv6(FAMILIES, log),
    facts: { nfacctInvalidDropped: false, nfacctLocalhostAccepted: false, randomFully: true },
    tools: undefined,
  };
}

async function openIptables(log: Log): Promise<OpenedWriter> {
  const opened = await IptablesWriter.open();
  if (opened.outcome === "unavailable") throw new StartError(opened.message);
  const { tools } = opened.writer;
  const families = FAMILIES.filter((family) => {
    const reason = tools.unusable[family];
    if (reason !== undefined) log.warn({ family, reason }, "this family's rules are not written");
    return reason === undefined;
  });
  if (families.length === 0) throw new StartError(tools.unusable.ipv4 ?? "neither iptables nor ip6tables can be used");
  for (const each of opened.writer.missingExtensions) {
    const { probe, families, reason } = each;
    log[probe.isNeeded === true ? "error" : "warn"]({ extension: probe.name, families, reason }, missingText(each));
  }
  const lacks = (name: string) => opened.writer.missingExtensions.some(({ probe }) => probe.name === name);
  const nfacct = lacks("nfacct") ? NO_COUNTERS : await findNfacct(log);
  return {
    writer: opened.writer,
    families: withIPv6(families, log),
    facts: { ...nfacct, randomFully: tools.randomFully && !lacks("MASQUERADE --random-fully") },
    tools,
  };
}

const NO_COUNTERS = { nfacctInvalidDropped: false, nfacctLocalhostAccepted: false } as const;

async function findNfacct(log: Log): Promise<{ nfacctInvalidDropped: boolean; nfacctLocalhostAccepted: boolean }> {
  let socket: NetlinkSocket | undefined;
  try {
    socket = NetlinkSocket.open();
    const { reason, ...found } = await ensureNfacct(socket);
    if (reason !== "") log.warn({ reason }, "packets are not counted by nfacct");
    return found;
  } catch (error) {
    log.warn({ err: error }, "packets are not counted by nfacct");
    return NO_COUNTERS;
  } finally {
    await socket?.close();
  }
}

/** A kernel without IPv6 takes no rules for it. */
function withIPv6(families: readonly Family[], log: Log): readonly Family[] {
  if (existsSync("/proc/net/if_inet6")) return families;
  log.info({}, "this machine has no IPv6: only IPv4 rules are written");
  return families.filter((family) => family === "ipv4");
}
