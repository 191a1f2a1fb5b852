// What the real kustomize and helm make of our directories: recorded in renderings.json by `node --import tsx
// hosts/agent/deploy/testing/renderings.ts`, which builds render/ with Go.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import { kubeadmConfig, kubeadmKubeconfig, onlyKubectl } from "./kubeadm.ts";
import type { Manifest } from "./kustomize.ts";

/** A directory for kustomize, or values for the chart. */
export type Rendering = { readonly directory: string } | { readonly values: object };

const deploy = fileURLToPath(new URL("..", import.meta.url));
const file = fileURLToPath(new URL("renderings.json", import.meta.url));

/** By name. `directory`: a copy of deploy/, in which users' own directories are made. */
export function renderings(directory: string): Record<string, Rendering> {
  const changed = join(directory, "changed");
  cpSync(join(directory, "base"), changed, { recursive: true });
  const config = readFileSync(join(changed, "config.conf"), "utf8");
  writeFileSync(join(changed, "config.conf"), config.replace('clusterCIDR: ""', 'clusterCIDR: "10.244.0.0/16"'));
  // What --check finds is no matter here.
  replacement(directory, kubeadmConfig, "true");
  return {
    base: { directory: join(directory, "base") },
    "base, another clusterCIDR": { directory: changed },
    "base and both components": { directory: composed(directory, ["iptables", "kernel-settings"]) },
    "replace-kube-proxy": { directory: join(directory, "overlays/replace-kube-proxy") },
    cleanup: { directory: join(directory, "overlays/cleanup") },
    chart: { values: {} },
    "chart, another clusterCIDR": { values: { clusterCIDR: "10.244.0.0/16" } },
    "chart and both components": { values: { iptables: true, kernelSettings: true } },
    "chart, mode iptables": { values: { mode: "iptables", moreConfiguration: "nodePortAddresses: [primary]" } },
    "chart, elsewhere": {
      values: {
        server: "https://192.0.2.1:6443",
        image: { repository: "registry/sluice", tag: "1" },
        resources: { requests: { cpu: "1" } },
        nodeSelector: { "service-proxy": "sluice" },
      },
    },
    "chart, monitored": { values: { monitoring: { enabled: true, labels: { release: "prometheus" } } } },
    "chart, a mode that is none": { values: { mode: "ipvs" } },
  };
}

/** The base with components, as a user would put them together in a directory of their own. */
export function composed(directory: string, components: readonly string[]): string {
  const own = join(directory, "own");
  mkdirSync(own);
  const kustomization = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: ["../base"],
    components: components.map((component) => `../components/${component}`),
  };
  writeFileSync(join(own, "kustomization.yaml"), JSON.stringify(kustomization));
  return own;
}

/** Runs from-kube-proxy.sh, with kubeadm's ConfigMap. `sluice`: the command that checks; empty: there is none. */
export function replacement(directory: string, config: string, sluice: string) {
  const script = join(directory, "overlays/replace-kube-proxy/from-kube-proxy.sh");
  const path = onlyKubectl(join(directory, "bin"), { "config\\.conf": config, "kubeconfig\\.conf": kubeadmKubeconfig });
  return spawnSync(script, { env: { PATH: `${path}:${process.env.PATH}`, SLUICE: sluice }, encoding: "utf8" });
}

export interface Rendered {
  /** YAML; "" after an error. */
  readonly text: string;
  readonly error: string;
}

interface Recording {
  /** Of all that went in. */
  readonly digest: string;
  readonly rendered: Readonly<Record<string, Rendered>>;
}

/** @throws {Error} something has changed since they were recorded */
export function recorded(): Readonly<Record<string, Rendered>> {
  const { digest, rendered } = JSON.parse(readFileSync(file, "utf8")) as Recording;
  if (digest !== digestOfInputs()) {
    throw new Error(
      "a manifest or the chart has changed: record anew (node --import tsx hosts/agent/deploy/testing/renderings.ts)",
    );
  }
  return rendered;
}

export function manifestsOf({ text }: Rendered): Manifest[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null);
}

/** Asks the real tools. Needs Go. */
export function ask(): Record<string, Rendered> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-renderings-"));
  try {
    cpSync(deploy, directory, { recursive: true });
    const program = join(directory, "render");
    const source = fileURLToPath(new URL("render", import.meta.url));
    execFileSync("go", ["build", "-o", program, "."], { cwd: source, stdio: ["ignore", "inherit", "inherit"] });
    const all = Object.entries(renderings(directory));
    const requests = all.map(([, each]) =>
      "directory" in each ? { kustomize: each.directory } : { helm: join(directory, "chart"), values: each.values },
    );
    const input = requests.map((request) => JSON.stringify(request)).join("\n");
    const answers = execFileSync(program, { input, encoding: "utf8", maxBuffer: 1 << 26 })
      .trimEnd()
      .split("\n");
    return Object.fromEntries(all.map(([name], index) => [name, JSON.parse(answers[index] ?? "") as Rendered]));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const INPUTS = ["base", "chart", "components", "overlays"];
/** Made by from-kube-proxy.sh in a clone that is used. */
const MADE = /replace-kube-proxy\/(kube)?config\.conf$/;

function digestOfInputs(): string {
  const hash = createHash("sha256");
  for (const input of INPUTS) {
    const names = readdirSync(join(deploy, input), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(deploy.length))
      .filter((name) => !MADE.test(name));
    for (const name of names.sort())
      hash
        .update(`${name}\0`)
        .update(readFileSync(join(deploy, name)))
        .update("\0");
  }
  return hash.digest("hex");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const recording: Recording = { digest: digestOfInputs(), rendered: ask() };
  writeFileSync(file, `${JSON.stringify(recording, null, 1)}\n`);
}
