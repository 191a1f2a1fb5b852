// A comparison as text: the answer in the first line, then what differs by Service, then what was taken for granted.
import { plural } from "../../shared/plural.ts";
import { printable } from "../../shared/printable.ts";
import { endingsText } from "./endings.ts";
import type { ReportedDifference, VerifyReport } from "./verify-report.ts";

/** Entry points that are listed; the JSON has them all. */
const shownAtMost = 40;

/** What a kind of difference means. */
const kinds: Record<string, string> = {
  endpoints: "other endpoints",
  odds: "other odds",
  masquerade: "the source is hidden in one of them alone",
  hairpin: "the source is hidden in one of them alone, where a client is its own endpoint",
  affinity: "clients stick for another time",
  "reject-with": "rejected in another way",
  source: "another source address",
  unknown: "rules that are not understood",
};

export function verifyText(report: VerifyReport): string {
  const lines = [answer(report), "", ...likely(report)];
  let shown = 0;
  for (const [service, differences] of groupedBy(report.differences, ({ service }) => service)) {
    // Packets that end in the same two ways for the same two rules differ for the same reason.
    const reasons = [...groupedBy(differences, reasonOf).values()];
    if (shown < shownAtMost) lines.push(service === "" ? "No Service's:" : `${printable(service)}:`);
    for (const alike of reasons) if (shown++ < shownAtMost) lines.push(...reasonLines(alike));
  }
  if (shown > shownAtMost) lines.push(`… and ${shown - shownAtMost} more (--report json has all)`);
  if (shown > 0) lines.push("");
  lines.push(...rulesText(report));
  lines.push(`A: ${printable(report.a, 2000)}`, `B: ${printable(report.b, 2000)}`, "Taken for granted:");
  lines.push(...report.assumptions.map((text) => `  ${printable(text, 2000)}`));
  return `${lines.join("\n")}\n`;
}

/** What a difference of rules is called. */
const ruleWords: Record<string, string> = {
  "table-missing": "the table is missing",
  "table-off": "the table is dormant",
  "chain-missing": "the chain is missing",
  "chain-extra": "the chain is there in addition",
  "chain-otherwise": "hook, priority or policy are others",
  rules: "rules are others",
  order: "rules are in another order",
  "set-missing": "the set is missing",
  "set-extra": "the set is there in addition",
  "set-otherwise": "the set is declared otherwise",
  "element-missing": "an element is missing",
  "element-extra": "an element is there in addition",
  "element-otherwise": "an element leads elsewhere",
};
const rulesShown = 20;

function likely({ culprits }: VerifyReport): string[] {
  return culprits.length === 0 ? [] : ["Likely:", ...culprits.map((text) => `  ${printable(text, 2000)}`), ""];
}

function rulesText({ rules, moreRules, result }: VerifyReport): string[] {
  const lines: string[] = [];
  if (rules.length > 0 && result !== "different") {
    lines.push(
      `${plural(rules.length + moreRules, "place")} where the rules themselves differ (--report json), which no packet notices`,
      "",
    );
    return lines;
  }
  if (rules.length === 0) return lines;
  lines.push("Rules (- in A alone, + in B alone):");
  for (const { what, where, a, b } of rules.slice(0, rulesShown)) {
    lines.push(`  ${printable(where)}: ${ruleWords[what] ?? what}`);
    for (const place of a.slice(0, 5)) lines.push(placeLine("-", place));
    for (const place of b.slice(0, 5)) lines.push(placeLine("+", place));
  }
  const more = rules.length - rulesShown + moreRules;
  if (more > 0) lines.push(`  … and ${plural(more, "more place")} (--report json)`);
  lines.push("");
  return lines;
}

function placeLine(sign: string, { file, line, rule }: { file: string; line: number; rule: string }): string {
  const text = printable(`    ${sign} ${file}:${line}: ${rule}`, 2000);
  return text.length > 240 ? `${text.slice(0, 239)}…` : text;
}

/** Sorted by key. */
function groupedBy(differences: readonly ReportedDifference[], keyOf: (difference: ReportedDifference) => string) {
  const groups = new Map<string, ReportedDifference[]>();
  for (const difference of differences) {
    const key = keyOf(difference);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [difference]);
    else group.push(difference);
  }
  return new Map([...groups].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function reasonOf({ kind, a, b }: ReportedDifference): string {
  const places = [...a, ...b].map(({ at }) => `${at?.file}:${at?.line}`);
  return [kind, endingsText(a), endingsText(b), ...places].join("\n");
}

function answer({ result, classes, differentClasses, unknownClasses, differences, complete }: VerifyReport): string {
  const all = `${classes} ${classes === 1 ? "class" : "classes"}`;
  switch (result) {
    case "equal":
      return `equal: A and B do the same with every packet (${all} of packets)`;
    case "different": {
      const services = new Set(differences.map(({ service }) => service).filter((service) => service !== ""));
      const whose = services.size === 0 ? "" : `, ${plural(services.size, "Service")} concerned`;
      const partly = complete ? "" : ", and not all was compared";
      return `different: A and B do other things with some packets (${differentClasses} of ${all}${whose}${partly})`;
    }
    case "inconclusive":
      return `inconclusive: no difference was found, but ${unknownClasses} of ${all} of packets end at rules that are not understood`;
    case "gave-up":
      return `gave up: no difference in ${all} of packets, and there are more (--limit)`;
  }
}

function reasonLines(alike: readonly ReportedDifference[]): string[] {
  const [first] = alike;
  if (first === undefined) return [];
  const more = alike.length - 1;
  const what = kinds[first.kind];
  return [
    `  ${packetText(first)}${what === undefined ? "" : `: ${what}`}`,
    ...(more === 0 ? [] : [`  and ${more} more like it, such as ${alike.slice(1, 4).map(packetText).join("; ")}`]),
    ...side("A", first.a, first.b),
    ...side("B", first.b, first.a),
  ].map((line) => printable(line, 2000));
}

/** ` port 80`, ` ports 0-79`; empty: all of them, or the protocol has none. */
export function portsText([first, last]: ReportedDifference["port"]): string {
  const isAny = last === 0 || (first === 0 && last === 65535);
  return isAny ? "" : first === last ? ` port ${first}` : ` ports ${first}-${last}`;
}

/** A difference's packets in words. */
export function packetText(difference: Omit<ReportedDifference, "service" | "a" | "b">): string {
  const { origin, state, source, destination, protocol, port, sticksTo, inInterface } = difference;
  const from = origin === "node" ? "from the node" : `from ${source}`;
  const details = [
    state === "new" ? "" : `, ${state} connections`,
    inInterface === undefined ? "" : `, in by ${inInterface}`,
    sticksTo === undefined ? "" : `, of a client that sticks to ${sticksTo}`,
  ];
  return `${protocol} to ${destination}${portsText(port)} ${from}${details.join("")}`;
}

/** One side's endings, and the rule of the first that the other side does not have. */
function side(name: string, endings: ReportedDifference["a"], others: ReportedDifference["a"]): string[] {
  const known = new Set(others.map((ending) => endingsText([ending])));
  const own = endings.filter((ending) => !known.has(endingsText([ending])));
  const place = [...own, ...endings].find(({ at }) => at !== undefined)?.at;
  const lines = [`    ${name}: ${endingsText(endings)}`];
  if (place !== undefined) lines.push(`       ${place.file}:${place.line}: ${place.rule}`);
  return lines.map((line) => (line.length > 300 ? `${line.slice(0, 299)}…` : line));
}
