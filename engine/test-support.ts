// What the tests beside the engine share: objects in few words, an engine that is ready, and kernels that refuse what
// the real ones refuse.
import * as assert from "uvu/assert";
import {
  type ApplyResult,
  applyJson,
  type Batch,
  defaultOptions,
  type Engine,
  encode,
  type Family,
  join,
  type Mode,
  newEngine,
  type Options,
  type Problem,
  renderAll,
} from "../fixtures/support/engine.ts";
import { type KubernetesObject, listOf } from "../fixtures/support/objects.ts";
import { type ShortEndpoint as Endpoint, expand, type Port } from "../fixtures/support/shorthand.ts";
import type { DescribedServicePort, Description } from "../hosts/shared/describe.ts";
import type { EngineInstance } from "../hosts/shared/engine.ts";

export type { ApplyResult, Batch, Endpoint, Engine, EngineInstance, Family, KubernetesObject, Mode, Options, Problem };
export { applyJson, defaultOptions, encode, join, listOf, newEngine, renderAll };

// ---- objects

export interface ServiceFields {
  ip?: string;
  ports?: Port[];
  created?: string;
  labels?: Record<string, string>;
  ingress?: object[];
  [specField: string]: unknown;
}

/** A Service `namespace/name` with port 80 at 10.96.0.1; `fields` that are not named in ServiceFields go into `spec`. */
export function makeService(name: string, fields: ServiceFields = {}): KubernetesObject {
  const { ip = "10.96.0.1", ports = [{ port: 80 }], ...others } = fields;
  return expand({ service: { name, clusterIPs: ip.split(","), ports, ...others } });
}

/** `10.0.0.1`, or `10.0.0.1 node-a` for an endpoint on that node. */
function makeEndpoint(from: string | Endpoint): Endpoint {
  if (typeof from !== "string") return from;
  const [ip = "", node] = from.split(" ");
  return node === undefined ? { ip } : { ip, node };
}

/** An EndpointSlice `namespace/name` of the Service `namespace/service`, all of whose endpoints have port 8080. */
export function makeSlice(
  name: string,
  service: string,
  endpoints: (string | Endpoint)[],
  { ports = [{ port: 8080 }], addressType }: { ports?: Port[]; addressType?: string } = {},
): KubernetesObject {
  const [namespace = "", sliceName = ""] = name.split("/");
  return expand({
    slice: {
      name: sliceName,
      service: `${namespace}/${service}`,
      ports,
      endpoints: endpoints.map(makeEndpoint),
      ...(addressType === undefined ? {} : { addressType }),
    },
  });
}

/** A Node; an address after `!` is an ExternalIP. */
export function makeNode(
  name: string,
  { ips = [], ...others }: { ips?: string[]; zone?: string; podCIDRs?: string[] } = {},
): KubernetesObject {
  const addresses = ips.map((ip) =>
    ip.startsWith("!") ? { type: "ExternalIP", address: ip.slice(1) } : { type: "InternalIP", address: ip },
  );
  return { ...expand({ node: { name, ...others } }), status: { addresses } };
}

export function makeServiceCIDR(name: string, cidrs: string[]): KubernetesObject {
  return expand({ cidr: { name, cidrs } });
}

/** `count` distinct IPv4 addresses. */
export function addresses(count: number, prefix = "10.20"): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}.${i >> 8}.${i & 255}`);
}

// ---- the engine

export function makeEngine(mode: Mode = "nftables", options: Partial<Options> = {}): EngineInstance {
  const engine = newEngine();
  assert.equal(engine.configure({ ...defaultOptions(mode), ...options }), []);
  return engine;
}

export function put(engine: Engine, ...objects: KubernetesObject[]): ApplyResult {
  const result = applyJson(engine, listOf(objects));
  assert.equal(result.problems, []);
  return result;
}

export function remove(engine: Engine, ...objects: KubernetesObject[]): ApplyResult {
  const result = engine.apply(
    encode(objects.map((object) => `${JSON.stringify({ type: "DELETED", object })}\n`).join("")),
  );
  assert.equal(result.problems, []);
  return result;
}

export function applyText(engine: Engine, text: string): ApplyResult {
  return engine.apply(encode(text));
}

export function describe(engine: Engine): Description {
  return JSON.parse(join(engine.describe())) as Description;
}

/** The described service port of `namespace/name`, or of `namespace/name:port`. */
export function described(engine: Engine, name: string, family = "IPv4"): DescribedServicePort | undefined {
  return describe(engine).servicePorts.find(
    (each) =>
      each.family === family &&
      [`${each.namespace}/${each.service}`, `${each.namespace}/${each.service}:${each.port.name}`].includes(name),
  );
}

/** `ip:port` of all endpoints of that service port, in the order of `describe`. */
export function endpointsOf(engine: Engine, name: string, family = "IPv4"): string[] {
  return (described(engine, name, family)?.endpoints ?? []).map(({ address, port }) => `${address}:${port}`);
}

export function serviceNames(engine: Engine): string[] {
  return [...new Set(describe(engine).servicePorts.map(({ namespace, service }) => `${namespace}/${service}`))];
}

export function render(engine: Engine, family: Family = "ipv4"): string {
  return join(engine.render(family));
}

/** Lines of the text that contain `part`. */
export function linesWith(text: string, part: string): string[] {
  return text.split("\n").filter((line) => line.includes(part));
}

// ---- plans

export interface PlannedBatch extends Omit<Batch, "data"> {
  text: string;
}

export function plan(engine: Engine, now: number): PlannedBatch[] {
  return engine.plan(now).map(({ data, ...batch }) => ({ ...batch, text: join(data) }));
}

/** Plans and acknowledges all of it; returns a time at which everything is due. */
export function commitAll(engine: Engine, now: number): number {
  for (const { id, notBeforeMs } of engine.plan(now)) engine.committed(id, now + notBeforeMs);
  return now + 10_000;
}

/** The messages of a batch or dump, one by one. */
export function messagesOf(bytes: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + ((bytes.readUInt32LE(at) + 3) & ~3);
    messages.push(bytes.subarray(at, end));
    at = end;
  }
  return messages;
}

// ---- kernels

interface NftTable {
  chains: Map<string, string[]>;
  sets: Map<string, Map<string, string>>;
  /** Names of chains and sets that rules and elements refer to; made when it is needed. */
  references?: Set<string> | undefined;
}

/** Both tables of nft as far as the engine uses them. A transaction that the kernel would refuse throws and does nothing. */
export class FakeNft {
  #tables = new Map<string, NftTable>();

  load(script: string): void {
    const tables = structuredClone(this.#tables);
    for (const line of script.split("\n")) if (line !== "") command(tables, line);
    this.#tables = tables;
  }

  /** Chains with their rules and sets with their elements, sorted; comments of elements are left out. */
  state(family: "ip" | "ip6" = "ip"): { chains: Record<string, string[]>; sets: Record<string, string[]> } {
    const table = this.#tables.get(family);
    const sorted = <T>(map: Map<string, T> | undefined) => [...(map ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      chains: Object.fromEntries(sorted(table?.chains)),
      sets: Object.fromEntries(
        sorted(table?.sets).map(([name, elements]) => [name, sorted(elements).map(([k, v]) => k + v)]),
      ),
    };
  }
}

/** `goto` and `jump` targets, and sets as `@name`. */
function referencesOf(text: string): string[] {
  return [...text.matchAll(/(?:goto|jump) (\S+)|(@\S+)/g)].map(([, chain, set]) => chain ?? set ?? "");
}

function isReferredTo(table: NftTable, name: string): boolean {
  if (table.references === undefined) {
    table.references = new Set();
    const texts = [...table.chains.values(), ...[...table.sets.values()].map((elements) => elements.values())];
    for (const each of texts)
      for (const text of each) for (const name of referencesOf(text)) table.references.add(name);
  }
  return table.references.has(name);
}

function checkTargets(table: NftTable, text: string, line: string): void {
  for (const name of referencesOf(text)) {
    const known = name.startsWith("@") ? table.sets.has(name.slice(1)) : table.chains.has(name);
    if (!known) throw new Error(`refers to nothing: ${line}`);
  }
}

function command(tables: Map<string, NftTable>, line: string): void {
  const match = /^(add|delete|flush) (table|chain|rule|set|map|element|counter) (ip6?) kube-proxy ?(\S*) ?(.*)$/.exec(
    line,
  );
  if (match === null) throw new Error(`not a command: ${line}`);
  const [, verb, object, family = "", name = "", rest = ""] = match;
  if (object === "table") {
    if (verb === "delete" && !tables.delete(family)) throw new Error(`no such table: ${line}`);
    if (verb === "add" && !tables.has(family)) tables.set(family, { chains: new Map(), sets: new Map() });
    return;
  }
  const table = tables.get(family);
  if (table === undefined) throw new Error(`no such table: ${line}`);
  const { chains, sets } = table;
  if (object === "counter") return;
  if (verb !== "delete" || object === "element") table.references = undefined;
  if (object === "chain" && verb === "add") {
    if (!chains.has(name)) chains.set(name, []);
  } else if (object === "chain" || object === "rule") {
    const rules = chains.get(name);
    if (rules === undefined) throw new Error(`no such chain: ${line}`);
    if (object === "rule") {
      checkTargets(table, rest, line);
      rules.push(rest);
    } else if (verb === "flush") {
      rules.length = 0;
    } else {
      if (isReferredTo(table, name)) throw new Error(`busy: ${line}`);
      chains.delete(name);
    }
  } else if (object === "element") {
    const elements = sets.get(name);
    if (elements === undefined) throw new Error(`no such set: ${line}`);
    const [, key = "", value = ""] = /^\{ (.*?)(?: comment "[^"]*")?( : .*)? \}$/.exec(rest) ?? [];
    const known = elements.get(key);
    if (verb === "delete") {
      if (known === undefined) throw new Error(`no such element: ${line}`);
      elements.delete(key);
    } else {
      checkTargets(table, value, line);
      if (known !== undefined && known !== value) throw new Error(`exists: ${line}`);
      elements.set(key, value);
    }
  } else if (verb === "add") {
    if (!sets.has(name)) sets.set(name, new Map());
  } else {
    const elements = sets.get(name);
    if (elements === undefined) throw new Error(`no such set: ${line}`);
    if (verb === "flush") {
      elements.clear();
    } else {
      if (isReferredTo(table, `@${name}`)) throw new Error(`busy: ${line}`);
      sets.delete(name);
    }
  }
}

/** One family's tables of iptables. Input that iptables-restore would refuse throws and does nothing. */
export class FakeIptables {
  #tables = new Map<string, Map<string, string[]>>();

  /** `iptables-restore --noflush` */
  restore(text: string): void {
    const tables = structuredClone(this.#tables);
    let chains = new Map<string, string[]>();
    for (const line of text.split("\n")) {
      if (line === "" || line.startsWith("#")) continue;
      const [, chain = "", rule = ""] = /^(?::|-[AX] )(\S+) ?(.*)$/.exec(line) ?? [];
      if (line.startsWith("*")) {
        chains = tables.get(line) ?? new Map();
        tables.set(line, chains);
      } else if (line.startsWith(":")) {
        chains.set(chain, []);
      } else if (line === "COMMIT") {
        for (const rules of chains.values()) for (const each of rules) checkJump(chains, each);
      } else if (line.startsWith("-A ")) {
        const rules = chains.get(chain);
        if (rules === undefined) throw new Error(`no such chain: ${line}`);
        rules.push(rule);
      } else {
        const rules = chains.get(chain);
        if (rules === undefined || rules.length > 0) throw new Error(`missing or not empty: ${line}`);
        chains.delete(chain);
      }
    }
    this.#tables = tables;
  }

  /** All chains that are not built in and not empty, with their rules: `*nat KUBE-SERVICES` → rules. */
  state(): Record<string, string[]> {
    const state: Record<string, string[]> = {};
    for (const [table, chains] of this.#tables) {
      for (const [chain, rules] of [...chains].sort(([a], [b]) => (a < b ? -1 : 1))) {
        if (chain.startsWith("KUBE-") && rules.length > 0) state[`${table} ${chain}`] = rules;
      }
    }
    return state;
  }

  chains(table: string): string[] {
    return [...(this.#tables.get(table)?.keys() ?? [])].sort();
  }
}

function checkJump(chains: Map<string, string[]>, rule: string): void {
  const [, target = ""] = /-j (\S+)$/.exec(rule) ?? [];
  if (target.startsWith("KUBE-") && !chains.has(target)) throw new Error(`no such chain: ${rule}`);
}
