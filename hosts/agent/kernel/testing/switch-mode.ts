// Run by a test inside a node's network namespace: programs one mode from nothing, as a fresh agent does, and leaves what
// other modes wrote; or removes that. Its input is JSON, and so is what it prints.
import { text } from "node:stream/consumers";
import { configured } from "../../../../fixtures/conformance/run.ts";
import { applyJson, newEngine, type Options } from "../../../../fixtures/support/engine.ts";
import type { EngineInstance } from "../../../shared/engine.ts";
import { findLeftovers, removeLeftovers } from "../leftovers/leftovers.ts";
import { IptablesWriter } from "../writers/iptables-writer.ts";
import { sendBatches } from "./flat.ts";

export interface SwitchRequest {
  readonly step: "write" | "remove";
  readonly options: Options;
  /** A List. */
  readonly objects: unknown;
}

const { step, options, objects } = JSON.parse(await text(process.stdin)) as SwitchRequest;
const opened = options.mode === "iptables" ? await IptablesWriter.open() : undefined;
if (opened?.outcome === "unavailable") throw new Error(opened.message);
const writer = opened?.writer;
if (step === "write") {
  const engine = configured(newEngine, options) as EngineInstance;
  applyJson(engine, objects);
  if (writer === undefined) {
    engine.setEncoding("netlink");
    await sendBatches(engine, engine.plan(0), 0);
  } else {
    for (const batch of engine.plan(0)) {
      const result = await writer.write(batch);
      if (result.outcome !== "written") throw new Error(result.message);
    }
  }
  console.log("{}");
} else {
  const found = await findLeftovers(options.mode, writer ?? {});
  console.log(JSON.stringify({ problems: found.problems, ...(await removeLeftovers(found.leftovers, writer ?? {})) }));
}
await writer?.close();
