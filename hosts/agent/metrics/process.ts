// process_* metrics as Prometheus' own clients name them, read at each scrape. Metrics of Go's runtime (go_*) have no counterpart
// here.
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

function softLimit(name: string): number | undefined {
  const limit = new RegExp(`^${name}\\s+(\\d+|unlimited)`, "m").exec(read("/proc/self/limits"))?.[1];
  if (limit === undefined) return undefined;
  return limit === "unlimited" ? UNLIMITED : Number(limit);
}

/** Bytes of IP packets in this process' network namespace, which is the node's: one of the columns of netstat's `IpExt:`. */
function networkBytes(column: "InOctets" | "OutOctets"): number {
  const [names, values] = read("/proc/self/net/netstat")
    .split("\n")
    .filter((line) => line.startsWith("IpExt:"))
    .map((line) => line.split(" "));
  return Number(values?.[names?.indexOf(column) ?? -1] ?? 0);
}

/** For build information and /statusz, as Go programs say `go1.26.8`. */
export const runtimeVersion = `node${process.versions.node}`;

/** RLIM_INFINITY */
const UNLIMITED = 2 ** 64;

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
  const counter = (name: string, help: string, value: () => number): void => {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  };
  counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", cpuSeconds);
  counter("process_network_receive_bytes_total", "Number of bytes received by the process over the network.", () =>
    networkBytes("InOctets"),
  );
  counter("process_network_transmit_bytes_total", "Number of bytes sent by the process over the network.", () =>
    networkBytes("OutOctets"),
  );
  gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", () => startSeconds);
  gauge("process_resident_memory_bytes", "Resident memory size in bytes.", () => process.memoryUsage.rss());
  gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", virtualBytes);
  gauge("process_open_fds", "Number of open file descriptors.", openFiles);
  gauge("process_max_fds", "Maximum number of open file descriptors.", () => softLimit("Max open files"));
  gauge("process_virtual_memory_max_bytes", "Maximum amount of virtual memory available in bytes.", () =>
    softLimit("Max address space"),
  );
}
