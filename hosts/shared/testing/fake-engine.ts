// A stand-in for the engine that does what a test says: it shows what the hosts do with an engine, not what the engine
// does. Objects are read with JSON.parse; `render` writes a line for each Service.

import type { GivenProgress } from "../batch-parts.ts";
import type { ApplyResult, EngineExports, Family, FamilyTotals, NodeView, Options, Problem } from "../contract.ts";
import { EngineModule } from "../engine.ts";

export interface FakeBehaviour {
  /** May throw (a trap) or add to the result. `text` is what was applied. */
  apply?(text: string, result: ApplyResult): void;
  configure?(options: Options): Problem[];
  render?(family: Family): void;
  /** What a call of `continue-plan` comes to; an empty plan unless given. */
  continuePlan?(): GivenProgress;
  problems?: Problem[];
}

/** What the fake instances were asked, over all of them. */
export interface FakeLog {
  instances: number;
  applied: string[];
  configured: Options[];
}

interface FakeObject {
  kind?: string;
  metadata?: { namespace?: string; name?: string };
  items?: FakeObject[];
}

export function fakeEngine(behaviour: FakeBehaviour = {}): { module: EngineModule; log: FakeLog } {
  const log: FakeLog = { instances: 0, applied: [], configured: [] };
  const create = () => {
    log.instances++;
    return { engine: fakeExports(behaviour, log) };
  };
  return { module: new EngineModule(create, () => ({}) as WebAssembly.Module), log };
}

/** What an empty engine counts in each family. */
export const noTotals: FamilyTotals = {
  servicePorts: 0,
  endpoints: 0,
  noLocalEndpointsInternal: 0,
  noLocalEndpointsExternal: 0,
  iptablesFilterRules: 0,
  iptablesNatRules: 0,
};

function fakeExports(behaviour: FakeBehaviour, log: FakeLog): EngineExports {
  const nodes = new Set<string>();
  const services = new Map<string, string>();
  let options: Options | undefined;
  const bytes = (text: string) => [new TextEncoder().encode(text)];
  const owners = (service: string) => {
    const [namespace = "", name = ""] = service.split("/");
    return [{ kind: "Service", namespace, name, field: "spec.ports[0]" }];
  };
  const totals = () => ({
    services: services.size,
    endpointSlices: 0,
    ipv4: { ...noTotals },
    ipv6: { ...noTotals },
    stateHash: 0n,
  });
  return {
    setEncoding() {},
    keepChains() {},
    keepLastNode() {},
    plannedServices: () => [],
    setBatchLimits: () => {},
    setPortion: () => {},
    beginPortion: () => false,
    refused: () => [],
    setMissingExtensions() {},
    lacking: () => [],
    chainsInUse: (_family, names) => names.map(() => false),
    causes: (sequences) => new Uint32Array(sequences.length),
    suspects: () => 0,
    trial: () => [],
    refusedSuspects: () => [],
    leftOut: () => [],
    leftOutCount: () => 0,
    retry: () => {},
    drift: () => ({ missing: 0, changed: 0, extra: 0, names: [], rebuilt: false }),
    configure(given) {
      const problems = behaviour.configure?.(given) ?? [];
      log.configured.push(given);
      if (!problems.some(({ severity }) => severity === "error")) options = given;
      return problems;
    },
    apply(data) {
      const text = new TextDecoder().decode(data);
      const result = emptyResult();
      behaviour.apply?.(text, result);
      log.applied.push(text);
      for (const object of objects(text)) {
        const { name = "", namespace = "" } = object.metadata ?? {};
        if (object.kind === "Service") {
          services.set(`${namespace}/${name}`, name);
          result.services++;
        } else if (object.kind === "Node") {
          nodes.add(name);
          result.nodes++;
        } else result.skipped.push({ kind: object.kind ?? "", count: 1 });
      }
      return result;
    },
    beginList() {},
    endList: () => 0,
    nodes: () => [...nodes].sort(),
    node: (): NodeView => ({
      name: options?.nodeName ?? "",
      known: nodes.has(options?.nodeName ?? ""),
      deleting: false,
      toBeDeleted: false,
      hasPodCidrs: false,
      zone: "",
      primaryFamily: "ipv4",
      ipv4: "127.0.0.1",
      ipv6: "::1",
    }),
    nodePortIps: () => undefined,
    setBucketSeed: () => true,
    takeUp: () => true,
    healthChecksRevision: () => 0,
    healthChecks: () => [],
    localhostListeners: () => ({ all: true, first: true, more: false, listeners: [] }),
    count: () => totals(),
    counted: () => totals(),
    measureChanges() {},
    programmed: () => new BigUint64Array(),
    problems: () => behaviour.problems ?? [],
    render(family) {
      behaviour.render?.(family);
      return bytes(`${family}\n${[...services.keys()].map((name) => `rule ${name}\n`).join("")}`);
    },
    blame: () =>
      bytes(JSON.stringify([...services.keys()].map((name, index) => ({ line: index + 2, owners: owners(name) })))),
    describe: () =>
      bytes(
        JSON.stringify({
          node: {},
          servicePorts: ["IPv4", "IPv6"].map((family) => ({ family, entryPoints: [], endpoints: [] })),
        }),
      ),
    beginPlan() {},
    beginFirstWave() {},
    beginReconcile() {},
    readDump() {},
    continuePlan: () => behaviour.continuePlan?.() ?? { tag: "batches", val: [] },
    flowCheckDue: () => false,
    beginFlowCheck() {},
    staleFlows: () => [],
    endFlowCheck() {},
    committed() {},
    failed() {},
    forget() {},
  };
}

function emptyResult(): ApplyResult {
  return {
    services: 0,
    endpointSlices: 0,
    nodes: 0,
    serviceCidrs: 0,
    changed: 0,
    headless: 0,
    externalName: 0,
    unassigned: 0,
    skipped: [],
    resourceVersion: "",
    continueToken: "",
    bookmark: false,
    initialEventsEnd: false,
    problems: [],
    moreProblems: 0,
  };
}

function objects(text: string): FakeObject[] {
  let values: FakeObject[];
  try {
    values = [JSON.parse(text)];
  } catch {
    values = text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
  }
  return values.flatMap((value) =>
    (value.items ?? [value]).map((item) => ({ kind: (value.kind ?? "").replace(/List$/, ""), ...item })),
  );
}

export function problem(more: Partial<Problem>): Problem {
  return {
    severity: "error",
    code: "test",
    kind: "",
    namespace: "",
    name: "",
    field: "",
    offset: 0,
    message: "wrong",
    hint: "",
    ...more,
  };
}
