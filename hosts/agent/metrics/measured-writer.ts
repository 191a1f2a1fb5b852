// A writer whose acknowledged batches are measured.
import type { KernelWriter } from "../kernel/writer.ts";
import type { Metrics } from "./metrics.ts";

/** The same writer, whatever else it can do. */
export function measuredWriter<Writer extends KernelWriter>(writer: Writer, metrics: Metrics): Writer {
  const write: KernelWriter["write"] = async (batch) => {
    const result = await writer.write(batch);
    if (result.outcome === "written") metrics.written(batch);
    return result;
  };
  return new Proxy(writer, {
    get(target, name) {
      if (name === "write") return write;
      const value: unknown = Reflect.get(target, name, target);
      // Writers have private fields, which know only the object itself.
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
