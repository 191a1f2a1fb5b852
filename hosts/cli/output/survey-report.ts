// What a survey has found, as people and machines read it.
import type { EntryPoints } from "../../shared/entry-points.ts";
import type { RuleLines } from "../../shared/rule-lines.ts";
import type { Packets, Survey } from "../../shared/witness-answers.ts";
import { type ReportedEnding, reportedEnding, serviceOf } from "./verify-report.ts";

export interface FoundPackets extends Omit<Packets, "source"> {
  /** `namespace/service:port` whose entry point it is; empty: nobody's. */
  readonly service: string;
  /** Addresses and ranges `A-B`; those of the node itself where `origin` says so. */
  readonly sources: readonly string[];
  readonly endings: readonly ReportedEnding[];
}

/** schemas/survey-report.json describes it. Fields may be added. */
export interface SurveyReport {
  readonly format_version: 1;
  readonly rules: readonly string[];
  readonly about: "everything" | "endpoint" | "stopped";
  /** In words. */
  readonly question: string;
  /** Everything was looked at. */
  readonly complete: boolean;
  readonly classes: number;
  /** Classes beyond those that are told. */
  readonly more: number;
  readonly found: readonly FoundPackets[];
}

export interface Surveyed {
  readonly rules: readonly string[];
  readonly about: SurveyReport["about"];
  readonly question: string;
  readonly survey: Survey;
  readonly lines: RuleLines;
  readonly entryPoints: EntryPoints | undefined;
}

export function surveyReport({ rules, about, question, survey, lines, entryPoints }: Surveyed): SurveyReport {
  const groups = new Map<string, FoundPackets & { sources: string[] }>();
  for (const { source, endings, ...packets } of survey.found) {
    const reported = endings.map((ending) => reportedEnding(ending, lines));
    const key = JSON.stringify([packets, reported]);
    const group = groups.get(key);
    if (group !== undefined) group.sources.push(source);
    else {
      const service = serviceOf(packets, entryPoints);
      groups.set(key, { ...packets, service, sources: [source], endings: reported });
    }
  }
  const { complete, classes, more } = survey;
  return { format_version: 1, rules, about, question, complete, classes, more, found: [...groups.values()] };
}
