// Every flag of kube-proxy, and ours: what it sets, and in a few words what it is for.

export type FlagGroup =
  | "What to do"
  | "Configuration"
  | "API server"
  | "Rules"
  | "Servers"
  | "This machine"
  | "Logs"
  | "Accepted, without effect";

export interface Flag {
  /** Without dashes in front. */
  readonly name: string;
  readonly group: FlagGroup;
  readonly help: string;
  /** Fields of KubeProxyConfiguration that it sets. Their type is the flag's. */
  readonly fields?: readonly string[];
  /** Type of a flag that sets no field. */
  readonly type?: "bool" | "string";
  /** Has its meaning beside --config too. kube-proxy ignores all other flags then. */
  readonly besideFile?: true;
}

const flag = (group: FlagGroup, name: string, field: string, help: string, more: Partial<Flag> = {}): Flag => ({
  name,
  group,
  help,
  fields: [field],
  ...more,
});
const own = (group: FlagGroup, name: string, type: "bool" | "string", help: string): Flag => ({
  name,
  group,
  help,
  type,
  besideFile: true,
});
const besideFile = { besideFile: true } as const;
const none = "Accepted, without effect";

export const flags: readonly Flag[] = [
  own("What to do", "check", "bool", "say whether this node, its kernel and its permissions are fit, and exit"),
  own("What to do", "cleanup", "bool", "remove all rules that are ours, once kube-proxy has its own, and exit"),
  own("What to do", "timeout", "string", "so long --cleanup waits for kube-proxy (default 5m)"),
  own("What to do", "even-if-nothing-takes-over", "bool", "--cleanup waits for nobody: this node's last rules may go"),
  own("What to do", "init-only", "bool", "set what needs privilege (sysctls), and exit: for an init container"),
  own("What to do", "write-config-to", "string", "write the configuration in force to this file, and exit"),
  own("What to do", "version", "bool", "print the version, and exit"),
  own("What to do", "help", "bool", "print this"),

  own(
    "Configuration",
    "config",
    "string",
    "a KubeProxyConfiguration; reloaded when it changes. Most flags are ignored then",
  ),
  flag(
    "Configuration",
    "hostname-override",
    "hostnameOverride",
    "this node's name, where it is not the host's",
    besideFile,
  ),
  flag(
    "Configuration",
    "feature-gates",
    "featureGates",
    "Kubernetes', as Name=true,…: of them only AllowServiceExternalIPs=false has an effect",
  ),

  flag("API server", "kubeconfig", "clientConnection.kubeconfig", "where the API server is and who we are"),
  own("API server", "master", "string", "URL of the API server, instead of the kubeconfig's"),
  flag("API server", "kube-api-qps", "clientConnection.qps", "ordinary requests a second (default 5)"),
  flag("API server", "kube-api-burst", "clientConnection.burst", "how many of them at once (default 10)"),

  flag("Rules", "proxy-mode", "mode", "flat (default), nftables or iptables"),
  flag("Rules", "cluster-cidr", "clusterCIDR", "addresses of pods, one CIDR or one of each family"),
  flag(
    "Rules",
    "detect-local-mode",
    "detectLocalMode",
    "how this node's pods are told: ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix",
  ),
  flag("Rules", "pod-bridge-interface", "detectLocal.bridgeInterface", "the bridge of BridgeInterface"),
  flag("Rules", "pod-interface-name-prefix", "detectLocal.interfaceNamePrefix", "the prefix of InterfaceNamePrefix"),
  flag(
    "Rules",
    "bind-address",
    "bindAddress",
    "this node's address, where the Node object does not have the right one first",
  ),
  flag("Rules", "nodeport-addresses", "nodePortAddresses", "where node ports answer: CIDRs, primary, localhost, all"),
  {
    name: "masquerade-all",
    group: "Rules",
    help: "masquerade all traffic to cluster IPs",
    fields: ["iptables.masqueradeAll", "nftables.masqueradeAll"],
  },
  flag(
    "Rules",
    "iptables-masquerade-bit",
    "iptables.masqueradeBit",
    "bit of the packet mark in iptables mode (default 14)",
  ),
  flag(
    "Rules",
    "iptables-localhost-nodeports",
    "iptables.localhostNodePorts",
    "node ports on 127.0.0.1 in iptables mode (default true)",
  ),
  {
    name: "iptables-sync-period",
    group: "Rules",
    help: "time between full checks, in all modes (default 30s)",
    fields: ["iptables.syncPeriod", "nftables.syncPeriod"],
  },
  {
    name: "iptables-min-sync-period",
    group: "Rules",
    help: "least time between two writes, in all modes (default: none; iptables mode 1s)",
    fields: ["iptables.minSyncPeriod", "nftables.minSyncPeriod"],
  },

  flag(
    "Servers",
    "healthz-bind-address",
    "healthzBindAddress",
    "of /healthz, /livez, /readyz (default 0.0.0.0:10256); empty: none",
  ),
  flag("Servers", "metrics-bind-address", "metricsBindAddress", "of /metrics (default 127.0.0.1:10249); empty: none"),
  {
    name: "healthz-port",
    group: "Servers",
    type: "string",
    help: "deprecated: port of --healthz-bind-address; 0: no server",
  },
  {
    name: "metrics-port",
    group: "Servers",
    type: "string",
    help: "deprecated: port of --metrics-bind-address; 0: no server",
  },
  flag(
    "Servers",
    "bind-address-hard-fail",
    "bindAddressHardFail",
    "end when an address is taken, instead of trying again",
  ),
  own("Servers", "debug-socket", "string", "unix socket for /debug/*, readable by its owner only"),

  flag(
    "This machine",
    "conntrack-max-per-core",
    "conntrack.maxPerCore",
    "connections tracked, for each processor (default 32768); 0: leave it",
  ),
  flag("This machine", "conntrack-min", "conntrack.min", "and at least so many (default 131072)"),
  flag(
    "This machine",
    "conntrack-tcp-timeout-established",
    "conntrack.tcpEstablishedTimeout",
    "idle TCP connections (default 24h); 0: leave it",
  ),
  flag(
    "This machine",
    "conntrack-tcp-timeout-close-wait",
    "conntrack.tcpCloseWaitTimeout",
    "half-closed ones (default 1h); 0: leave it",
  ),
  flag("This machine", "conntrack-tcp-be-liberal", "conntrack.tcpBeLiberal", "let TCP packets outside the window pass"),
  flag("This machine", "conntrack-udp-timeout", "conntrack.udpTimeout", "unanswered UDP flows; 0: leave it"),
  flag("This machine", "conntrack-udp-timeout-stream", "conntrack.udpStreamTimeout", "answered UDP flows; 0: leave it"),
  own("This machine", "conntrack-dry-run", "bool", "say which stale flows would be removed, and remove none"),
  flag("This machine", "oom-score-adj", "oomScoreAdj", "the less, the later the kernel kills us (default -999)"),

  flag(
    "Logs",
    "v",
    "logging.verbosity",
    "how much to say: 0 (default) sums up what was written, 2 has each change, 4 how it went, 6 all",
    besideFile,
  ),
  flag("Logs", "logging-format", "logging.format", "text (default) or json", besideFile),

  flag(none, "config-sync-period", "configSyncPeriod", "nothing is handed out twice"),
  flag(none, "kube-api-content-type", "clientConnection.contentType", "always JSON"),
  flag(none, "profiling", "enableProfiling", "there is no /debug/pprof"),
  flag(none, "show-hidden-metrics-for-version", "showHiddenMetricsForVersion", "no metric is hidden"),
  flag(none, "proxy-port-range", "portRange", "no ports are opened for Services"),
  flag(none, "ipvs-exclude-cidrs", "ipvs.excludeCIDRs", "ipvs is not supported"),
  flag(none, "ipvs-min-sync-period", "ipvs.minSyncPeriod", "ipvs is not supported"),
  flag(none, "ipvs-scheduler", "ipvs.scheduler", "ipvs is not supported"),
  flag(none, "ipvs-strict-arp", "ipvs.strictARP", "ipvs is not supported"),
  flag(none, "ipvs-sync-period", "ipvs.syncPeriod", "ipvs is not supported"),
  flag(none, "ipvs-tcp-timeout", "ipvs.tcpTimeout", "ipvs is not supported"),
  flag(none, "ipvs-tcpfin-timeout", "ipvs.tcpFinTimeout", "ipvs is not supported"),
  flag(none, "ipvs-udp-timeout", "ipvs.udpTimeout", "ipvs is not supported"),
  flag(none, "enable-dsr", "winkernel.enableDSR", "for Windows"),
  flag(none, "forward-healthcheck-vip", "winkernel.forwardHealthCheckVip", "for Windows"),
  flag(none, "network-name", "winkernel.networkName", "for Windows"),
  flag(none, "root-hnsendpoint-name", "winkernel.rootHnsEndpointName", "for Windows"),
  flag(none, "source-vip", "winkernel.sourceVip", "for Windows"),
  flag(none, "windows-service", "windowsRunAsService", "for Windows"),
  flag(none, "vmodule", "logging.vmodule", "verbosity is the same for all files", besideFile),
  flag(none, "log-flush-frequency", "logging.flushFrequency", "lines are written at once", besideFile),
  flag(
    none,
    "log-json-info-buffer-size",
    "logging.options.json.infoBufferSize",
    "lines are written at once",
    besideFile,
  ),
  flag(
    none,
    "log-json-split-stream",
    "logging.options.json.splitStream",
    "all lines go to standard output",
    besideFile,
  ),
  flag(
    none,
    "log-text-info-buffer-size",
    "logging.options.text.infoBufferSize",
    "lines are written at once",
    besideFile,
  ),
  flag(
    none,
    "log-text-split-stream",
    "logging.options.text.splitStream",
    "all lines go to standard output",
    besideFile,
  ),
  own(none, "boot-id-file", "string", "the boot id is not read"),
  own(none, "machine-id-file", "string", "the machine id is not read"),
  own(none, "add-dir-header", "bool", "klog's; lines go to standard output"),
  own(none, "alsologtostderr", "bool", "klog's; lines go to standard output"),
  own(none, "log-backtrace-at", "string", "klog's; lines go to standard output"),
  own(none, "log-dir", "string", "klog's; lines go to standard output"),
  own(none, "log-file", "string", "klog's; lines go to standard output"),
  own(none, "log-file-max-size", "string", "klog's; lines go to standard output"),
  own(none, "logtostderr", "bool", "klog's; lines go to standard output"),
  own(none, "one-output", "bool", "klog's; lines go to standard output"),
  own(none, "skip-headers", "bool", "klog's; lines go to standard output"),
  own(none, "skip-log-headers", "bool", "klog's; lines go to standard output"),
  own(none, "stderrthreshold", "string", "klog's; lines go to standard output"),
];

/** `--proxy-mode`, `-v`. */
export function spelled(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}
