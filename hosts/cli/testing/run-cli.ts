// Runs a command in this process, with streams and an engine of the test's own.
import type { EngineModule } from "../../shared/engine.ts";
import { fakeEngine } from "../../shared/testing/fake-engine.ts";
import type { ExitCode } from "../exit-codes.ts";
import { Memory } from "../output/memory.ts";
import { run } from "../run.ts";

export interface Outcome {
  code: ExitCode;
  stdout: string;
  stderr: string;
}

export interface World {
  stdin?: string;
  env?: Record<string, string>;
  /** stderr is a terminal. */
  terminal?: boolean;
  engine?: EngineModule;
}

export async function runCli(args: readonly string[], world: World = {}): Promise<Outcome> {
  const stdout = new Memory();
  const stderr = Object.assign(new Memory(), { isTTY: world.terminal ?? false });
  const code = await run(args, {
    stdout,
    stderr,
    env: world.env ?? {},
    readStdin: async () => new TextEncoder().encode(world.stdin ?? ""),
    loadEngine: async () => world.engine ?? fakeEngine().module,
  });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}
