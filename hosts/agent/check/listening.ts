// Checks whether the agent can listen on its servers' addresses.
import { createServer } from "node:net";
import { formatListenAddress, type ListenAddress, localAddresses } from "../../shared/config/addresses.ts";
import type { AgentConfig } from "../config/agent-config.ts";
import { serverName } from "../http/limited-server.ts";
import { get } from "../http/node-http.ts";
import { type Finding, ok } from "./finding.ts";

const ANSWER_MS = 1_000;

export async function checkListening(config: AgentConfig): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const subject of ["healthzBindAddress", "metricsBindAddress"] as const) {
    const address = config[subject];
    if (address !== undefined) findings.push(await check(subject, address, config.bindAddressHardFail));
  }
  return findings;
}

async function check(subject: string, address: ListenAddress, hardFail: boolean): Promise<Finding> {
  const area = "addresses";
  const text = formatListenAddress(address);
  const code = await tryToListen(address);
  if (code === "") return ok(area, subject, `${text} can be listened on`);
  const isTaken = code === "EADDRINUSE";
  if (isTaken && (await isAgents(address))) return ok(area, subject, `the agent at work here listens on ${text}`);
  const hint = isTaken ? "is it kube-proxy? It is tried again every 5 s" : `check ${subject}`;
  const status = isTaken && !hardFail ? "warning" : "failed";
  return { area, subject, status, detail: `${text} cannot be listened on: ${code}`, hint };
}

/** An agent of ours answers there: --check may be run beside it, in its own pod. */
export function isAgents(address: ListenAddress): Promise<boolean> {
  const [base = ""] = localAddresses(address);
  return new Promise((resolve) => {
    const request = get(`${base}/healthz`, { agent: false, timeout: ANSWER_MS }, (response) => {
      resolve(response.headers.server === serverName);
      response.destroy();
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(false));
    request.on("close", () => resolve(false));
  });
}

/** The error's code; empty: it worked. */
export function tryToListen({ host, port }: Pick<ListenAddress, "host" | "port">): Promise<string> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve("")));
  });
}
