// Puts before each rule the objects and fields that it comes from.

import type { Marks } from "../../shared/assumed/marks.ts";
import { objectName } from "../../shared/diagnostics.ts";
import type { ObjectIndex } from "../../shared/manifests/index-of-objects.ts";
import type { Origins } from "../../shared/manifests/origins.ts";
import { printable } from "../../shared/printable.ts";
import { assumedOwner, placeText } from "./assumed.ts";

export interface BlamedLine {
  /** Counted from 1 in the engine's text. */
  line: number;
  owners: Owner[];
}

export interface Owner {
  kind: string;
  namespace: string;
  name: string;
  field: string;
}

/** What leads from a rule's owner to the files. */
export interface BlameContext {
  readonly index: ObjectIndex;
  /** Undefined: nothing is assumed. */
  readonly marks: Marks | undefined;
  readonly origins: Origins;
}

/** Owners that are named before one rule; a shared rule may have thousands. */
const ownersAtMost = 20;

/** The rules with comment lines in between: `# Service shop/web spec.ports[0] (web.yaml:12)`. */
export function* withBlame(
  rules: Uint8Array,
  blamed: readonly BlamedLine[],
  context: BlameContext,
): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  let line = 1;
  let at = 0;
  for (const { line: wanted, owners } of blamed) {
    const from = at;
    while (line < wanted && at < rules.length) {
      const end = rules.indexOf(0x0a, at);
      at = end === -1 ? rules.length : end + 1;
      line++;
    }
    if (at > from) yield rules.subarray(from, at);
    const shown = owners.slice(0, ownersAtMost).map((owner) => comment(owner, context));
    if (owners.length > ownersAtMost) shown.push(`# and ${owners.length - ownersAtMost} more`);
    yield encoder.encode(shown.map((text) => `${text}\n`).join(""));
  }
  if (at < rules.length) yield rules.subarray(at);
}

function comment(owner: Owner, context: BlameContext): string {
  return `# ${ownerText(owner, context)}`;
}

/** `Service shop/web spec.ports[0] (web.yaml:12)` */
export function ownerText(owner: Owner, { index, marks, origins }: BlameContext): string {
  const found = index.place(owner);
  const place = found === undefined ? "" : placeText(found, origins);
  const assumed = marks === undefined ? undefined : assumedOwner(owner, place, marks, origins);
  if (assumed !== undefined) return assumed;
  const parts = [objectName(owner), owner.field, place].filter((part) => part !== "");
  return parts.map((part) => printable(part)).join(" ");
}
