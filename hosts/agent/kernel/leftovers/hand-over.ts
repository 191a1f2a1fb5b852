// Hands the node over to a kube-proxy: waits until one has written its rules. Our rules must not go before, or connections to
// Services would fail.

import { formatDuration } from "../../../shared/config/duration.ts";
import { familyName } from "../../../shared/families.ts";
import type { IpvsHost } from "./ipvs-leftovers.ts";
import { familiesWeServe, findKubeProxyRules } from "./kube-proxy-rules.ts";
import { askKubeProxy, type LiveKubeProxyOptions } from "./live-kube-proxy.ts";

export type HandOver =
  | { readonly outcome: "taken-over"; readonly evidence: string }
  /** What is missing, in words. */
  | { readonly outcome: "not-yet"; readonly missing: string };

export interface HandOverOptions extends Pick<LiveKubeProxyOptions, "metrics" | "health"> {
  readonly host: IpvsHost;
}

export interface WaitOptions extends HandOverOptions {
  readonly timeoutMs: number;
  /** Called with what is waited for, at first and whenever that changes. */
  readonly say: (text: string) => Promise<void>;
}

const PAUSE_MS = 500;

/** Looks until a kube-proxy has taken over, or `timeoutMs` have passed. Does not throw for anything that the machine does. */
export async function waitForHandOver(options: WaitOptions): Promise<HandOver> {
  const { timeoutMs, say } = options;
  const end = performance.now() + timeoutMs;
  let said = "";
  for (;;) {
    const found = await look(options);
    if (found.outcome === "taken-over") return found;
    if (performance.now() >= end) return found;
    if (found.missing !== said) await say(`waiting for at most ${formatDuration(timeoutMs)}: ${found.missing}`);
    said = found.missing;
    await new Promise((resolve) => setTimeout(resolve, Math.max(1, Math.min(PAUSE_MS, end - performance.now()))));
  }
}

async function look(options: HandOverOptions): Promise<HandOver> {
  const notYet = (missing: string): HandOver => ({ outcome: "not-yet", missing });
  const { answer, healthy, mode } = await askKubeProxy(options);
  if (answer === undefined) return notYet("no kube-proxy answers on this node");
  if (!healthy) return notYet(`kube-proxy is not healthy (${answer})`);
  try {
    const rules = await findKubeProxyRules(mode, options.host);
    if (!rules.kubernetes) return notYet("kube-proxy is healthy, and has not written the rules of default/kubernetes");
    const missing = (await familiesWeServe()).filter((family) => !rules.families.has(family));
    if (missing.length > 0)
      return notYet(`kube-proxy has not written its rules of ${missing.map(familyName).join(" and ")}`);
  } catch (error) {
    return notYet(`the kernel's rules could not be read: ${(error as Error).message}`);
  }
  return { outcome: "taken-over", evidence: `${answer}, and its rules are in the kernel` };
}
