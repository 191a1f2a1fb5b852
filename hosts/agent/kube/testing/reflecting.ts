// A reflector between a fake API server and the real engine.

import { setTimeout as sleep } from "node:timers/promises";
import * as assert from "uvu/assert";
import { ApiServer, type ApiServerOptions } from "../../../../fixtures/api-server/api-server.ts";
import { defaultOptions, type Engine, join, newEngine, renderAll } from "../../../../fixtures/support/engine.ts";
import type { KubernetesObject } from "../../../../fixtures/support/objects.ts";
import type { ApplyResult } from "../../../shared/contract.ts";
import type { Clock } from "../../time/clock.ts";
import { ManualClock } from "../../time/testing/manual-clock.ts";
import { ApiClient } from "../client/api-client.ts";
import type { ClusterAccess } from "../credentials/cluster-access.ts";
import { StaticCredentials } from "../credentials/credentials.ts";
import { TlsMaterial } from "../credentials/tls-material.ts";
import type { ReflectorStore } from "../decoding/reflector-store.ts";
import { Reflector } from "../watching/reflector.ts";
import type { Progress } from "../watching/reflector-state.ts";
import { type Resource, services } from "../watching/resources.ts";

export function plainAccess(url: string, more: Partial<ClusterAccess> = {}): ClusterAccess {
  return {
    source: "a test",
    server: new URL(url),
    tls: new TlsMaterial({}),
    credentials: new StaticCredentials(),
    proxy: undefined,
    ...more,
  };
}

/** A store in front of an engine; it counts what it is asked. */
export class EngineStore implements ReflectorStore {
  readonly engine: Engine;
  readonly results: ApplyResult[] = [];
  lists = 0;
  completeLists = 0;
  /** The next `apply` throws. */
  throwsOnce = false;
  readonly #resource: Resource;

  constructor(engine: Engine, resource: Resource) {
    this.engine = engine;
    this.#resource = resource;
  }

  beginList(): void {
    this.lists++;
    this.engine.beginList(this.#resource.kind);
  }

  apply(data: Uint8Array): ApplyResult {
    if (this.throwsOnce) {
      this.throwsOnce = false;
      throw new Error("the engine stopped");
    }
    assert.is(data.at(-1), 0x0a, "whole lines only");
    const result = this.engine.apply(data);
    this.results.push(result);
    return result;
  }

  endList(): void {
    this.completeLists++;
    this.engine.endList(this.#resource.kind);
  }
}

export function engineOf(nodeName = "node-a"): Engine {
  const engine = newEngine();
  assert.equal(engine.configure(defaultOptions("nftables", nodeName)), []);
  return engine;
}

/** Rules and decisions of an engine, to be compared. */
export function stateOf(engine: Engine): string {
  return renderAll(engine) + join(engine.describe());
}

export function makeService(name: string, clusterIP: string, labels: Record<string, string> = {}): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "shop", labels },
    spec: { clusterIP, clusterIPs: clusterIP === "" ? [] : [clusterIP], ports: [{ port: 80, protocol: "TCP" }] },
  };
}

/** Resolves as soon as the condition holds. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const end = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited in vain until ${what}`);
    await sleep(2);
  }
}

export interface Setting {
  readonly server: ApiServer;
  readonly client: ApiClient;
  readonly clock: ManualClock;
  readonly engine: Engine;
  readonly store: EngineStore;
  readonly reflector: Reflector;
  readonly progress: Progress[];
  /** Names of the Services that the engine knows, sorted. */
  known(): string[];
  /** Reasons of the failures so far. */
  failures(): string[];
}

export interface SettingOptions {
  readonly server?: ApiServerOptions;
  readonly resource?: Resource;
  readonly access?: (server: ApiServer) => ClusterAccess;
  /** Before the reflector starts. */
  readonly prepare?: (server: ApiServer, store: EngineStore) => void;
}

/** Runs a reflector on Services (or another resource) and stops everything afterwards; nothing may be left open. */
export async function reflecting(
  { server: serverOptions = {}, resource = services, access, prepare }: SettingOptions,
  run: (setting: Setting) => Promise<void>,
): Promise<void> {
  const server = await ApiServer.start(serverOptions);
  const client = new ApiClient(access?.(server) ?? plainAccess(server.url), { userAgent: "sluice/test" });
  const clock = new ManualClock();
  const engine = engineOf();
  const store = new EngineStore(engine, resource);
  const progress: Progress[] = [];
  const onProgress = (each: Progress) => void progress.push(each);
  const reflector = new Reflector({ client, resource, store, onProgress, clock: clock as Clock });
  prepare?.(server, store);
  reflector.start();
  try {
    await run({
      server,
      client,
      clock,
      engine,
      store,
      reflector,
      progress,
      known: () => serviceNames(engine),
      failures: () => progress.flatMap((each) => (each.kind === "failed" ? [each.reason] : [])),
    });
  } finally {
    await reflector.stop();
    await client.close();
    await server.close();
  }
  assert.is(clock.timers, 0, "no timer is left");
}

function serviceNames(engine: Engine): string[] {
  const { servicePorts } = JSON.parse(join(engine.describe())) as { servicePorts: { service: string }[] };
  return [...new Set(servicePorts.map(({ service }) => service))].sort();
}
