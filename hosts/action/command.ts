// Finds the command and runs it. It is not part of the action's bundle: a release has it as sluice-cli-VERSION.tgz.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ActionError, type Inputs } from "./inputs.ts";

/** Of the repository, which GitHub has as a whole where the action runs. */
const root = above(import.meta.dirname);

function above(directory: string): string {
  return existsSync(join(directory, "action.yml")) ? directory : above(dirname(directory));
}

type Env = Readonly<Record<string, string | undefined>>;

/** The file to run by Node. Throws an ActionError. */
export async function findCommand(inputs: Inputs, env: Env, directory: string): Promise<string> {
  // Of a checkout in which it was built.
  const built = join(root, "build", "cli", "sluice.js");
  if (inputs.package === "" && existsSync(built)) return built;
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const release = `https://github.com/${env.GITHUB_ACTION_REPOSITORY ?? ""}/releases/download/v${version}/sluice-cli-${version}.tgz`;
  const from = inputs.package || release;
  const isUrl = /^https?:\/\//.test(from);
  const file = isUrl ? join(directory, "sluice-cli.tgz") : from;
  if (isUrl) await download(from, file);
  const into = mkdtempSync(join(directory, "sluice-cli-"));
  const { status, stderr, error } = spawnSync("tar", ["-xzf", file, "-C", into], { encoding: "utf8" });
  if (status !== 0)
    throw new ActionError(`input package: ${file} can't be unpacked: ${(stderr || String(error)).trim()}`);
  return join(into, "package", "cli", "sluice.js");
}

async function download(url: string, file: string): Promise<void> {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`status ${response.status}`);
    writeFileSync(file, new Uint8Array(await response.arrayBuffer()));
  } catch (error) {
    const why = error instanceof Error ? (error.cause ?? error.message) : error;
    throw new ActionError(`${url}: ${why}; input package takes another path or URL of sluice-cli-VERSION.tgz`);
  }
}

/** Arguments for `sluice`, which writes its whole report to `report`. */
export function diffArguments({ base, options, failOn, paths }: Inputs, report: string): string[] {
  const gates = failOn === "" ? [] : ["--fail-on", failOn];
  return [
    "diff",
    "--base",
    base,
    "--report",
    "text",
    "--report",
    `json=${report}`,
    ...options,
    ...gates,
    "--",
    ...paths,
  ];
}
