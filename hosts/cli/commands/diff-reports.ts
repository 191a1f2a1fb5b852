// The formats of the report of `diff`.
import type { DiffReport } from "../../shared/diff/report.ts";
import type { Io } from "../io.ts";
import { diffGithub } from "../output/diff/github.ts";
import { diffGitlab } from "../output/diff/gitlab.ts";
import { diffJunit } from "../output/diff/junit.ts";
import { diffMarkdown } from "../output/diff/markdown.ts";
import { diffSarif } from "../output/diff/sarif.ts";
import { diffText } from "../output/diff/text.ts";

type Writer = (report: DiffReport, io: Io) => string;

/** By name, in the order in which help has them. */
export const diffWriters: Readonly<Record<string, Writer>> = {
  text: (report, io) => diffText(report, isColourful(io)),
  json: (report) => `${JSON.stringify(report, null, 2)}\n`,
  markdown: (report) => diffMarkdown(report),
  github: diffGithub,
  sarif: diffSarif,
  junit: diffJunit,
  gitlab: diffGitlab,
};

export const diffFormats = Object.keys(diffWriters);

/** Only a terminal gets colours (https://no-color.org). */
function isColourful({ stdout, env: { NO_COLOR = "", TERM } }: Io): boolean {
  return stdout.isTTY === true && NO_COLOR === "" && TERM !== "dumb";
}
