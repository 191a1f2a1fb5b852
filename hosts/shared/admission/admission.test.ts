// Held against 2,800 answers of a real API server.
import { isDeepStrictEqual } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type AdmissionAnswer, admissionAnswers } from "../../../fixtures/recordings/admission.ts";
import type { Fields } from "../manifests/objects.ts";
import { admitEndpointSlice, admitService } from "./admit.ts";
import type { Cause } from "./causes.ts";
import { type ClusterSettings, defaultSettings } from "./cluster-settings.ts";

const test = suite("admission");
const answers = admissionAnswers();
/** Of the recorded server. */
const settings: ClusterSettings = { ...defaultSettings, serviceCIDRs: ["10.96.0.0/16", "fd00:10:96::/112"] };

function admitted({ object }: AdmissionAnswer) {
  return object.kind === "Service" ? admitService(object, settings) : admitEndpointSlice(object, settings);
}

/** The stored object without what only the server knows: nothing is left of it where the input did not give it. */
function withoutAssigned({ object, stored }: AdmissionAnswer): Fields {
  if (stored === undefined) throw new Error("nothing was stored");
  const { uid, resourceVersion, creationTimestamp, generation, managedFields, ...metadata } = stored.metadata as Fields;
  const result: Record<string, unknown> = structuredClone({ ...stored, metadata });
  if (object.kind !== "Service") return result;
  const given = (object.spec ?? {}) as Record<string, unknown>;
  const spec = result.spec as Record<string, unknown>;
  const wanted = (given.clusterIPs as string[] | undefined)?.length ? (given.clusterIPs as string[]) : [];
  const addresses = wanted.length > 0 ? wanted : given.clusterIP ? [given.clusterIP] : [];
  if (!given.clusterIP) delete spec.clusterIP;
  if (addresses.length === 0) delete spec.clusterIPs;
  else spec.clusterIPs = (spec.clusterIPs as string[]).slice(0, addresses.length);
  if (!given.healthCheckNodePort) delete spec.healthCheckNodePort;
  const givenPorts = (given.ports ?? []) as { nodePort?: number }[];
  for (const [index, port] of ((spec.ports ?? []) as { nodePort?: number }[]).entries()) {
    if (!givenPorts[index]?.nodePort) delete port.nodePort;
  }
  return result;
}

test("what is taken is stored with the recorded defaults", () => {
  let count = 0;
  for (const answer of answers) {
    if (answer.code !== 201) continue;
    count++;
    const { object } = admitted(answer);
    if (isDeepStrictEqual(object, withoutAssigned(answer))) continue;
    assert.equal(object, withoutAssigned(answer), `case ${answer.seed}: ${JSON.stringify(answer.object)}`);
  }
  assert.is(count, 977);
});

/**
 * Two of their ports are the same, so the server draws one node port for both, and complains of that number, too: nobody
 * else can know it.
 */
const drawn = new Set([23, 674, 685, 868, 1322, 1954, 2510]);

function expectedCauses({ seed, code, causes }: AdmissionAnswer): readonly Cause[] {
  if (code === 500) {
    // Its cause is a message alone.
    return [{ reason: "InternalError", field: "spec.healthCheckNodePort", message: causes?.[0]?.message ?? "" }];
  }
  const isDrawn = ({ reason, field }: Cause) => reason === "FieldValueDuplicate" && field === "spec.ports[1].nodePort";
  const known = (causes ?? []).filter((cause) => !drawn.has(seed) || !isDrawn(cause));
  assert.is(known.length, (causes?.length ?? 0) - (drawn.has(seed) ? 1 : 0), `case ${seed}`);
  return known;
}

test("what is refused is refused for the recorded reasons, in their words and their order", () => {
  let count = 0;
  for (const answer of answers) {
    if (answer.code === 201) continue;
    count++;
    const { object, causes: ours } = admitted(answer);
    const causes = ours.map(({ hint, ...cause }) => cause);
    const expected = expectedCauses(answer);
    if (object === undefined && isDeepStrictEqual(causes, expected)) continue;
    assert.equal(causes, expected, `case ${answer.seed}: ${JSON.stringify(answer.object)}`);
  }
  assert.is(count, 1823);
});

test("the recorded warnings, and no others", () => {
  let count = 0;
  for (const answer of answers) {
    const warnings = admitted(answer).warnings.map(({ text }) => `299 - ${JSON.stringify(text)}`);
    count += warnings.length;
    assert.equal(warnings, answer.warnings, `case ${answer.seed}: ${JSON.stringify(answer.object)}`);
  }
  assert.is(count, 64);
});

test.run();
