// What is wrong with files and costs nobody an error: Kubernetes would refuse it, or leave it out without a word. The engine
// takes such objects as kube-proxy does.
import { type Diagnostic, diagnostic } from "../diagnostics.ts";
import type { Input } from "../manifests/input.ts";
import { fieldsOf, listOf, type ManifestObject, objectsOf, textOf } from "../manifests/objects.ts";
import { placeholders } from "./placeholders.ts";
import { portNames } from "./port-names.ts";
import { RepeatedObjects } from "./repeated-objects.ts";
import { Unfed } from "./unfed.ts";
import { UnknownFields } from "./unknown-fields.ts";

/**
 * What is larger, a cluster has written, and to look at it would take longer than to make the rules (a dump of 31 MB: 0.7 s more
 * than 0.5, on two busy cores).
 */
const LARGEST = 8_000_000;

/**
 * Looks at all that was given, in its order. What concerns several objects comes last.
 * @param leftOut inputs that are not looked at
 */
export function* findMistakes(
  inputs: readonly Input[],
  leftOut: ReadonlySet<Input> = new Set(),
): Generator<Diagnostic> {
  const read = inputs.filter((input) => input.json.length <= LARGEST && !leftOut.has(input));
  const repeated = new RepeatedObjects();
  const unknown = new UnknownFields();
  const unfed = new Unfed();
  const services: ManifestObject[] = [];
  const serviceCIDRs: string[] = [];
  for (const input of read) {
    for (const object of objectsOf(input)) {
      const { kind, group } = typeOf(object);
      if (kind === "Service" && group === "") {
        services.push(object);
        unfed.service(object);
      } else if (kind === "EndpointSlice" && group === "discovery.k8s.io") unfed.slice(object);
      else if (kind === "ServiceCIDR") serviceCIDRs.push(...listOf(fieldsOf(object.fields.spec).cidrs).map(textOf));
      else if (kind !== "Node") continue;
      unknown.look(object);
      yield* repeated.look(object);
    }
  }
  for (const service of services) {
    yield* portNames(service);
    yield* placeholders(service, serviceCIDRs);
  }
  yield* unknown.diagnostics();
  // Where a file was left out, its Services are unknown.
  if (read.length === inputs.length) yield* unfed.diagnostics();
  for (const { file, json } of inputs) {
    if (json.length <= LARGEST) continue;
    const message = `${Math.round(json.length / 1e6)} MB: silent mistakes are looked for in files of up to ${LARGEST / 1e6} MB`;
    yield diagnostic("note", "large-file", message, { file });
  }
}

function typeOf({ apiVersion, kind }: ManifestObject): { kind: string; group: string } {
  const slash = apiVersion.indexOf("/");
  return { kind, group: slash === -1 ? "" : apiVersion.slice(0, slash) };
}
