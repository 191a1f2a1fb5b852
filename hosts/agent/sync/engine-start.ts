// How an engine instance of the agent is made.
import { randomBytes } from "node:crypto";
import type { Options, Problem } from "../../shared/contract.ts";
import { type EngineInstance, type EngineModule, EngineTrapError } from "../../shared/engine.ts";
import type { BatchLimits } from "../kernel/writer.ts";
import type { LastNode } from "./last-node.ts";

/**
 * Services with more entry points and endpoints than this are written in portions of about this size, the largest in up to four
 * times as much, with other Services in between. A portion is one transaction or a few. The kernel walks over all verdicts for
 * each transaction, so smaller portions would take longer in all. A Service with a million entry points takes 43 s in such
 * portions, and 41 s without any.
 */
export const PORTION = 4_096;
/**
 * Chains for Services with up to so many endpoints are always there, because such Services can come at any time. A chain
 * costs every node's kernel about a kilobyte; a cold start with 10,000 Services takes some 6 ms longer.
 */
export const KEPT_CHAINS = 64;

/** The engine does not take these options. */
export class InvalidOptionsError extends Error {
  override readonly name = "InvalidOptionsError";
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(({ field, message, hint }) => `${field}: ${message}; ${hint}`).join("\n"));
    this.problems = problems;
  }
}

export interface EngineSettings {
  readonly module: EngineModule;
  readonly options: Options;
  readonly limits: BatchLimits | undefined;
  readonly lastNode: LastNode;
}

/**
 * An instance that knows the Node as it was known last, and nothing else. Forgets a last node that the engine traps on.
 *
 * @throws {InvalidOptionsError}
 */
export function startEngine(settings: EngineSettings): EngineInstance {
  const { lastNode } = settings;
  const engine = emptyEngine(settings);
  if (lastNode.said === undefined) return engine;
  try {
    for (const json of lastNode.said) {
      engine.apply(json);
      // It takes note of the node's addresses when it is asked for them.
      engine.node();
    }
    engine.beginList("node");
    engine.endList("node");
    return engine;
  } catch (error) {
    if (!(error instanceof EngineTrapError)) throw error;
    delete lastNode.said;
    return emptyEngine(settings);
  }
}

function emptyEngine({ module, options, limits }: EngineSettings): EngineInstance {
  const engine = module.create();
  engine.setBucketSeed(randomBytes(8).readBigUInt64LE());
  const problems = engine.configure(options);
  if (problems.length > 0) throw new InvalidOptionsError(problems);
  engine.setEncoding("netlink");
  engine.keepChains(KEPT_CHAINS);
  engine.keepLastNode();
  engine.setPortion(PORTION);
  if (limits !== undefined) engine.setBatchLimits(limits.preferred, limits.largest);
  return engine;
}
