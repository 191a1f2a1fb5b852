// Two sides → the report of what changes between them.

import type { Mode } from "../../shared/contract.ts";
import { type Diagnostic, objectName } from "../../shared/diagnostics.ts";
import type { ChangePlace, ReportedChange } from "../../shared/diff/changes.ts";
import { Comparison, type SeenChange } from "../../shared/diff/comparison.ts";
import { renamedServices } from "../../shared/diff/renames.ts";
import {
  type DiffReport,
  formatVersion,
  headlineOf,
  type ReportedProblem,
  type ServiceChanges,
  violatedGates,
} from "../../shared/diff/report.ts";
import { rulesChange } from "../../shared/diff/rules.ts";
import { badnessOf } from "../../shared/diff/words.ts";
import { version } from "../version.ts";
import { contentChange } from "./diff-content.ts";
import type { DiffSide, SeenFromNodes } from "./diff-side.ts";

export interface ReportOptions {
  readonly mode: Mode;
  /** Undefined: all nodes. */
  readonly node: string | undefined;
  /** With the text of rules. */
  readonly rules: boolean;
}

/** Undefined: the options are refused, which is in the sides' diagnostics. */
export function diffReport(base: DiffSide, head: DiffSide, options: ReportOptions): DiffReport | undefined {
  const nodes = options.node === undefined ? nodesOf(base, head) : [options.node];
  let renamed = new Map<string, string>();
  let comparison = new Comparison();
  const others = nodes.length > 1 ? sidesFromOthers(base, head) : undefined;
  for (const [index, node] of nodes.entries()) {
    // What is wrong with the options or between Services is said of the whole.
    if (index === 0 && (!base.configure(node) || !head.configure(node))) return undefined;
    const [old, now] = others?.(node) ?? [base, head];
    if (!old.configure(node) || !now.configure(node)) return undefined;
    const [before, after] = [old.view(), now.view()];
    if (index === 0) {
      base.reportConflicts();
      head.reportConflicts();
      const [olds, news] = [before.ports.services(), after.ports.services()];
      const gone = new Set([...olds].filter((service) => !news.has(service)));
      const come = new Set([...news].filter((service) => !olds.has(service)));
      if (gone.size > 0 && come.size > 0) renamed = renamedServices(base.contents(gone), head.contents(come));
      comparison = new Comparison(renamed);
    }
    comparison.addNode(node, before, after);
  }
  const former = new Map([...renamed].map(([old, now]) => [now, old]));
  const services = serviceChanges(comparison.result(), former, nodes.length, base, head);
  const problems = problemsOf(base, head);
  const report = {
    format_version: formatVersion,
    kind: "DiffReport",
    writtenBy: `sluice ${version}`,
    mode: options.mode,
    base: sideOf(base),
    head: sideOf(head),
    nodes,
    ...(options.node === undefined ? otherNodesOf(base, head, nodes) : {}),
    services,
    problems,
    ...rulesOf(base, head, services, options.rules),
    gates: violatedGates({ services, problems }),
  } as const;
  const { format_version, kind, writtenBy, mode, ...rest } = report;
  return { format_version, kind, writtenBy, mode, headline: headlineOf(report), ...rest };
}

type Sides = readonly [SeenFromNodes, SeenFromNodes];

/** Sides with as much as one has to look at from a node. Undefined: it is everything. */
function sidesFromOthers(base: DiffSide, head: DiffSide): ((node: string) => Sides) | undefined {
  const change = contentChange(base.content(), head.content());
  if (change === undefined) return undefined;
  const few: Sides = [base.only(change.services), head.only(change.services)];
  return (node) => (change.nodes.has(node) ? [base, head] : few);
}

/** Those that both sides have, since a node that comes or goes sees everything come or go; else those that any side has. */
function nodesOf(base: DiffSide, head: DiffSide): string[] {
  const [before, after] = [base.nodes(), head.nodes()];
  const both = before.filter((node) => after.includes(node));
  if (both.length > 0) return both;
  const any = [...new Set([...before, ...after])].sort();
  return any.length > 0 ? any : [""];
}

function otherNodesOf(base: DiffSide, head: DiffSide, nodes: readonly string[]): Pick<DiffReport, "otherNodes"> {
  const others = (side: DiffSide) => side.nodes().filter((node) => !nodes.includes(node));
  const otherNodes = { base: others(base), head: others(head) };
  return otherNodes.base.length + otherNodes.head.length === 0 ? {} : { otherNodes };
}

function sideOf({ name, complete, services, assumed }: DiffSide) {
  return { name, complete, services, assumed };
}

function serviceChanges(
  seen: ReadonlyMap<string, readonly SeenChange[]>,
  former: ReadonlyMap<string, string>,
  nodes: number,
  base: DiffSide,
  head: DiffSide,
): ServiceChanges[] {
  const services = [...new Set([...seen.keys(), ...former.keys()])].sort();
  return services.map((service) => {
    const [namespace = "", name = ""] = service.split("/");
    const formerName = former.get(service);
    const changes = (seen.get(service) ?? []).map((each) =>
      reported(service, explained(each, service, head), nodes, base, head),
    );
    if (formerName !== undefined) {
      const text = `has another name: ${service}, was ${formerName}`;
      const change = {
        kind: "service-renamed",
        port: "",
        entryPoint: "",
        traffic: "",
        text,
        gates: [],
        field: "metadata.name",
      } as const;
      const whole = { change, families: [], nodes: [] };
      changes.push({ ...reported(service, whole, nodes, base, head), everywhere: true });
    }
    return { namespace, name, ...(formerName === undefined ? {} : { formerName }), changes: inOrder(changes) };
  });
}

/** Of the whole Service first, then by port; what is bad goes first. */
function inOrder(changes: readonly ReportedChange[]): ReportedChange[] {
  const order = ["bad", "careful", "good", "plain"];
  const port = ({ port }: ReportedChange) => (port === "" ? -1 : Number.parseInt(port, 10));
  const part = ({ everywhere }: ReportedChange) => (everywhere ? 0 : 1);
  const rank = (change: ReportedChange) => order.indexOf(badnessOf(change));
  return [...changes].sort(
    (a, b) => port(a) - port(b) || compareTexts(a.port, b.port) || rank(a) - rank(b) || part(a) - part(b),
  );
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A Service that is gone from the rules may still be in the files, or in a part of them that could not be read. */
function explained(seen: SeenChange, service: string, head: DiffSide): SeenChange {
  const { change } = seen;
  if (change.kind !== "service-disappears") return seen;
  const refusal = head.refusal(service);
  if (refusal !== undefined) {
    const text = `is refused: ${refusal.field === "" ? "" : `${refusal.field}: `}${refusal.message}`;
    return { ...seen, change: { ...change, kind: "service-refused", text, field: refusal.field } };
  }
  if (head.place(service, "") !== undefined) {
    return {
      ...seen,
      change: { ...change, text: `${change.text}: it is there, but without a cluster IP`, field: "spec.clusterIP" },
    };
  }
  if (head.complete) return seen;
  return {
    ...seen,
    change: { ...change, text: `${change.text}, or stands in what could not be read of ${head.name}` },
  };
}

function reported(
  service: string,
  { change, families, nodes }: SeenChange,
  count: number,
  base: DiffSide,
  head: DiffSide,
): ReportedChange {
  const inHead = head.place(service, change.field);
  const inBase = inHead === undefined ? base.place(service, change.field) : undefined;
  const nowhere = { file: "", line: 0, origin: "" };
  const place: ChangePlace =
    inHead === undefined && inBase !== undefined
      ? { side: "base", ...inBase }
      : { side: "head", ...(inHead ?? nowhere) };
  return { ...change, families, nodes, everywhere: nodes.length === count, place };
}

/** What is new, and what makes a side incomplete. Notes are none. */
function problemsOf(base: DiffSide, head: DiffSide): ReportedProblem[] {
  const known = new Set(base.diagnostics.map(keyOf));
  const isNew = (found: Diagnostic) => !known.has(keyOf(found)) || (found.severity === "error" && !head.complete);
  const problems = [
    ...(base.complete
      ? []
      : base.diagnostics.filter(({ severity }) => severity === "error").map((each) => problem("base", each))),
    ...head.diagnostics.filter(isNew).map((each) => problem("head", each)),
  ];
  return problems.filter((each) => each !== undefined);
}

/** Whether the other side has it, too. */
export function isKnown(found: Diagnostic, other: DiffSide): boolean {
  const key = keyOf(found);
  return other.diagnostics.some((each) => keyOf(each) === key);
}

/** Without places, and without how many others a message speaks for: those change with every file that comes. */
function keyOf({ severity, code, kind, namespace, name, field, message }: Diagnostic): string {
  const others = /(?:, and so for|; so are) \d+ .*$/;
  const where = /(?:^| )[^ ]+:\d+(?::\d+)?/g;
  return JSON.stringify([severity, code, kind, namespace, name, field, message.replace(others, "").replace(where, "")]);
}

function problem(side: "base" | "head", found: Diagnostic): ReportedProblem | undefined {
  const { severity, code, file, line, column, origin = "", field, message, hint } = found;
  if (severity === "note") return undefined;
  return { side, severity, code, file, line, column, origin, object: objectName(found), field, message, hint };
}

/** On the first node that sees a change. */
function rulesOf(
  base: DiffSide,
  head: DiffSide,
  services: readonly ServiceChanges[],
  withLines: boolean,
): Pick<DiffReport, "rules"> {
  const node = services.flatMap(({ changes }) => changes).find(({ nodes }) => nodes.length > 0)?.nodes[0];
  if (node === undefined || !base.configure(node) || !head.configure(node)) return {};
  return { rules: { node, ...rulesChange(base.rules(), head.rules(), withLines) } };
}
