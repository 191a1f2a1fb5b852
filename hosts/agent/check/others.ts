// Others on this node whose rules keep ours from working.
import type { AgentConfig } from "../config/agent-config.ts";
import { type Finding, ok, warningOf } from "./finding.ts";
import type { KernelProbes } from "./kernel-features.ts";

export async function checkOthers(config: AgentConfig, { findHazards }: KernelProbes): Promise<Finding[]> {
  const area = "kernel";
  const subject = "others' rules";
  try {
    const found = [...(await findHazards(config)).values()].flat();
    if (found.length === 0) return [ok(area, subject, "none that are known to be in the way")];
    return found.map((hazard) => warningOf(area, hazard));
  } catch (error) {
    const detail = `they can't be read: ${error instanceof Error ? error.message : error}`;
    return [{ area, subject, status: "warning", detail, hint: "" }];
  }
}
