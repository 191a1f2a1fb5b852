// The report as a flat list of findings with places, for formats that know nothing of Services.
import type { DiffReport, ReportedProblem } from "./report.ts";
import { badnessOf, nodesText, subjectOf } from "./words.ts";

export interface Finding {
  /** Kind of the change, or code of the problem. Stable. */
  readonly rule: string;
  readonly level: "error" | "warning" | "note";
  /** `shop/web`, or the object of a problem; empty: unknown. */
  readonly subject: string;
  /** One sentence with the subject. */
  readonly message: string;
  /** The file that people edit. Empty: unknown. */
  readonly file: string;
  /** Counted from 1; 0: unknown, or of a file that was made from that one. */
  readonly line: number;
  /** The place is in BASE, which HEAD does not have any more. */
  readonly inBase: boolean;
}

const levels = { bad: "error", careful: "warning", good: "note", plain: "note" } as const;

/** Changes by Service, then problems. */
export function findingsOf({ services, problems, nodes, head }: DiffReport): Finding[] {
  const changes = services.flatMap(({ namespace, name, changes }) =>
    changes.map((change): Finding => {
      const subject = `${namespace}/${name}`;
      const where = nodesText(change, nodes.length);
      const parts = [`${subject}`, subjectOf(change, changes), change.text].filter((part) => part !== "");
      const { file, line, origin, side } = change.place;
      return {
        rule: change.kind,
        level: levels[badnessOf(change)],
        subject,
        message: `${parts.join(": ")}${where === "" ? "" : ` (${where})`}`,
        ...(origin === "" ? { file, line } : { file: origin, line: 0 }),
        inBase: side === "base",
      };
    }),
  );
  // Files of a commit are named `main:web.yaml`; pages where people review know `web.yaml`.
  const commit = `${head.name}:`;
  return [...changes, ...problems.map(ofProblem)].map((finding) =>
    !finding.inBase && finding.file.startsWith(commit)
      ? { ...finding, file: finding.file.slice(commit.length) }
      : finding,
  );
}

function ofProblem(problem: ReportedProblem): Finding {
  const { side, severity, code, file, line, origin, object, field, message, hint } = problem;
  const text = [object, field, message].filter((part) => part !== "").join(": ");
  return {
    rule: code,
    level: severity,
    subject: object,
    message: hint === "" ? text : `${text}; ${hint}`,
    ...(origin === "" ? { file, line } : { file: origin, line: 0 }),
    inBase: side === "base",
  };
}
