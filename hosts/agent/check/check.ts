// sluice agent --check: is this node fit for the agent? Reads and tries, and changes nothing.
import type { KubeVersion } from "../../shared/config/kube-version.ts";
import { asStrict } from "../../shared/config/strict.ts";
import { type Diagnostic, placeText } from "../../shared/diagnostics.ts";
import type { AgentConfig } from "../config/agent-config.ts";
import { clusterCidrHazards } from "../hazards/cluster-cidr.ts";
import { type Machine, thisMachine } from "../host/setting.ts";
import { readOpenFilesLimit } from "../localhost/descriptors.ts";
import { type AccessReviews, checkApiAccess } from "./api-access.ts";
import { checkCapabilities } from "./capabilities.ts";
import { type Finding, ok, warningOf } from "./finding.ts";
import { checkKernel, type KernelProbes, thisKernel } from "./kernel-features.ts";
import { checkListening } from "./listening.ts";
import { checkLocalhost } from "./localhost-node-ports.ts";
import { checkNode } from "./node-object.ts";
import { checkOthers } from "./others.ts";
import { checkSettings } from "./settings.ts";

export interface CheckOptions {
  readonly config: AgentConfig;
  /** Of this node. */
  readonly hostname: string;
  /** Of reading the configuration. */
  readonly diagnostics: readonly Diagnostic[];
  /** Undefined: there is no way to the API server, and `reason` says why. */
  readonly reviews: AccessReviews | undefined;
  readonly reason?: string;
  readonly machine?: Machine;
  readonly kernel?: KernelProbes;
  /** How many this process may have. */
  readonly openFiles?: number;
  /** Of the API server; undefined: it does not tell. Never rejects. */
  readonly serverVersion?: () => Promise<KubeVersion | undefined>;
}

export interface CheckResult {
  readonly findings: readonly Finding[];
  /** Of the process: 1 if anything failed. */
  readonly exitCode: 0 | 1;
}

/** Never throws for what it finds. */
export async function runCheck(options: CheckOptions): Promise<CheckResult> {
  const { config, hostname, diagnostics, reviews, reason, machine = thisMachine, kernel = thisKernel } = options;
  const { openFiles = readOpenFilesLimit(), serverVersion } = options;
  const findings = [
    ...checkConfiguration(config, diagnostics),
    ...clusterCidrHazards(config).map((hazard) => warningOf("configuration", hazard)),
    ...(await checkCapabilities(machine)),
    ...(await checkKernel(config.mode, kernel)),
    ...(await checkOthers(config, kernel)),
    ...(await checkSettings(config, machine)),
    ...(await checkListening(config)),
    ...(await checkLocalhost(config, hostname, reviews, { openFiles, serverVersion })),
    ...(await checkApiAccess(reviews, reason)),
    ...(await checkNode(hostname, reviews)),
  ];
  return { findings, exitCode: findings.some(({ status }) => status === "failed") ? 1 : 0 };
}

/** Also for a configuration with errors, after which nothing else can be looked at. */
export function checkConfiguration(config: AgentConfig | undefined, diagnostics: readonly Diagnostic[]): Finding[] {
  const area = "configuration";
  const findings = asStrict(diagnostics)
    .filter(({ severity }) => severity !== "note")
    .map((found): Finding => {
      const { severity, field, message, hint } = found;
      const place = placeText(found);
      const status = severity === "error" ? "failed" : "warning";
      const subject = field || (place === "" ? "command line" : "file");
      return { area, subject, status, detail: `${place === "" ? "" : `${place}: `}${message}`, hint };
    });
  return config === undefined ? findings : [ok(area, "mode", config.mode), ...findings];
}
