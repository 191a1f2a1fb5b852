// Linux capabilities of this process.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Machine } from "../host/setting.ts";
import { type Finding, ok } from "./finding.ts";

/** Bits of linux/capability.h. */
const CAP_NET_ADMIN = 12n;
const CAP_SYS_RESOURCE = 24n;

/** Undefined: /proc does not say. */
export async function mayLowerOomScore(machine: Machine): Promise<boolean | undefined> {
  const found = await effectiveCapabilities(machine);
  return found === undefined ? undefined : ((found >> CAP_SYS_RESOURCE) & 1n) === 1n;
}

/** A set of bits. Undefined: /proc is not there, or does not say. */
async function effectiveCapabilities({ root }: Machine): Promise<bigint | undefined> {
  try {
    const status = await readFile(join(root, "/proc/self/status"), "utf8");
    const digits = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
    return digits === undefined ? undefined : BigInt(`0x${digits}`);
  } catch {
    // No /proc: the kernel's own answers, further down in the table, decide.
    return undefined;
  }
}

export async function checkCapabilities(machine: Machine): Promise<Finding[]> {
  const area = "permissions";
  const subject = "CAP_NET_ADMIN";
  const found = await effectiveCapabilities(machine);
  const hint =
    "run as root, or with securityContext.capabilities.add: [NET_ADMIN], or AmbientCapabilities=CAP_NET_ADMIN";
  if (found === undefined)
    return [{ area, subject, status: "warning", detail: "/proc/self/status does not say", hint }];
  if (((found >> CAP_NET_ADMIN) & 1n) === 1n) return [ok(area, subject, "held")];
  return [{ area, subject, status: "failed", detail: "not held: no rule can be written", hint }];
}
