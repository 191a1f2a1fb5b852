// The agent's configuration: what hosts/shared/config reads, and remarks on fields that have no effect in an agent.
import {
  type ConfigResult,
  configFromFlags,
  type FlagField,
  type KubeProxyConfig,
  type Remarks,
  readConfig,
} from "../../shared/config/config.ts";
import type { Source } from "../../shared/manifests/input.ts";
import { reportWithoutEffect } from "./without-effect.ts";

export type AgentConfig = KubeProxyConfig;
export type AgentConfigResult = ConfigResult;

/** A configuration file. `flags` win over it. */
export function parseAgentConfig(source: Source, flags: readonly FlagField[] = []): AgentConfigResult {
  return readConfig(source, flags, remarks);
}

/** Flags without a configuration file. */
export function agentConfigFromFlags(flags: readonly FlagField[]): AgentConfigResult {
  return configFromFlags(flags, remarks);
}

const remarks: Remarks = (raw, mode, say) => {
  if ((raw.mode ?? "") === "") {
    const hint = "write `mode: iptables` (--proxy-mode=iptables) for what kube-proxy does without one";
    say("note", "mode", "mode-default", `no mode is given, so it is ${mode}`, hint);
  }
  reportWithoutEffect(raw, say);
};
