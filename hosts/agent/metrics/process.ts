// process_* metrics as Prometheus' own clients name them, read when they are asked for. What Go's runtime has to say
// (go_*) has no counterpart here and is left out.
import { readdirSync, readFileSync } from "node:fs";
import { Counter, Gauge, type Registry } from "./prom-client.ts";

/** CPU time in seconds, user and system together. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // not Linux, or hidden: the metric is then absent
  }
}

function virtualBytes(): number | undefined {
  const kilobytes = /^VmSize:\s+(\d+) kB$/m.exec(read("/proc/self/status"))?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

function openFiles(): number | undefined {
  try {
    return readdirSync("/proc/self/fd").length - 1; // the directory itself was open
  } catch {
    return undefined;
  }
}

function mostFiles(): number | undefined {
  const limit = /^Max open files\s+(\d+)/m.exec(read("/proc/self/limits"))?.[1];
  return limit === undefined ? undefined : Number(limit);
}

export function registerProcessMetrics(registry: Registry, now: () => number): void {
  const registers = [registry];
  const startSeconds = now() / 1000 - process.uptime();
  const gauge = (name: string, help: string, value: () => number | undefined): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        const current = value();
        if (current !== undefined) this.set(current);
      },
    });
  };
  new Counter({
    name: "process_cpu_seconds_total",
    help: "Total user and system CPU time spent in seconds.",
    registers,
    collect() {
      this.reset();
      this.inc(cpuSeconds());
    },
  });
  gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", () => startSeconds);
  gauge("process_resident_memory_bytes", "Resident memory size in bytes.", () => process.memoryUsage.rss());
  gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", virtualBytes);
  gauge("process_open_fds", "Number of open file descriptors.", openFiles);
  gauge("process_max_fds", "Maximum number of open file descriptors.", mostFiles);
}
