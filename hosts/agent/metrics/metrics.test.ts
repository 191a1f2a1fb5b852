// What /metrics says: names and labels that kube-proxy's dashboards and alerts query, and what the methods count.

import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Mode } from "../../shared/contract.ts";
import { noTotals } from "../../shared/testing/fake-engine.ts";
import { Metrics, type MetricsOptions } from "./metrics.ts";

const test = suite("agent: metrics");

const T0 = Date.parse("2026-11-01T10:00:00Z");

const batchOf = (text: string) => ({ family: "ipv4" as const, data: [new TextEncoder().encode(text)] });

function make(mode: Mode, options: Partial<MetricsOptions> = {}): Metrics {
  return new Metrics({ mode, version: "1.2.3", now: () => T0, ...options });
}

/** Series of one scrape: `name{label="value",…}` and its value. */
async function scrape(metrics: Metrics): Promise<Map<string, number>> {
  const series = new Map<string, number>();
  for (const line of (await metrics.text()).split("\n")) {
    const found = /^([^#\s][^\s{]*(?:\{.*\})?) (\S+)$/.exec(line);
    if (found?.[1] !== undefined) series.set(found[1], Number(found[2]));
  }
  return series;
}

const names = (series: Map<string, number>) => new Set([...series.keys()].map((each) => each.replace(/\{.*/, "")));

// kubernetes-mixin's proxy dashboard, node-level views of kube-prometheus, and scalability dashboards; what they group by.
const queried: [name: string, ...labels: string[]][] = [
  ["kubeproxy_sync_proxy_rules_duration_seconds_count", "ip_family"],
  ["kubeproxy_sync_proxy_rules_duration_seconds_bucket", "le", "ip_family"],
  ["kubeproxy_sync_full_proxy_rules_duration_seconds_bucket", "le", "ip_family"],
  ["kubeproxy_sync_partial_proxy_rules_duration_seconds_bucket", "le", "ip_family"],
  ["kubeproxy_network_programming_duration_seconds_count", "ip_family"],
  ["kubeproxy_network_programming_duration_seconds_bucket", "le", "ip_family"],
  ["kubeproxy_sync_proxy_rules_service_changes_total"],
  ["kubeproxy_sync_proxy_rules_service_changes_pending"],
  ["kubeproxy_sync_proxy_rules_endpoint_changes_total"],
  ["kubeproxy_sync_proxy_rules_endpoint_changes_pending"],
  ["kubeproxy_conntrack_reconciler_sync_duration_seconds_bucket", "le", "ip_family"],
  ["kubeproxy_conntrack_reconciler_deleted_entries_total", "ip_family"],
  ["kubernetes_build_info", "major", "minor", "git_version"],
  ["process_resident_memory_bytes"],
  ["process_virtual_memory_bytes"],
  ["process_cpu_seconds_total"],
  ["process_start_time_seconds"],
  ["process_open_fds"],
  ["process_max_fds"],
];

/** After the first sync, request and count. */
const queriedLater: [name: string, ...labels: string[]][] = [
  ["kubeproxy_sync_proxy_rules_last_timestamp_seconds", "ip_family"],
  ["kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds", "ip_family"],
  ["kubeproxy_sync_proxy_rules_no_local_endpoints_total", "ip_family", "traffic_policy"],
  ["kubeproxy_proxy_healthz_total", "code"],
  ["kubeproxy_proxy_livez_total", "code"],
  ["rest_client_requests_total", "code", "method", "host"],
  ["rest_client_request_duration_seconds_bucket", "le", "verb", "host"],
];

function assertThere(series: Map<string, number>, wanted: [name: string, ...labels: string[]][]): void {
  for (const [name, ...labels] of wanted) {
    const found = [...series.keys()].find((each) => each === name || each.startsWith(`${name}{`));
    assert.ok(found, name);
    for (const label of labels) assert.match(found ?? "", `${label}="`, name);
  }
}

for (const mode of ["iptables", "nftables", "flat"] as const) {
  test(`${mode}: what dashboards query is there from the start, the rest with the first use`, async () => {
    const metrics = make(mode);
    assertThere(await scrape(metrics), queried);
    metrics.queued("ipv4");
    metrics.synced("ipv4", 0.01, true, { bytes: 0 });
    metrics.probed("healthz", 200);
    metrics.probed("livez", 503);
    metrics.apiRequest({ verb: "GET", code: "200", host: "10.0.0.1:6443", seconds: 0.01, requestBytes: 0 });
    const sums = { ...noTotals, noLocalEndpointsInternal: 3, noLocalEndpointsExternal: 4 };
    metrics.counted({ services: 1, endpointSlices: 1, ipv4: sums, ipv6: sums, stateHash: 255n });
    const series = await scrape(metrics);
    assertThere(series, queriedLater);
    assert.is(
      series.get('kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family="IPv4",traffic_policy="external"}'),
      4,
    );
    assert.is(series.get('sluice_desired_state_info{hash="00000000000000ff"}'), 1);
    assert.is(series.get('kubeproxy_proxy_livez_total{code="503"}'), 1);
  });

  test(`${mode}: only the mode's own metrics are there`, async () => {
    const nfacct = async () => ({ invalidDropped: 7, localhostAccepted: 8 });
    const metrics = new Metrics({ mode, version: "1.2.3", nfacct });
    metrics.failed("ipv6", 0.1, false);
    metrics.written(batchOf("*filter\n:KUBE-A - [0:0]\n-A KUBE-A -j B\nCOMMIT\n*nat\n-A X -j Y\n-A X -j Z\nCOMMIT\n"));
    metrics.synced("ipv4", 0.1, true, { bytes: 80 });
    const sums = { ...noTotals, iptablesFilterRules: 11, iptablesNatRules: 12 };
    metrics.counted({ services: 0, endpointSlices: 0, ipv4: sums, ipv6: sums, stateHash: 0n });
    const series = await scrape(metrics);
    const own = [...names(series)].filter((name) => /iptables_|nftables_/.test(name)).sort();
    if (mode !== "iptables") {
      assert.equal(own, [
        "kubeproxy_sync_proxy_rules_nftables_cleanup_failures_total",
        "kubeproxy_sync_proxy_rules_nftables_sync_failures_total",
      ]);
      assert.is(series.get('kubeproxy_sync_proxy_rules_nftables_sync_failures_total{ip_family="IPv6"}'), 1);
      return;
    }
    assert.equal(own, [
      "kubeproxy_iptables_ct_state_invalid_dropped_packets_total",
      "kubeproxy_iptables_localhost_nodeports_accepted_packets_total",
      "kubeproxy_sync_proxy_rules_iptables_last",
      "kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total",
      "kubeproxy_sync_proxy_rules_iptables_restore_failures_total",
      "kubeproxy_sync_proxy_rules_iptables_total",
    ]);
    assert.is(series.get('kubeproxy_sync_proxy_rules_iptables_total{ip_family="IPv4",table="nat"}'), 12);
    assert.is(series.get('kubeproxy_sync_proxy_rules_iptables_last{ip_family="IPv4",table="filter"}'), 1);
    assert.is(series.get('kubeproxy_sync_proxy_rules_iptables_last{ip_family="IPv4",table="nat"}'), 2);
    assert.is(series.get('sluice_changed_elements_total{ip_family="IPv4"}'), 3);
    assert.is(series.get('kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total{ip_family="IPv6"}'), 1);
    assert.is(series.get("kubeproxy_iptables_ct_state_invalid_dropped_packets_total"), 7);
  });
}

test("gates: the configuration's, AllAlpha and AllBeta for what it does not name, else kube-proxy's defaults", async () => {
  let gates: Record<string, boolean> = {};
  const metrics = make("flat", { featureGates: () => gates });
  const of = async (name: string, stage: string) =>
    (await scrape(metrics)).get(`kubernetes_feature_enabled{name="${name}",stage="${stage}"}`);
  const names = [
    ["NFTablesNetlink", "BETA"],
    ["APIServerIdentity", "BETA"],
    ["APIServingWithRoutine", "ALPHA"],
    ["AllBeta", "BETA"],
  ] as const;
  const all = async () => {
    const found = [];
    for (const [name, stage] of names) found.push(await of(name, stage));
    return found;
  };
  assert.equal(await all(), [1, 1, 0, 0]);
  gates = { NFTablesNetlink: false };
  assert.equal(await all(), [0, 1, 0, 0]);
  gates = { AllBeta: false, AllAlpha: true, NFTablesNetlink: true };
  assert.equal(await all(), [1, 0, 1, 0]);
});

test("transports, and when the certificate of a plugin expires", async () => {
  let expires: number | undefined;
  const transports = () => ({ made: 3, closed: 1 });
  const metrics = make("flat", { transports, pluginCertificateExpires: () => expires });
  const series = await scrape(metrics);
  assert.is(series.get("rest_client_transport_cache_entries"), 2);
  assert.is(series.get('rest_client_transport_create_calls_total{result="miss"}'), 3);
  assert.is(series.get("rest_client_transport_cert_rotation_gc_calls_total"), 1);
  assert.match(await metrics.text(), "\nrest_client_exec_plugin_ttl_seconds +Inf\n");
  expires = T0 + 90_000;
  assert.is((await scrape(metrics)).get("rest_client_exec_plugin_ttl_seconds"), 90);
});

test("go_* is not pretended", async () => {
  assert.equal(
    [...names(await scrape(make("flat")))].filter((name) => name.startsWith("go_")),
    [],
  );
});

test("buckets are kube-proxy's and client-go's", async () => {
  const metrics = make("flat");
  metrics.apiRequest({ verb: "GET", code: "200", host: "h", seconds: 1, requestBytes: 0 });
  const series = await scrape(metrics);
  const bounds = (name: string) =>
    [...series.keys()]
      .filter((each) => each.startsWith(`${name}_bucket{`) && !each.includes('"IPv6"'))
      .map((each) => Number(/le="([^"]+)"/.exec(each)?.[1]?.replace("+Inf", "Infinity")));
  const sync = bounds("kubeproxy_sync_proxy_rules_duration_seconds");
  assert.is(sync.length, 16);
  assert.equal([sync[0], sync[14], sync[15]], [0.001, 16.384, Number.POSITIVE_INFINITY]);
  const programming = bounds("kubeproxy_network_programming_duration_seconds");
  assert.equal(programming.slice(0, 5), [0, 0.25, 0.5, 1, 2]);
  assert.equal(programming.slice(-9, -1), [115, 120, 150, 180, 210, 240, 270, 300]);
  assert.equal(
    bounds("rest_client_request_duration_seconds").slice(0, -1),
    [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60],
  );
});

test("changes wait until a sync takes them up", async () => {
  const metrics = make("flat");
  metrics.changes("service", 2);
  metrics.changes("endpoint-slice", 5);
  let series = await scrape(metrics);
  assert.is(series.get("kubeproxy_sync_proxy_rules_service_changes_pending"), 2);
  assert.is(series.get("kubeproxy_sync_proxy_rules_endpoint_changes_pending"), 5);
  metrics.changesTaken();
  metrics.changes("endpoint-slice", 1);
  series = await scrape(metrics);
  assert.is(series.get("kubeproxy_sync_proxy_rules_service_changes_pending"), 0);
  assert.is(series.get("kubeproxy_sync_proxy_rules_endpoint_changes_pending"), 1);
  assert.is(series.get("kubeproxy_sync_proxy_rules_endpoint_changes_total"), 6);
});

test("full and partial syncs, and how long changes of endpoints took", async () => {
  const metrics = make("flat");
  metrics.synced("ipv4", 0.5, true, { bytes: 4096 });
  metrics.synced("ipv4", 0.01, false, { bytes: 300 });
  metrics.programmed("ipv4", [T0 - 1500, T0 + 50]);
  metrics.eventToKernel("ipv4", 0.002);
  const series = await scrape(metrics);
  const family = '{ip_family="IPv4"}';
  assert.is(series.get(`kubeproxy_sync_proxy_rules_duration_seconds_count${family}`), 2);
  assert.is(series.get(`kubeproxy_sync_full_proxy_rules_duration_seconds_sum${family}`), 0.5);
  assert.is(series.get(`kubeproxy_sync_partial_proxy_rules_duration_seconds_sum${family}`), 0.01);
  assert.is(series.get(`kubeproxy_sync_proxy_rules_last_timestamp_seconds${family}`), T0 / 1000);
  assert.is(series.get(`kubeproxy_network_programming_duration_seconds_sum${family}`), 1.5, "clocks that differ: 0");
  assert.is(series.get(`sluice_plan_bytes_sum${family}`), 4396);
  assert.is(series.get(`sluice_event_to_kernel_seconds_count${family}`), 1);
});

test("ours: drift, waves, staleness, memory, restarts, refused objects, children", async () => {
  const metrics = make("flat", {
    watches: () => [
      { resource: "services", staleSeconds: 12, alive: true },
      { resource: "nodes", staleSeconds: undefined, alive: false },
    ],
    engineMemoryBytes: () => 65_536,
  });
  metrics.drift("ipv6", { missing: 1, changed: 2, extra: 3, names: ["x"], rebuilt: true });
  metrics.waveProgress("ipv4", 1, 4);
  metrics.waveProgress("ipv6", 0, 0);
  metrics.firstWave(0.18);
  metrics.engineRestarted();
  metrics.refused("kernel", 2);
  const series = await scrape(metrics);
  const expected: Record<string, number> = {
    'sluice_drift_total{ip_family="IPv6",kind="missing"}': 1,
    'sluice_drift_total{ip_family="IPv6",kind="changed"}': 2,
    'sluice_drift_total{ip_family="IPv6",kind="extra"}': 3,
    'sluice_drift_total{ip_family="IPv6",kind="rebuilt"}': 1,
    'sluice_drift_total{ip_family="IPv4",kind="missing"}': 0,
    'sluice_wave_progress_ratio{ip_family="IPv4"}': 0.25,
    'sluice_wave_progress_ratio{ip_family="IPv6"}': 1,
    sluice_first_wave_seconds: 0.18,
    'sluice_staleness_seconds{resource="services"}': 12,
    'sluice_watch_alive{resource="services"}': 1,
    'sluice_watch_alive{resource="nodes"}': 0,
    sluice_engine_memory_bytes: 65_536,
    sluice_engine_restarts_total: 1,
    'sluice_refused_objects{by="kernel"}': 2,
  };
  for (const [name, value] of Object.entries(expected)) assert.is(series.get(name), value, name);
  assert.is(series.get('sluice_staleness_seconds{resource="nodes"}'), undefined, "never heard");
});

test("one desired state at a time, and no series that grow with what the cluster says", async () => {
  const metrics = make("flat");
  for (let hash = 0n; hash < 100n; hash++) {
    metrics.counted({ services: 0, endpointSlices: 0, ipv4: noTotals, ipv6: noTotals, stateHash: hash });
  }
  const hashes = [...(await scrape(metrics)).keys()].filter((each) => each.startsWith("sluice_desired_state_info"));
  assert.equal(hashes, ['sluice_desired_state_info{hash="0000000000000063"}']);
});

test("process metrics tell this process", async () => {
  const series = await scrape(make("flat", { now: Date.now }));
  const started = series.get("process_start_time_seconds") ?? 0;
  assert.ok(Math.abs(started - (Date.now() / 1000 - process.uptime())) < 5);
  assert.ok((series.get("process_resident_memory_bytes") ?? 0) > 1e6);
  assert.ok((series.get("process_open_fds") ?? 0) > 2);
  assert.ok((series.get("process_cpu_seconds_total") ?? 0) > 0);
  assert.ok((series.get("process_virtual_memory_max_bytes") ?? 0) > 1e6);
  const received = /^IpExt: (?:\d+ ){6}(\d+) /m.exec(readFileSync("/proc/net/netstat", "latin1"))?.[1];
  assert.ok((series.get("process_network_receive_bytes_total") ?? 0) <= Number(received));
  assert.is((series.get("process_network_receive_bytes_total") ?? 0) > 0, Number(received) > 0);
});

test.run();
