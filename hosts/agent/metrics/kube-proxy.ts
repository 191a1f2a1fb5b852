// kube-proxy's metrics: its names, labels and buckets, and its meaning (pkg/proxy/metrics/metrics.go). Only those of the
// mode at hand are there.

import type { Mode } from "../../shared/contract.ts";
import { programmingBuckets, syncBuckets } from "./buckets.ts";
import { Counter, Gauge, Histogram, type Registry } from "./prom-client.ts";

const F = ["ip_family"] as const;

export type KubeProxyMetrics = ReturnType<typeof registerKubeProxyMetrics>;

export function registerKubeProxyMetrics(registry: Registry, mode: Mode) {
  const registers = [registry];
  const named = (name: string, help: string) => ({ name: `kubeproxy_${name}`, help, registers });
  const duration = (name: string, help: string) =>
    new Histogram({ ...named(name, help), labelNames: F, buckets: syncBuckets });
  const familyGauge = (name: string, help: string) => new Gauge({ ...named(name, help), labelNames: F });
  const familyCounter = (name: string, help: string) => new Counter({ ...named(name, help), labelNames: F });

  return {
    sync: duration("sync_proxy_rules_duration_seconds", "SyncProxyRules latency in seconds"),
    fullSync: duration("sync_full_proxy_rules_duration_seconds", "SyncProxyRules latency in seconds for full resyncs"),
    partialSync: duration(
      "sync_partial_proxy_rules_duration_seconds",
      "SyncProxyRules latency in seconds for partial resyncs",
    ),
    lastSynced: familyGauge(
      "sync_proxy_rules_last_timestamp_seconds",
      "The last time proxy rules were successfully synced",
    ),
    lastQueued: familyGauge(
      "sync_proxy_rules_last_queued_timestamp_seconds",
      "The last time a sync of proxy rules was queued",
    ),
    programming: new Histogram({
      ...named("network_programming_duration_seconds", "In Cluster Network Programming Latency in seconds"),
      labelNames: F,
      buckets: programmingBuckets,
    }),
    endpointChangesPending: new Gauge(
      named("sync_proxy_rules_endpoint_changes_pending", "Pending proxy rules Endpoint changes"),
    ),
    endpointChanges: new Counter(
      named("sync_proxy_rules_endpoint_changes_total", "Cumulative proxy rules Endpoint changes"),
    ),
    serviceChangesPending: new Gauge(
      named("sync_proxy_rules_service_changes_pending", "Pending proxy rules Service changes"),
    ),
    serviceChanges: new Counter(
      named("sync_proxy_rules_service_changes_total", "Cumulative proxy rules Service changes"),
    ),
    noLocalEndpoints: new Gauge({
      ...named(
        "sync_proxy_rules_no_local_endpoints_total",
        "Number of services with a Local traffic policy and no endpoints",
      ),
      labelNames: ["ip_family", "traffic_policy"] as const,
    }),
    healthz: new Counter({
      ...named("proxy_healthz_total", "Cumulative proxy healthz HTTP status"),
      labelNames: ["code"] as const,
    }),
    livez: new Counter({
      ...named("proxy_livez_total", "Cumulative proxy livez HTTP status"),
      labelNames: ["code"] as const,
    }),
    conntrackDuration: duration(
      "conntrack_reconciler_sync_duration_seconds",
      "ReconcileConntrackFlowsLatency latency in seconds",
    ),
    conntrackDeleted: familyCounter(
      "conntrack_reconciler_deleted_entries_total",
      "Cumulative conntrack flows deleted by conntrack reconciler",
    ),
    iptables:
      mode !== "iptables"
        ? undefined
        : {
            restoreFailures: familyCounter(
              "sync_proxy_rules_iptables_restore_failures_total",
              "Cumulative proxy iptables restore failures",
            ),
            partialRestoreFailures: familyCounter(
              "sync_proxy_rules_iptables_partial_restore_failures_total",
              "Cumulative proxy iptables partial restore failures",
            ),
            rules: new Gauge({
              ...named("sync_proxy_rules_iptables_total", "Total number of iptables rules owned by kube-proxy"),
              labelNames: ["ip_family", "table"] as const,
            }),
            rulesLast: new Gauge({
              ...named("sync_proxy_rules_iptables_last", "Number of iptables rules written by kube-proxy in last sync"),
              labelNames: ["ip_family", "table"] as const,
            }),
            invalidDropped: new Counter(
              named(
                "iptables_ct_state_invalid_dropped_packets_total",
                "packets dropped by iptables to work around conntrack problems",
              ),
            ),
            localhostAccepted: new Counter(
              named(
                "iptables_localhost_nodeports_accepted_packets_total",
                "Number of packets accepted on nodeports of loopback interface",
              ),
            ),
          },
    nftables:
      mode === "iptables"
        ? undefined
        : {
            syncFailures: familyCounter(
              "sync_proxy_rules_nftables_sync_failures_total",
              "Cumulative proxy nftables sync failures",
            ),
            cleanupFailures: familyCounter(
              "sync_proxy_rules_nftables_cleanup_failures_total",
              "Cumulative proxy nftables cleanup failures",
            ),
          },
  };
}
