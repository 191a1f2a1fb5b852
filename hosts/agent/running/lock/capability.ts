// May another process change the rules of this network namespace? Asked of processes that claim to be an agent.
import { readFile, readlink } from "node:fs/promises";

/** Bit of CapEff (capability.h). */
const CAP_NET_ADMIN = 1n << 12n;

/**
 * "unknown": the process belongs to another PID namespace (pid 0), has just ended, or may not be inspected. A capability in
 * another user namespace counts as "no": everybody can make such a namespace and have all capabilities in it.
 */
export async function mayWriteRules(pid: number): Promise<"yes" | "no" | "unknown"> {
  if (pid === 0) return "unknown";
  try {
    const [, effective] = /^CapEff:\s*([0-9a-f]+)$/m.exec(await readFile(`/proc/${pid}/status`, "latin1")) ?? [];
    if (effective === undefined) return "unknown";
    if ((BigInt(`0x${effective}`) & CAP_NET_ADMIN) === 0n) return "no";
    return (await hasOurUserNamespace(pid)) ? "yes" : "no";
  } catch {
    return "unknown";
  }
}

async function hasOurUserNamespace(pid: number): Promise<boolean> {
  try {
    return (await readlink(`/proc/${pid}/ns/user`)) === (await readlink("/proc/self/ns/user"));
  } catch {
    // Whoever has fewer capabilities than that process may not look there. Its map of users may be read by all; without
    // capabilities nobody can make another namespace with the map that a machine starts with.
    return (await readFile(`/proc/${pid}/uid_map`, "latin1")) === (await readFile("/proc/self/uid_map", "latin1"));
  }
}

/** By SIGSTOP or a debugger. */
export async function isStopped(pid: number): Promise<boolean> {
  try {
    const [, state] = /^.*\) (.)/s.exec(await readFile(`/proc/${pid}/stat`, "latin1")) ?? [];
    return state === "T" || state === "t";
  } catch {
    return false;
  }
}
