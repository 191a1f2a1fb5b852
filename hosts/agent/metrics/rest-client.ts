// client-go's metrics of its requests to the API server: its names, labels and buckets.
import { requestBuckets, sizeBuckets } from "./buckets.ts";
import { Counter, Gauge, Histogram, type Registry } from "./prom-client.ts";

export type RestClientMetrics = ReturnType<typeof registerRestClientMetrics>;

/**
 * Metrics without a counterpart are there without a sample: no request waits for a rate limiter, and the age of plugins'
 * certificates is not kept.
 *
 * @param transports asked at each scrape
 * @param pluginCertificateExpires milliseconds since 1970, asked at each scrape; undefined: no plugin manages a certificate
 */
export function registerRestClientMetrics(
  registry: Registry,
  now: () => number,
  transports: (() => TransportCounts) | undefined,
  pluginCertificateExpires: (() => number | undefined) | undefined,
) {
  const registers = [registry];
  const named = (name: string, help: string) => ({ name: `rest_client_${name}`, help, registers });
  const byHost = (name: string, help: string, buckets: number[]) =>
    new Histogram({ ...named(name, help), labelNames: ["verb", "host"] as const, buckets });

  byHost("rate_limiter_duration_seconds", "Client side rate limiter latency in seconds.", requestBuckets);
  new Histogram({
    ...named("exec_plugin_certificate_rotation_age", "Seconds that a plugin's last certificate was in use."),
    buckets: certificateAgeBuckets,
  });
  new Gauge({
    ...named("exec_plugin_ttl_seconds", "Seconds until a plugin's certificate expires; +Inf: there is none."),
    collect() {
      const expires = pluginCertificateExpires?.();
      this.set(expires === undefined ? Number.POSITIVE_INFINITY : (expires - now()) / 1000);
    },
  });
  const counts = () => transports?.() ?? { made: 0, closed: 0 };
  new Counter({
    ...named("transport_create_calls_total", "Transports asked for; miss: one was made."),
    labelNames: ["result"] as const,
    collect() {
      this.reset();
      this.inc({ result: "miss" }, counts().made);
    },
  });
  new Counter({
    ...named("transport_cert_rotation_gc_calls_total", "Transports of older certificates that were closed."),
    collect() {
      this.reset();
      this.inc(counts().closed);
    },
  });
  new Gauge({
    ...named("transport_cache_entries", "Transports that are open."),
    collect() {
      this.set(counts().made - counts().closed);
    },
  });
  return {
    requests: new Counter({
      ...named("requests_total", "Number of HTTP requests, partitioned by status code, method, and host."),
      labelNames: ["code", "method", "host"] as const,
    }),
    duration: byHost(
      "request_duration_seconds",
      "Request latency in seconds. Broken down by verb, and host.",
      requestBuckets,
    ),
    requestSize: byHost("request_size_bytes", "Bytes of a request's body.", sizeBuckets),
    responseSize: byHost(
      "response_size_bytes",
      "Bytes of an answer's body, decompressed; watches have none.",
      sizeBuckets,
    ),
  };
}

export interface TransportCounts {
  readonly made: number;
  readonly closed: number;
}

const HOUR = 3600;
const DAY = 24 * HOUR;
const certificateAgeBuckets = [
  600,
  HOUR / 2,
  HOUR,
  4 * HOUR,
  DAY,
  ...[7, 30, 90, 180, 360, 4 * 360].map((days) => days * DAY),
];
