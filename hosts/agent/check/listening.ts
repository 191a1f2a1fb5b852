// Whether the servers' addresses can be listened on.
import { createServer } from "node:net";
import { formatListenAddress, type ListenAddress } from "../../shared/config/addresses.ts";
import type { AgentConfig } from "../config/agent-config.ts";
import { type Finding, ok } from "./finding.ts";

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
  const hint = isTaken ? "another agent or kube-proxy? It is tried again every 5 s" : `check ${subject}`;
  const status = isTaken && !hardFail ? "warning" : "failed";
  return { area, subject, status, detail: `${text} cannot be listened on: ${code}`, hint };
}

/** The error's code; empty: it worked. */
function tryToListen({ host, port }: ListenAddress): Promise<string> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve("")));
  });
}
