// Reads the built witness from disk, for Node.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { EngineMissingError } from "./engine-node.ts";
import { type InstantiateWitness, WitnessModule } from "./witness.ts";

/** Directory of the built witness: beside the bundle (build/cli → build/witness), or seen from the sources. */
export function witnessDirectory(): string {
  const candidates = ["../witness/", "../../build/witness/"].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  const found = candidates.find((directory) => existsSync(`${directory}witness.js`));
  if (found === undefined) throw new EngineMissingError(candidates, "witness.js");
  return found;
}

export async function loadWitness(directory: string = witnessDirectory()): Promise<WitnessModule> {
  const base = pathToFileURL(directory.endsWith("/") ? directory : `${directory}/`);
  const { instantiate } = (await import(new URL("witness.js", base).href)) as { instantiate: InstantiateWitness };
  const compiled = new Map<string, WebAssembly.Module>();
  const getCoreModule = (name: string): WebAssembly.Module => {
    let module = compiled.get(name);
    if (module === undefined) {
      module = new WebAssembly.Module(readFileSync(new URL(name, base)));
      compiled.set(name, module);
    }
    return module;
  };
  return new WitnessModule(instantiate, getCoreModule);
}
