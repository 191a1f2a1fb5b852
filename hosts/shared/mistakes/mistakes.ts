// What is wrong with files and costs nobody an error: Kubernetes would refuse it, or leave it out without a word. The engine
// takes such objects as kube-proxy does.
import { type Diagnostic, diagnostic } from "../diagnostics.ts";
import type { Input } from "../manifests/input.ts";
import {
  fieldsOf,
  isEndpointSlice,
  isService,
  listOf,
  type ManifestObject,
  objectsOf,
  textOf,
} from "../manifests/objects.ts";
import { placeholders } from "./placeholders.ts";
import { RepeatedObjects } from "./repeated-objects.ts";
import { Unfed } from "./unfed.ts";
import { UnknownFields } from "./unknown-fields.ts";
import { wrongVersion } from "./wrong-versions.ts";

/**
 * What is larger, a cluster has written, and to look at it would take longer than to make the rules (a dump of 31 MB: 0.7 s more
 * than 0.5, on two busy cores).
 */
const LARGEST = 8_000_000;

/**
 * Looks at all that was given, in its order. What concerns several objects comes last.
 * @param inputs as the engine got them: what people have written is looked at as it is, and what feeds whom as it came out
 * @param leftOut inputs that are not looked at
 */
export function* findMistakes(
  inputs: readonly Input[],
  leftOut: ReadonlySet<Input> = new Set(),
): Generator<Diagnostic> {
  const read = inputs.filter((input) => input.json.length <= LARGEST && !leftOut.has(input));
  const written = new Written();
  const unfed = new Unfed();
  let hasSlices = false;
  for (const input of read) {
    if (input.written === null) continue;
    for (const object of objectsOf(input.written ?? input)) {
      hasSlices ||= isEndpointSlice(object);
      yield* written.look(object);
      unfed.lookAtWritten(object);
    }
  }
  if (hasSlices) {
    for (const input of read) if (input.written !== null) for (const object of objectsOf(input)) unfed.look(object);
  }
  yield* written.diagnostics();
  // Where a file was left out, its Services are unknown.
  if (read.length === inputs.length) yield* unfed.diagnostics();
  for (const { file, json } of inputs) {
    if (json.length <= LARGEST) continue;
    const message = `${Math.round(json.length / 1e6)} MB: silent mistakes are looked for in files of up to ${LARGEST / 1e6} MB`;
    yield diagnostic("note", "large-file", message, { file });
  }
}

/** Mistakes that are seen in what stands in the files. */
class Written {
  readonly #repeated = new RepeatedObjects();
  readonly #unknown = new UnknownFields();
  readonly #services: ManifestObject[] = [];
  readonly #serviceCIDRs: string[] = [];

  *look(object: ManifestObject): Generator<Diagnostic> {
    yield* wrongVersion(object);
    if (isService(object)) this.#services.push(object);
    else if (object.kind === "ServiceCIDR") {
      this.#serviceCIDRs.push(...listOf(fieldsOf(object.fields.spec).cidrs).map(textOf));
    } else if (object.kind !== "Node" && !isEndpointSlice(object)) return;
    this.#unknown.look(object);
    yield* this.#repeated.look(object);
  }

  *diagnostics(): Generator<Diagnostic> {
    for (const service of this.#services) yield* placeholders(service, this.#serviceCIDRs);
    yield* this.#unknown.diagnostics();
    yield* this.#repeated.diagnostics();
  }
}
