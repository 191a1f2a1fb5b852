// Adds to what was read what a cluster would have added. Comes after admission.
import { mayHoldNewObjects } from "../admission/admit-set.ts";
import type { ManifestSet, SetObject } from "../manifests/manifest-set.ts";
import { type Assumed, assume } from "./assume.ts";
import { sortByKind } from "./assume-input.ts";
import { isNew, keyOf } from "./objects.ts";
import type { AssumeOptions } from "./options.ts";

/** Undefined: all that was given is a cluster's, and nothing is assumed of that. */
export function assumeSet(set: ManifestSet, options: AssumeOptions): Assumed | undefined {
  let objects = [...set.objects(mayHoldNewObjects)];
  if (!objects.some((object) => object.kind === "Service" && isNew(object))) return undefined;
  // A large dump beside new files has Nodes, and addresses that are taken.
  if (!set.written.every(mayHoldNewObjects)) objects = [...set.objects()];
  for (const object of givenAgain(objects)) set.leaveOut(object);
  const assumed = assume(sortByKind(objects), options);
  const bySource = new Map<unknown, SetObject>(objects.map((object) => [object, object]));
  for (const { object, fields } of assumed.services) {
    const replaced = bySource.get(object);
    if (replaced !== undefined) set.replace(replaced, fields);
  }
  for (const node of assumed.nodes) set.add(node, { file: "", line: 0, column: 0 });
  for (const { service, slice } of assumed.slices) {
    // What is wrong with it is the Service's or the workload's fault, and the Service is what leads to it.
    set.add(slice.fields, service.about("note", "", "spec.selector", "", ""));
  }
  for (const { endpoints, fields } of assumed.mirrored) {
    set.add(fields, endpoints.about("note", "", "subsets", "", ""));
  }
  return assumed;
}

/** New Services that are given once more behind: those count, and these would stay without an address. */
function givenAgain(objects: readonly SetObject[]): SetObject[] {
  const services = objects.filter((object) => object.kind === "Service" && isNew(object));
  const last = new Map(services.map((object) => [keyOf(object), object]));
  return services.filter((object) => last.get(keyOf(object)) !== object);
}
