// Metrics of our own: what kube-proxy has no name for.

import { byteBuckets, eventBuckets } from "./buckets.ts";
import { Counter, Gauge, Histogram, type Registry } from "./prom-client.ts";

const F = ["ip_family"] as const;

export type SluiceMetrics = ReturnType<typeof registerSluiceMetrics>;

export function registerSluiceMetrics(registry: Registry) {
  const registers = [registry];
  const named = (name: string, help: string) => ({ name: `sluice_${name}`, help, registers });
  return {
    planBytes: new Histogram({
      ...named("plan_bytes", "Bytes of rules that a sync has written to the kernel."),
      labelNames: F,
      buckets: byteBuckets,
    }),
    changedElements: new Counter({
      ...named("changed_elements_total", "Elements, rules and chains added to and deleted from the kernel."),
      labelNames: F,
    }),
    drift: new Counter({
      ...named(
        "drift_total",
        "What somebody else had changed in our tables, by kind: missing, changed, extra, rebuilt.",
      ),
      labelNames: ["ip_family", "kind"] as const,
    }),
    waveProgress: new Gauge({
      ...named("wave_progress_ratio", "How much of the cold start the kernel has acknowledged, from 0 to 1."),
      labelNames: F,
    }),
    firstWave: new Gauge(
      named("first_wave_seconds", "Time from the start of the process until the API server's Service and DNS worked."),
    ),
    staleness: new Gauge({
      ...named("staleness_seconds", "Seconds since the API server was heard last, by resource."),
      labelNames: ["resource"] as const,
    }),
    watchAlive: new Gauge({
      ...named("watch_alive", "1 while the resource is being watched, else 0."),
      labelNames: ["resource"] as const,
    }),
    engineMemory: new Gauge(named("engine_memory_bytes", "Linear memory of the rule engine.")),
    engineRestarts: new Counter(named("engine_restarts_total", "Times that the rule engine had to be started anew.")),
    eventToKernel: new Histogram({
      ...named("event_to_kernel_seconds", "Time from the arrival of a change to the kernel's acknowledgement."),
      labelNames: F,
      buckets: eventBuckets,
    }),
    desiredState: new Gauge({
      ...named("desired_state_info", "Hash of the desired state: equal on nodes with the same view and options."),
      labelNames: ["hash"] as const,
    }),
    configurationRejected: new Gauge(
      named("configuration_rejected", "1 while the configuration file has a content that is not taken, else 0."),
    ),
    refused: new Gauge({
      ...named(
        "refused_objects",
        "Objects left out, because the engine or the kernel refuses them, for their size, or because the engine stops at them.",
      ),
      labelNames: ["by"] as const,
    }),
    leftOut: new Gauge({
      ...named("left_out_services", "Services whose rules the kernel refuses; all others are written."),
      labelNames: F,
    }),
    services: new Gauge(named("services", "Services with a cluster IP.")),
    servicePorts: new Gauge({ ...named("service_ports", "Service ports."), labelNames: F }),
    endpoints: new Gauge({ ...named("endpoints", "Endpoints of all service ports, ready or not."), labelNames: F }),
  };
}
