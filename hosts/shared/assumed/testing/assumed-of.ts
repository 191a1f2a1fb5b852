// What is assumed of plain objects, in the way that commands go: admission first.
import { admitSet } from "../../admission/admit-set.ts";
import { defaultSettings } from "../../admission/cluster-settings.ts";
import type { Diagnostic } from "../../diagnostics.ts";
import { jsonInput } from "../../manifests/input.ts";
import { ManifestSet } from "../../manifests/manifest-set.ts";
import { type Fields, objectsOf } from "../../manifests/objects.ts";
import { assumeSet } from "../assume-set.ts";
import type { Marks } from "../marks.ts";
import { type AssumeOptions, defaultAssumeOptions } from "../options.ts";

export interface AssumedOf {
  /** All that the engine then gets, by kind. */
  readonly services: readonly Fields[];
  readonly slices: readonly Fields[];
  readonly nodes: readonly Fields[];
  /** Of what was assumed, without those of admission. */
  readonly diagnostics: readonly Diagnostic[];
  /** Undefined: nothing was assumed. */
  readonly marks: Marks | undefined;
}

/** As if the objects stood in `objects.json`, one after the other. */
export function assumedOf(objects: readonly object[], options: Partial<AssumeOptions> = {}): AssumedOf {
  const json = objects.map((object) => `${JSON.stringify(object)}\n`).join("");
  const set = new ManifestSet([jsonInput("objects.json", new TextEncoder().encode(json))]);
  for (const _ of admitSet(set, defaultSettings));
  const assumed = assumeSet(set, { ...defaultAssumeOptions(), ...options });
  const all = set.inputs().flatMap((input) => [...objectsOf(input)]);
  const of = (kind: string) => all.filter((object) => object.kind === kind).map(({ fields }) => fields);
  return {
    services: of("Service"),
    slices: of("EndpointSlice"),
    nodes: of("Node"),
    diagnostics: assumed?.diagnostics ?? [],
    marks: assumed?.marks,
  };
}
