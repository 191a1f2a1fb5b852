// Whether node ports answer on loopback addresses: the configuration decides, or else the API server's version.
import { defaultKubeVersion, type KubeVersion, kubeVersionText } from "../../shared/config/kube-version.ts";
import {
  decidedLocalhost,
  localhostNodePortsGate,
  looksAfterLocalhost,
  namesLoopback,
} from "../../shared/config/localhost-gate.ts";
import type { AgentConfig } from "../config/agent-config.ts";
import type { HealthState } from "../http/health-state.ts";
import type { LocalhostNodePorts } from "../localhost/node-ports.ts";
import { readRejected } from "../localhost/rejected.ts";
import type { Log } from "../log/log.ts";
import type { LocalhostMetrics } from "../metrics/localhost.ts";

export interface LocalhostGateParts {
  /** The configuration in force. */
  readonly config: () => AgentConfig;
  /** The API server's; undefined before it was asked. */
  readonly version: () => KubeVersion | undefined;
  readonly localhost: Pick<LocalhostNodePorts, "figures">;
  readonly health: HealthState;
  readonly log: Log;
}

export class LocalhostGate {
  readonly #parts: LocalhostGateParts;

  constructor(parts: LocalhostGateParts) {
    this.#parts = parts;
  }

  /** Undefined: the API server's version decides, and is not known yet. */
  get isOn(): boolean | undefined {
    const { rules, mode } = this.#parts.config();
    const version = this.#parts.version();
    return (
      decidedLocalhost(rules.localhostGates, mode) ?? (version && looksAfterLocalhost(rules.localhostGates, version))
    );
  }

  /** The configured gates, and this one as it is decided. */
  gatesWith(featureGates: Readonly<Record<string, boolean>>): Readonly<Record<string, boolean>> {
    const { isOn } = this;
    return isOn === undefined ? featureGates : { ...featureGates, [localhostNodePortsGate]: isOn };
  }

  /** Logs who has decided, and warns of what an administrator may not expect. */
  report(): void {
    const { config, version, health, log } = this.#parts;
    const { rules, mode } = config();
    const { isOn } = this;
    if (mode === "iptables" || isOn === undefined) return;
    const isConfigured = decidedLocalhost(rules.localhostGates, mode) !== undefined;
    const server = kubeVersionText(version() ?? defaultKubeVersion);
    const because = isConfigured ? "the configuration says so" : `it is the default with an API server ${server}`;
    log.info({ because }, `${localhostNodePortsGate} is ${isOn ? "on" : "off"}`);
    const isUnmet = !isOn && namesLoopback(rules.nodePortAddresses);
    const unmet = `node ports do not answer on loopback addresses, which nodePortAddresses names: ${localhostNodePortsGate} is off`;
    const hint = `set featureGates.${localhostNodePortsGate} to true`;
    if (isUnmet) log.warn({ because, hint }, unmet);
    health.warn("localhost", isUnmet ? unmet : undefined);
  }

  /** Undefined: nobody serves node ports on localhost. */
  async figures(mode: "flat" | "nftables"): Promise<LocalhostMetrics | undefined> {
    if (this.isOn !== true) return undefined;
    // A kernel that does not answer is reported where rules are written.
    const rejected = await readRejected(mode).catch(() => []);
    return { ...this.#parts.localhost.figures, rejected };
  }
}
