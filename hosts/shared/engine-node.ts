// Reads the built engine from disk, for Node.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Instantiate, InstantiateCore } from "./contract.ts";
import { EngineModule } from "./engine.ts";

/** The engine has not been built, or the installation is incomplete. */
export class EngineMissingError extends Error {
  override readonly name = "EngineMissingError";
  /** Directories that were looked into. */
  readonly directories: readonly string[];

  constructor(directories: readonly string[], file = "engine.js") {
    super(`the engine is missing: no ${file} in ${directories.join(" or ")}; run \`npm run build\``);
    this.directories = directories;
  }
}

/** Directory of the built engine: beside the bundle (build/cli → build/engine), or seen from the sources. */
export function engineDirectory(): string {
  const candidates = ["../engine/", "../../build/engine/"].map((path) => fileURLToPath(new URL(path, import.meta.url)));
  const found = candidates.find((directory) => existsSync(`${directory}engine.js`));
  if (found === undefined) throw new EngineMissingError(candidates);
  return found;
}

export async function loadEngine(
  directory: string = engineDirectory(),
  instantiateCore?: InstantiateCore,
): Promise<EngineModule> {
  const base = pathToFileURL(directory.endsWith("/") ? directory : `${directory}/`);
  const { instantiate } = (await import(new URL("engine.js", base).href)) as { instantiate: Instantiate };
  const compiled = new Map<string, WebAssembly.Module>();
  const getCoreModule = (name: string): WebAssembly.Module => {
    let module = compiled.get(name);
    if (module === undefined) {
      module = new WebAssembly.Module(readFileSync(new URL(name, base)));
      compiled.set(name, module);
    }
    return module;
  };
  return new EngineModule(instantiate, getCoreModule, instantiateCore);
}
