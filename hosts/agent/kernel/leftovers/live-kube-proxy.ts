// Is a kube-proxy alive that writes rules into our network namespace? In modes iptables and nftables it and we would undo each
// other's rules.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { serverName } from "../../http/limited-server.ts";
import { get } from "../../http/node-http.ts";
import type { KubeProxyMode } from "./kube-proxy-rules.ts";

export interface LiveKubeProxyOptions {
  /** For tests. */
  readonly proc?: string;
  /**
   * Where a kube-proxy on this node would answer; its defaults if absent. Leave out addresses that we have bound ourselves, or
   * ask before we bind.
   */
  readonly metrics?: readonly string[];
  readonly health?: readonly string[];
  /** Milliseconds for each answer. */
  readonly timeout?: number;
}

const METRICS = ["http://127.0.0.1:10249", "http://[::1]:10249"];
const HEALTH = ["http://127.0.0.1:10256", "http://[::1]:10256"];
const MODES: readonly KubeProxyMode[] = ["iptables", "ipvs", "nftables"];
const TIMEOUT = 1000;
const LONGEST_ANSWER = 64 << 10;

/**
 * Signs of a kube-proxy that is running here, one a line; none if none is seen. Processes are seen only if the agent shares the
 * host's process namespace (hostPID); otherwise only ports are tried. A kube-proxy in another network namespace, such as that of
 * a kind node on this machine, does not count: it does not write here.
 */
export async function findLiveKubeProxy(options: LiveKubeProxyOptions = {}): Promise<readonly string[]> {
  const { metrics = METRICS, health = HEALTH, timeout = TIMEOUT } = options;
  const answers = await Promise.all([
    ...metrics.map((base) => askProxyMode(base, timeout)),
    ...health.map((base) => askHealth(base, timeout)),
  ]);
  return [...findProcesses(options.proc ?? "/proc"), ...answers.filter((each) => each !== undefined)];
}

export interface KubeProxyAnswer {
  /** What answered, in words; undefined: no kube-proxy on these addresses. */
  readonly answer: string | undefined;
  /** It says that it writes its rules in time. That a node is about to be drained does not count. */
  readonly healthy: boolean;
  /** undefined: it does not say. */
  readonly mode: KubeProxyMode | undefined;
}

/** Asks a kube-proxy on this node for its state. A process that does not answer counts for nothing here. */
export async function askKubeProxy(options: LiveKubeProxyOptions = {}): Promise<KubeProxyAnswer> {
  const { metrics = METRICS, health = HEALTH, timeout = TIMEOUT } = options;
  const modes = await Promise.all(metrics.map((base) => askMode(base, timeout)));
  const answers = await Promise.all(health.map((base) => askWhetherHealthy(base, timeout)));
  const healthy = answers.find((each) => each?.healthy === true);
  const { answer } = healthy ?? answers.find((each) => each !== undefined) ?? { answer: undefined };
  return { answer, healthy: healthy !== undefined, mode: modes.find((each) => each !== undefined) };
}

/** Why the agent does not start, or a warning if it starts all the same. */
export function liveKubeProxyMessage(mode: string, evidence: readonly string[]): string {
  const seen = evidence.join("; ");
  return mode === "flat"
    ? `a kube-proxy is running on this node (${seen}); Services work, by our rules or by its own, but it should be removed (kubectl -n kube-system delete daemonset kube-proxy), and what it leaves is cleaned up then`
    : `a kube-proxy is running on this node (${seen}); in mode ${mode} both would write the same rules and undo each other's: remove it first (kubectl -n kube-system delete daemonset kube-proxy), or use mode flat, which has a table of its own`;
}

/** Commands that write no rules, or stop at once. */
const SHORT_LIVED = ["--cleanup", "--version", "--write-config-to", "--init-only", "--help", "-h"];

function findProcesses(proc: string): string[] {
  const here = networkNamespace(proc, "self");
  if (here === undefined) return [];
  const found: string[] = [];
  for (const pid of pids(proc)) {
    const name = kubeProxyName(proc, pid);
    if (name !== undefined && networkNamespace(proc, pid) === here) found.push(`process ${pid}: ${name}`);
  }
  return found;
}

function pids(proc: string): string[] {
  try {
    return readdirSync(proc).filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  } catch {
    // Without /proc there are the ports.
    return [];
  }
}

/** Its program, when it is a kube-proxy that keeps writing. */
function kubeProxyName(proc: string, pid: string): string | undefined {
  let words: string[];
  try {
    words = readFileSync(`${proc}/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    // It has ended in the meantime.
    return undefined;
  }
  // hyperkube, and images that bundle several programs, take the name as first argument.
  const program = words.slice(0, 2).find((word) => basename(word) === "kube-proxy");
  if (program === undefined || (program !== words[0] && basename(words[0] ?? "") !== "hyperkube")) return undefined;
  const idle = words.some((word) => SHORT_LIVED.includes(word.split("=", 1)[0] ?? "") && !word.endsWith("=false"));
  return idle ? undefined : program;
}

/** undefined where it may not be read: then it is unknown, and no evidence. */
function networkNamespace(proc: string, pid: string): string | undefined {
  try {
    return readlinkSync(`${proc}/${pid}/ns/net`);
  } catch {
    return undefined;
  }
}

async function askProxyMode(base: string, timeout: number): Promise<string | undefined> {
  const mode = await askMode(base, timeout);
  return mode === undefined ? undefined : `${base}/proxyMode answers ${mode}`;
}

async function askMode(base: string, timeout: number): Promise<KubeProxyMode | undefined> {
  const answer = await ask(`${base}/proxyMode`, timeout);
  if (answer === undefined || answer.status !== 200) return undefined;
  const mode = answer.body.trim();
  return MODES.find((each) => each === mode);
}

async function askHealth(base: string, timeout: number): Promise<string | undefined> {
  const answer = await ask(`${base}/healthz`, timeout);
  return answer !== undefined && isKubeProxys(answer.body) ? `${base}/healthz answers as kube-proxy does` : undefined;
}

/** Since 1.34 it is JSON with more keys; these two were always there. */
function isKubeProxys(body: string): boolean {
  return /^\{\s*"lastUpdated":.*"currentTime":/s.test(body);
}

/** /livez, which 1.28 brought, does not mind that the node is about to be drained; /healthz answers 503 then. */
async function askWhetherHealthy(base: string, timeout: number) {
  let found: { answer: string; healthy: boolean } | undefined;
  for (const path of ["/livez", "/healthz"]) {
    const answer = await ask(`${base}${path}`, timeout);
    if (answer === undefined || !isKubeProxys(answer.body)) continue;
    found = { answer: `${base}${path} answers ${answer.status}`, healthy: answer.status === 200 };
    if (found.healthy) break;
  }
  return found;
}

/** undefined: nobody answers, or we do. */
function ask(url: string, timeout: number): Promise<{ status: number; body: string } | undefined> {
  return new Promise((resolve) => {
    const request = get(url, { timeout, agent: false }, (response) => {
      if (response.headers.server === serverName) {
        request.destroy();
        resolve(undefined);
        return;
      }
      let body = "";
      const done = () => resolve({ status: response.statusCode ?? 0, body });
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        body += chunk;
        if (body.length < LONGEST_ANSWER) return;
        request.destroy();
        done();
      });
      response.on("end", done);
      response.on("error", done);
    });
    // `timeout` limits silence only, and somebody may send a byte now and then.
    const timer = setTimeout(() => request.destroy(), timeout);
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(undefined));
    request.on("close", () => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });
}
