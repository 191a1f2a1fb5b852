// The engine's types, as jco writes them from engine/engine.wit (`npm run build` puts them under build/engine/).
import type { Batch as BatchPart } from "../../build/engine/interfaces/sluice-engine-engine.js";

export type {
  ApiStatus,
  ApplyResult,
  CheckedFlows,
  DetectLocalMode,
  DriftReport,
  Encoding,
  EntryPoint,
  Extension,
  Family,
  FamilyTotals,
  HealthCheck,
  Kind,
  LackingService,
  LocalhostChanges,
  LocalhostListener,
  Mode,
  NodeView,
  Options,
  Problem,
  ServiceName,
  Severity,
  Skipped,
  StaleFlow,
  StaleReason,
  Totals,
} from "../../build/engine/interfaces/sluice-engine-engine.js";

/** A batch with all of its data. */
export type Batch = Omit<BatchPart, "goesOn">;

/** As the contract's, but without parts of batches. */
export type PlanProgress =
  | { readonly tag: "more" | "abandoned" }
  | { readonly tag: "some-batches" | "batches"; readonly val: Batch[] };

/** The functions of one engine instance. */
export type EngineExports = typeof import("../../build/engine/interfaces/sluice-engine-engine.js");

/** What the generated build/engine/engine.js exports. `getCoreModule` is asked for each core module by file name. */
export type Instantiate = (
  getCoreModule: (name: string) => WebAssembly.Module,
  imports: Record<string, never>,
  instantiateCore?: InstantiateCore,
) => { engine: EngineExports };

export type InstantiateCore = (
  module: WebAssembly.Module,
  imports: WebAssembly.Imports,
) => { readonly exports: WebAssembly.Exports };
