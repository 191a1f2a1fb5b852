// All kernel settings of a configuration: at start, with --init-only, and when the configuration changed.
import type { AgentConfig } from "../config/agent-config.ts";
import { applyConntrackSettings } from "./conntrack-settings.ts";
import { applyOomScore } from "./oom-score.ts";
import { applyRouteLocalnet } from "./route-localnet.ts";
import { type Machine, type Setting, thisMachine } from "./setting.ts";

/** Never throws for what the kernel says: `settingDiagnostics` tells what is not as wanted. */
export async function applySettings(config: AgentConfig, machine: Machine = thisMachine): Promise<Setting[]> {
  return [await applyOomScore(config.oomScoreAdj, machine), ...(await applyNodeSettings(config, machine))];
}

/** Those that outlive this process. */
export async function applyNodeSettings(config: AgentConfig, machine: Machine = thisMachine): Promise<Setting[]> {
  return [...(await applyConntrackSettings(config, machine)), ...(await applyRouteLocalnet(config, machine))];
}
