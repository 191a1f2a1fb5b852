// The action from inputs to exit code: a report is made or read, then shown where people review.
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { appendFileSync, mkdtempSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { diffGithub } from "../cli/output/diff/github.ts";
import { diffMarkdown } from "../cli/output/diff/markdown.ts";
import type { DiffReport } from "../shared/diff/report.ts";
import { printable } from "../shared/printable.ts";
import { diffArguments, findCommand } from "./command.ts";
import { comment } from "./comments.ts";
import { pullRequestOf } from "./event.ts";
import { GitHubApi, GitHubError } from "./github-api.ts";
import { ActionError, commentMarker, type Inputs, readInputs } from "./inputs.ts";
import { readReport } from "./report-file.ts";

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly write: (text: string) => void;
  readonly wait?: (seconds: number) => Promise<unknown>;
}

/** GitHub drops a summary of more than 1 MiB whole. */
const summaryBytes = 1_000_000;
/** GitHub shows no more of each level for a step. */
const annotationsOfALevel = 10;

/** Returns the exit code. */
export async function run(around: Surroundings): Promise<number> {
  try {
    const inputs = readInputs(around.env);
    const { report, file, code } = inputs.report === "" ? await made(inputs, around) : given(inputs);
    if (report === undefined) throw new ActionError(`sluice diff ended with ${code} and without a report`);
    show(report, file, around);
    const isCommentFine = inputs.comment === "off" || (await commented(inputs, inputs.comment, report, around));
    return code !== 0 ? code : isCommentFine ? 0 : 1;
  } catch (error) {
    if (!(error instanceof ActionError)) throw error;
    around.write(command("error", error.message));
    return 1;
  }
}

interface Outcome {
  readonly report: DiffReport | undefined;
  readonly file: string;
  readonly code: number;
}

function given({ report: file }: Inputs): Outcome {
  return { report: readReport(file), file, code: 0 };
}

async function made(inputs: Inputs, { env, write }: Surroundings): Promise<Outcome> {
  const directory = mkdtempSync(join(env.RUNNER_TEMP ?? tmpdir(), "sluice-"));
  const file = join(directory, "report.json");
  if (!hasCommit(inputs.base)) {
    const hint = "give actions/checkout `fetch-depth: 2`, or input base another";
    throw new ActionError(`this checkout has no commit ${inputs.base}: ${hint}`);
  }
  const sluice = await findCommand(inputs, env, directory);
  // What it prints has words of manifests in it, which must be no commands to the runner.
  const token = randomUUID();
  write(`::stop-commands::${token}\n`);
  const { status, stdout, stderr } = spawnSync(process.execPath, [sluice, ...diffArguments(inputs, file)], {
    encoding: "utf8",
    env: { ...env, INPUT_TOKEN: undefined },
    maxBuffer: 1 << 30,
  });
  write(`${stderr}${stdout}\n::${token}::\n`);
  const code = status ?? 1;
  const isThere = statSync(file, { throwIfNoEntry: false }) !== undefined;
  return { report: isThere ? readReport(file) : undefined, file, code };
}

function hasCommit(ref: string): boolean {
  const args = ["rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`];
  return spawnSync("git", args, { stdio: "ignore" }).status === 0;
}

function isChanged({ services, problems }: DiffReport): boolean {
  return services.length > 0 || problems.length > 0;
}

function show(report: DiffReport, file: string, { env, write }: Surroundings): void {
  write(annotations(diffGithub(report)));
  if (env.GITHUB_STEP_SUMMARY !== undefined) {
    const used = statSync(env.GITHUB_STEP_SUMMARY, { throwIfNoEntry: false })?.size ?? 0;
    appendFileSync(env.GITHUB_STEP_SUMMARY, `${diffMarkdown(report, summaryBytes - used)}\n`);
  }
  if (env.GITHUB_OUTPUT !== undefined) {
    const outputs = { changed: String(isChanged(report)), headline: printable(report.headline), report: file };
    const text = Object.entries(outputs).map(([name, value]) => {
      const end = randomUUID();
      return `${name}<<${end}\n${value}\n${end}\n`;
    });
    appendFileSync(env.GITHUB_OUTPUT, text.join(""));
  }
}

/** The first of each level: GitHub would drop the others without a word. */
function annotations(text: string): string {
  const counts = new Map<string, number>();
  let dropped = 0;
  const lines = text.split("\n").filter((line) => {
    const level = /^::(\w+) /.exec(line)?.[1];
    if (level === undefined) return true;
    const count = (counts.get(level) ?? 0) + 1;
    counts.set(level, count);
    if (count > annotationsOfALevel) dropped++;
    return count <= annotationsOfALevel;
  });
  const more =
    dropped === 0 ? "" : `sluice: ${dropped} more stand in the job summary; GitHub shows ten of each level\n`;
  return `${lines.join("\n")}${more}`;
}

/** False: there should be a comment, and there is none. */
async function commented(
  inputs: Inputs,
  mode: "sticky" | "new",
  report: DiffReport,
  { env, write, wait }: Surroundings,
): Promise<boolean> {
  const api = new GitHubApi(
    env.GITHUB_API_URL ?? "https://api.github.com",
    env.GITHUB_REPOSITORY ?? "",
    inputs.token,
    wait,
  );
  const title = inputs.label === "" ? "" : `**${printable(inputs.label, 100)}**\n\n`;
  const body = isChanged(report) ? `${title}${diffMarkdown(report)}` : undefined;
  try {
    const event: unknown = JSON.parse(readFileSync(env.GITHUB_EVENT_PATH ?? "", "utf8"));
    const pullRequest = await pullRequestOf(env.GITHUB_EVENT_NAME ?? "", event, api);
    if (pullRequest === undefined) {
      write("sluice: no open pull request has this commit as its last: no comment\n");
      return true;
    }
    write(
      `sluice: pull request ${pullRequest}: ${await comment(api, pullRequest, mode, commentMarker(inputs), body)}\n`,
    );
    return true;
  } catch (error) {
    if (!(error instanceof GitHubError)) throw error;
    // A fork's run may not comment, which is no fault of it. The one that is there to comment must.
    const isFault = env.GITHUB_EVENT_NAME === "workflow_run";
    const hint =
      error.status === 403 || error.status === 404
        ? "; the job needs `permissions: pull-requests: write`, which a fork's pull request never gets: docs/pull-requests.md"
        : "";
    write(command(isFault ? "error" : "warning", `no comment: ${error.message}${hint}`));
    return !isFault;
  }
}

function command(level: "error" | "warning", message: string): string {
  return `::${level} title=sluice::${printable(message.replaceAll("%", "%25"), 2000)}\n`;
}
