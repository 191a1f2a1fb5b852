// The engine's options on a node: the configuration, and what is true of this machine.
import type { KubeVersion } from "../../shared/config/kube-version.ts";
import { engineOptions } from "../../shared/config/rules.ts";
import type { Options } from "../../shared/contract.ts";
import type { AgentConfig } from "../config/agent-config.ts";

/** What the host knows about the machine. */
export type MachineFacts = Required<
  Pick<Options, "nfacctInvalidDropped" | "nfacctLocalhostAccepted" | "randomFully" | "conntrackTcpBeLiberal">
> & { readonly interfaceAddresses: readonly string[] };

/**
 * The engine's options. They come from the configuration; from `kubeVersion`, for what the configuration leaves open; and
 * from the machine, for what `render` can only assume.
 */
export function optionsOf(config: AgentConfig, node: string, facts: MachineFacts, kubeVersion: KubeVersion): Options {
  return {
    ...engineOptions(config.rules, { mode: config.mode, node, nfacct: false, kubeVersion }),
    ...facts,
    interfaceAddresses: [...facts.interfaceAddresses],
  };
}
