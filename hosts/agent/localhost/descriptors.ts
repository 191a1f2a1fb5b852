// How many connections the agent may forward. Any process of the node can open as many as it likes to 127.0.0.1, and the agent
// itself (netlink, the API server, probes) needs descriptors too.
import { readFileSync } from "node:fs";

/** So many descriptors stay free for all else. */
const KEPT_FREE = 1_000;
/** What the agent has open without any listener: netlink, the API server, its servers and their clients. */
const OWN = 256;
/** A connection is two sockets. */
const PER_CONNECTION = 2;
/** A connection takes some 8.5 kB of memory (measured with 4,000 on Node 20.20), so that these are 140 MB. */
const CONNECTIONS_AT_MOST = 16_384;

/** With fewer of them than this it is said that the limit is low. */
export const ENOUGH_CONNECTIONS = 1_000;
/** No field of a Pod sets the limit, and a process may raise it no further than to the hard one, which Node.js does. */
export const moreOpenFiles =
  "give the agent's process 65536 open files: LimitNOFILE in its unit; for a pod in the unit of containerd or CRI-O, whose limit its containers have";

/** Files that this process may have open: the soft limit, which Node.js raises to the hard one as it starts. */
export function readOpenFilesLimit(limits = readFileSync("/proc/self/limits", "utf8")): number {
  const [, soft = ""] = /^Max open files\s+(\S+)/m.exec(limits) ?? [];
  return soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
}

/** Listeners that may be open at once: beside each of them there is room for a connection. */
export function listenersAllowed(openFiles: number): number {
  return Math.max(0, openFiles - KEPT_FREE - OWN - PER_CONNECTION);
}

/** Connections that may be open at once, beside so many listeners. */
export function connectionsAllowed(openFiles: number, listeners: number): number {
  const free = openFiles - KEPT_FREE - OWN - listeners;
  return Math.max(0, Math.min(CONNECTIONS_AT_MOST, Math.floor(free / PER_CONNECTION)));
}
