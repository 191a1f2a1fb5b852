// Words that all writers of the report share.
import { printable } from "../printable.ts";
import type { ReportedChange } from "./changes.ts";
import type { DiffReport } from "./report.ts";

/** How a reviewer should look at a change. */
export function badnessOf({ kind, gates }: ReportedChange): "bad" | "careful" | "good" | "plain" {
  if (
    [
      "lost-endpoints",
      "service-disappears",
      "service-refused",
      "port-disappears",
      "entry-point-removed",
      "conflict",
    ].includes(kind)
  ) {
    return "bad";
  }
  if (gates.length > 0 || kind === "no-endpoints") return "careful";
  return ["service-appears", "port-appears", "got-endpoints", "conflict-solved"].includes(kind) ? "good" : "plain";
}

/** `80/TCP, from outside`; empty: the whole Service. The family is said where changes of both are. */
export function subjectOf({ port, traffic, families }: ReportedChange, siblings: readonly ReportedChange[]): string {
  const parts: string[] = port === "" ? [] : [port];
  if (traffic === "internal") parts.push("cluster IP");
  if (traffic === "external") parts.push("from outside");
  const [family] = families;
  const others = siblings.some((other) => other.families.some((each) => each !== family));
  if (family !== undefined && families.length === 1 && others) parts.push(family);
  return parts.join(", ");
}

/** Names in one line; a cluster may have thousands of nodes. */
const SHOWN = 5;

/** `on 4 of 37 nodes: a, b, c, d`; empty: all nodes see it. */
export function nodesText({ nodes, everywhere }: ReportedChange, count: number): string {
  return everywhere ? "" : `on ${nodes.length} of ${count} nodes: ${namesText(nodes)}`;
}

function namesText(nodes: readonly string[]): string {
  const more = nodes.length > SHOWN ? `, and ${nodes.length - SHOWN} more` : "";
  return `${nodes
    .slice(0, SHOWN)
    .map((node) => printable(node, 253))
    .join(", ")}${more}`;
}

/** `Not looked from: node-b, which base alone has`; empty: there are no such Nodes. */
export function otherNodesText({ otherNodes }: Pick<DiffReport, "otherNodes">): string {
  if (otherNodes === undefined) return "";
  const parts = (["base", "head"] as const).flatMap((side) =>
    otherNodes[side].length === 0 ? [] : [`${namesText(otherNodes[side])}, which ${side} alone has`],
  );
  return `Not looked from: ${parts.join("; ")}`;
}

/** `web.yaml:12`, or the file that people edit before it; empty: no file has it. */
export function placeOf({ place: { file, line, origin } }: ReportedChange): string {
  if (file === "") return "";
  return origin === "" ? `${file}:${line}` : `${origin} (${file}:${line})`;
}
