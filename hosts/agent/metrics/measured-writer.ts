// A writer whose acknowledged batches are measured.
import type { KernelWriter } from "../kernel/writer.ts";
import type { Metrics } from "./metrics.ts";

export function measuredWriter(writer: KernelWriter, metrics: Metrics): KernelWriter {
  return {
    mode: writer.mode,
    dump: (family) => writer.dump(family),
    write: async (batch) => {
      const result = await writer.write(batch);
      if (result.outcome === "written") metrics.written(batch);
      return result;
    },
    intactness: (family) => writer.intactness(family),
    cleanup: () => writer.cleanup(),
    close: () => writer.close(),
  };
}
