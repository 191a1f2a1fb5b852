// Node ports on 127.0.0.1 and ::1: whether the agent looks after them, for which it would listen, and whether it can.

import { defaultKubeVersion, type KubeVersion, kubeVersionText } from "../../shared/config/kube-version.ts";
import { decidedLocalhost, localhostNodePortsGate, namesLoopback } from "../../shared/config/localhost-gate.ts";
import { engineOptions } from "../../shared/config/rules.ts";
import type { LocalhostListener } from "../../shared/contract.ts";
import { loadEngine } from "../../shared/engine-node.ts";
import type { AgentConfig } from "../config/agent-config.ts";
import { connectionsAllowed, ENOUGH_CONNECTIONS, moreOpenFiles } from "../localhost/descriptors.ts";
import { LOOPBACK } from "../localhost/node-ports.ts";
import type { AccessReviews } from "./api-access.ts";
import { type Finding, ok } from "./finding.ts";
import { isAgents, tryToListen } from "./listening.ts";

const AREA = "addresses";
const SUBJECT = "node ports on localhost";
const NAMED_AT_MOST = 5;
/** Objects of one answer of the API server. */
const PAGE = 500;
/** Everything at once. */
const ALL = 0xffff_ffff;

export interface LocalhostFacts {
  /** How many files a process like this one may have open. */
  readonly openFiles: number;
  /** Undefined: it does not tell. Never rejects. */
  readonly serverVersion: (() => Promise<KubeVersion | undefined>) | undefined;
}

/** Nothing where nodePortAddresses does not name loopback addresses, and in iptables mode, which has rules for them. */
export async function checkLocalhost(
  config: AgentConfig,
  node: string,
  reviews: AccessReviews | undefined,
  { openFiles, serverVersion }: LocalhostFacts,
): Promise<Finding[]> {
  const { mode, rules } = config;
  if (mode === "iptables" || !namesLoopback(rules.nodePortAddresses)) return [];
  const version = await serverVersion?.();
  const options = engineOptions(rules, { mode, node, nfacct: false, kubeVersion: version ?? defaultKubeVersion });
  if (!options.nftablesLocalhostNodePorts) {
    const decided = decidedLocalhost(rules.localhostGates, mode) !== undefined;
    const server = version === undefined ? "does not tell its version" : `is ${kubeVersionText(version)}`;
    const because = decided ? "" : ` (the API server ${server})`;
    const detail = `they do not answer, though nodePortAddresses names loopback addresses: ${localhostNodePortsGate} is off${because}`;
    const hint = `set featureGates.${localhostNodePortsGate} to true`;
    return [{ area: AREA, subject: SUBJECT, status: "warning", detail, hint }];
  }
  const listeners = reviews === undefined ? undefined : await findListeners(options, reviews).catch(() => undefined);
  if (listeners === undefined) {
    return [
      ok(AREA, SUBJECT, "the agent listens for TCP; for which, the API server does not tell"),
      room(openFiles, 0),
    ];
  }
  return [ok(AREA, SUBJECT, told(listeners)), ...(await taken(config, listeners)), room(openFiles, listeners.length)];
}

/** What the agent's engine would tell of this cluster. @throws what the API server answers */
async function findListeners(
  options: ReturnType<typeof engineOptions>,
  reviews: AccessReviews,
): Promise<LocalhostListener[]> {
  const engine = (await loadEngine()).create();
  engine.configure(options);
  const name = encodeURIComponent(`metadata.name=${options.nodeName}`);
  for (const path of [
    `/api/v1/nodes?fieldSelector=${name}`,
    `/api/v1/services?limit=${PAGE}`,
    `/apis/discovery.k8s.io/v1/endpointslices?limit=${PAGE}`,
  ]) {
    for (let more = ""; ; ) {
      const list = (await reviews.get(more === "" ? path : `${path}&continue=${encodeURIComponent(more)}`)) as List;
      engine.apply(new TextEncoder().encode(JSON.stringify(list)));
      more = list.metadata?.continue ?? "";
      if (more === "") break;
    }
  }
  return engine.localhostListeners(ALL).listeners.filter(({ endpoints }) => endpoints.length > 0);
}

interface List {
  readonly metadata?: { readonly continue?: string };
}

function told(listeners: readonly LocalhostListener[]): string {
  if (listeners.length === 0) return "the agent listens for TCP, and no node port has endpoints at present";
  return `the agent listens for ${listeners.length}: ${named(listeners.map(nameOf))}`;
}

function nameOf({ family, port, namespace, service }: LocalhostListener): string {
  const host = family === "ipv4" ? LOOPBACK.ipv4 : `[${LOOPBACK.ipv6}]`;
  return `${host}:${port} (${namespace}/${service})`;
}

function named(all: readonly string[]): string {
  const more = all.length > NAMED_AT_MOST ? ` and ${all.length - NAMED_AT_MOST} more` : "";
  return `${all.slice(0, NAMED_AT_MOST).join(", ")}${more}`;
}

/** Those that somebody has. An agent at work here has them itself. */
async function taken(config: AgentConfig, listeners: readonly LocalhostListener[]): Promise<Finding[]> {
  if (config.healthzBindAddress !== undefined && (await isAgents(config.healthzBindAddress))) return [];
  const found: string[] = [];
  for (const each of listeners) {
    const code = await tryToListen({ host: LOOPBACK[each.family], port: each.port });
    if (code !== "") found.push(`${nameOf(each)}: ${code}`);
  }
  if (found.length === 0) return [];
  const detail = `the agent can't listen on ${named(found)}`;
  const hint = "end what listens there, or give the Service another node port; the agent tries again every 5 s";
  return [{ area: AREA, subject: SUBJECT, status: "warning", detail, hint }];
}

function room(openFiles: number, listeners: number): Finding {
  const allowed = connectionsAllowed(openFiles, listeners);
  const limit = Number.isFinite(openFiles) ? `${openFiles} open files` : "any number of open files";
  const detail = `${limit} are enough for ${allowed} connections at once`;
  if (allowed >= ENOUGH_CONNECTIONS) return ok(AREA, "open files", detail);
  return { area: AREA, subject: "open files", status: "warning", detail, hint: moreOpenFiles };
}
