import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Diagnostic } from "../../shared/diagnostics.ts";
import type { AgentConfig } from "./agent-config.ts";
import { type AgentCommand, type AgentSettings, parseAgentCommand } from "./command.ts";
import { isSwitch } from "./command-line.ts";
import { flags } from "./flags.ts";
import { agentHelp } from "./help.ts";

const head = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";

function parse(argv: string[], files: Record<string, string> = {}, hostname = "Host.Example ") {
  return parseAgentCommand(argv, {
    hostname,
    readFile(path) {
      const text = files[path];
      if (text === undefined) throw Object.assign(new Error("ENOENT"), { code: "ENOENT" });
      return new TextEncoder().encode(text);
    },
  });
}

type Settings = Exclude<AgentCommand, { action: "help" | "version" }>;

function settings(argv: string[], files: Record<string, string> = {}): Settings {
  const { command, diagnostics } = parse(argv, files);
  assert.ok(command !== undefined, JSON.stringify(diagnostics));
  return command as Settings;
}

const errors = (found: Diagnostic[]) => found.filter(({ severity }) => severity === "error");
const config = (...argv: string[]): AgentConfig => settings(argv).config;

const spellings: [argv: string[], get: (found: AgentConfig) => unknown, expected: unknown][] = [
  [["--proxy-mode=iptables"], ({ mode }) => mode, "iptables"],
  [["--proxy-mode", "iptables"], ({ mode }) => mode, "iptables"],
  [["--proxy_mode", "iptables"], ({ mode }) => mode, "iptables"],
  [["--proxy-mode=iptables", "--proxy-mode=nftables"], ({ mode }) => mode, "nftables"],
  [["--bind-address-hard-fail"], ({ bindAddressHardFail }) => bindAddressHardFail, true],
  [["--bind-address-hard-fail=false"], ({ bindAddressHardFail }) => bindAddressHardFail, false],
  [["--bind-address-hard-fail=T"], ({ bindAddressHardFail }) => bindAddressHardFail, true],
  [["-v", "4"], ({ logging }) => logging.verbosity, 4],
  [["-v=4"], ({ logging }) => logging.verbosity, 4],
  [["-v4"], ({ logging }) => logging.verbosity, 4],
  [["--v=4"], ({ logging }) => logging.verbosity, 4],
  [["--v", "4"], ({ logging }) => logging.verbosity, 4],
  [["--logging-format=json"], ({ logging }) => logging.format, "json"],
  [["--oom-score-adj", "-500"], ({ oomScoreAdj }) => oomScoreAdj, -500],
  [["--kube-api-qps=0.5"], ({ qps }) => qps, 0.5],
  [["--kube-api-burst=7"], ({ burst }) => burst, 7],
  [["--kubeconfig=/k"], ({ kubeconfig }) => kubeconfig, "/k"],
  [
    ["--nodeport-addresses=primary,10.0.0.0/8", "--nodeport-addresses=all"],
    ({ rules }) => rules.nodePortAddresses,
    ["primary", "10.0.0.0/8", "all"],
  ],
  [["--masquerade-all"], ({ rules }) => [rules.masquerade.iptables.all, rules.masquerade.flat.all], [true, true]],
  [["--iptables-sync-period=1m"], ({ syncPeriodMs }) => syncPeriodMs, 60_000],
  [["--iptables-min-sync-period=2s"], ({ minSyncPeriodMs }) => minSyncPeriodMs, 2000],
  [["--proxy-mode=iptables"], ({ minSyncPeriodMs }) => minSyncPeriodMs, 1000],
  [["--proxy-mode=iptables", "--iptables-min-sync-period=0"], ({ minSyncPeriodMs }) => minSyncPeriodMs, 0],
  [["--proxy-mode=iptables", "--iptables-localhost-nodeports=false"], ({ rules }) => rules.localhostNodePorts, false],
  [["--conntrack-tcp-be-liberal"], ({ rules }) => rules.conntrackTcpBeLiberal, true],
  [["--conntrack-udp-timeout-stream=3m"], ({ conntrack }) => conntrack.udpStreamTimeoutSeconds, 180],
  [
    ["--feature-gates=NFTablesProxyMode=true,AllBeta=false"],
    ({ featureGates }) => featureGates,
    { NFTablesProxyMode: true, AllBeta: false },
  ],
  [["--healthz-port=0"], ({ healthzBindAddress }) => healthzBindAddress, undefined],
  [["--metrics-port=0"], ({ metricsBindAddress }) => metricsBindAddress, undefined],
  [["--metrics-bind-address="], ({ metricsBindAddress }) => metricsBindAddress, undefined],
  [
    ["--healthz-bind-address=10.0.0.1", "--healthz-port=99"],
    ({ healthzBindAddress }) => healthzBindAddress,
    { host: "10.0.0.1", port: 99 },
  ],
  [
    ["--healthz-bind-address=::1", "--healthz-port=99"],
    ({ healthzBindAddress }) => healthzBindAddress,
    { host: "::1", port: 99 },
  ],
  [["--healthz-port=99"], ({ healthzBindAddress }) => healthzBindAddress, { host: "0.0.0.0", port: 10256 }],
];

for (const [argv, get, expected] of spellings) {
  test(`${argv.join(" ")} is understood`, () => assert.equal(get(config(...argv)), expected));
}

test("a flag that takes a value takes the next argument, whatever it looks like", () => {
  assert.is(settings(["--debug-socket", "--cleanup"]).debugSocket, "--cleanup");
});

const actions: [argv: string[], action: string][] = [
  [[], "run"],
  [[""], "run"],
  [["--cleanup"], "cleanup"],
  [["--cleanup=false"], "run"],
  [["--init-only"], "init-only"],
  [["--check"], "check"],
  [["--write-config-to=/x", "--cleanup"], "write-config"],
  [["--version"], "version"],
  [["--version=raw"], "version"],
  [["--help", "--oom-score-adj=x"], "help"],
  [["-h"], "help"],
];

for (const [argv, action] of actions) {
  test(`${JSON.stringify(argv)} is ${action}`, () => assert.is(parse(argv).command?.action, action));
}

test("what does not belong to the configuration", () => {
  const found = settings([
    "--master=https://a:6443",
    "--conntrack-dry-run",
    "--debug-socket=/run/d",
    "--write-config-to=/w",
  ]);
  const { master, conntrackDryRun, debugSocket, writeConfigTo, hostname, configFile } = found;
  assert.equal(
    { master, conntrackDryRun, debugSocket, writeConfigTo, hostname, configFile },
    {
      master: "https://a:6443",
      conntrackDryRun: true,
      debugSocket: "/run/d",
      writeConfigTo: "/w",
      hostname: "host.example",
      configFile: undefined,
    },
  );
});

test("whom a cleanup waits for, and how long", () => {
  assert.equal(settings(["--cleanup"]).cleanup, { timeoutMs: 300_000, evenIfNothingTakesOver: false });
  const found = settings(["--cleanup", "--timeout=90s", "--even-if-nothing-takes-over"]);
  assert.equal(found.cleanup, { timeoutMs: 90_000, evenIfNothingTakesOver: true });
});

test("the node's name: flag, file, host", () => {
  const files = { c: `${head}hostnameOverride: FILE\n`, d: head };
  const name = (...argv: string[]) => (settings(argv, files) as AgentSettings).hostname;
  assert.is(name(), "host.example");
  assert.is(name("--hostname-override= Flag "), "flag");
  assert.is(name("--config=c"), "file");
  assert.is(name("--config=c", "--hostname-override=flag"), "flag");
  assert.is(name("--config=d"), "host.example");
  assert.equal(
    errors(parse(["--hostname-override=  "]).diagnostics).map(({ code, field }) => [code, field]),
    [["hostname-blank", "--hostname-override"]],
  );
  assert.equal(
    errors(parse([], {}, " ").diagnostics).map(({ code }) => code),
    ["hostname-empty"],
  );
});

test("beside a file only some flags count, and the others say so", () => {
  const files = { c: `${head}mode: iptables\nlogging: {verbosity: 1, format: json}\n` };
  const argv = ["--config", "c", "--proxy-mode=flat", "--healthz-port=0", "-v=5", "--master=https://m"];
  const { command, diagnostics } = parse(argv, files);
  const found = command as Settings;
  assert.equal(
    [found.config.mode, found.config.logging.verbosity, found.config.logging.format],
    ["iptables", 5, "json"],
  );
  assert.ok(found.config.healthzBindAddress !== undefined);
  assert.is(found.master, "https://m");
  assert.is(new TextDecoder().decode(found.configContent), files.c);
  assert.equal(
    found.flagsBesideFile.map(({ flag, value }) => [flag, value]),
    [["-v", 5]],
  );
  assert.equal(
    diagnostics.map(({ severity, code, field }) => [severity, code, field]),
    [
      ["warning", "ignored-flag", "--proxy-mode"],
      ["warning", "ignored-flag", "--healthz-port"],
    ],
  );
});

const refused: [argv: string[], code: string, field: string][] = [
  [["run"], "arguments", ""],
  [["--", "x"], "arguments", ""],
  [["--proxy-mod=iptables"], "unknown-flag", ""],
  [["--proxy-mode"], "flag-value", ""],
  [["--proxy-mode=ipvs"], "mode-ipvs", "--proxy-mode"],
  [["--oom-score-adj=x"], "wrong-type", "--oom-score-adj"],
  [["--oom-score-adj=5000"], "out-of-range", "--oom-score-adj"],
  [["--kube-api-qps="], "wrong-type", "--kube-api-qps"],
  [["--bind-address-hard-fail=maybe"], "wrong-type", "--bind-address-hard-fail"],
  [["--check=maybe"], "wrong-type", "--check"],
  [["--timeout=5"], "wrong-type", "--timeout"],
  [["--timeout=-1s"], "wrong-type", "--timeout"],
  [["--conntrack-udp-timeout=5"], "wrong-type", "--conntrack-udp-timeout"],
  [["--iptables-sync-period=-1s"], "negative-duration", "--iptables-sync-period"],
  [["--masquerade-all=x"], "wrong-type", "--masquerade-all"],
  [["--iptables-sync-period=0s"], "sync-period", "--iptables-sync-period"],
  [["--proxy-mode=iptables", "--iptables-sync-period=0s"], "sync-period", "--iptables-sync-period"],
  [["--config-sync-period=0"], "sync-period", "--config-sync-period"],
  [["--feature-gates=AllBeta"], "wrong-type", "--feature-gates"],
  [["--nodeport-addresses=a"], "invalid-cidr", "--nodeport-addresses"],
  [["--healthz-port=70000"], "out-of-range", "--healthz-port"],
  [["--metrics-bind-address=:1"], "listen-address", "--metrics-bind-address"],
  [["--config=none"], "unreadable-file", ""],
];

for (const [argv, code, field] of refused) {
  test(`${argv.join(" ")} is refused`, () => {
    const { command, diagnostics } = parse(argv);
    assert.is(command, undefined);
    assert.equal(
      errors(diagnostics).map((found) => [found.code, found.field]),
      [[code, field]],
    );
  });
}

test("of --feature-gates each that has no effect is named, and none ends the agent", () => {
  const gates =
    "HPAScaleToZero=true,NoSuchThing=true,AllowServiceExternalIP=false,IPv6DualStack=false,AllowServiceExternalIPs=false";
  const { command, diagnostics } = parse([`--feature-gates=${gates}`]);
  assert.is((command as Settings | undefined)?.config.rules.allowServiceExternalIps, false);
  const said = diagnostics.filter(({ field }) => field === "--feature-gates");
  assert.equal(
    said.map(({ severity, code, message }) => [
      severity,
      code,
      /\b[A-Z]+[A-Za-z0-9]{6,}s?\b(?=$| has)/.exec(message.replace("Kubernetes", ""))?.[0],
    ]),
    [
      ["warning", "no-effect", "HPAScaleToZero"],
      ["warning", "unknown-feature-gate", "NoSuchThing"],
      ["warning", "unknown-feature-gate", "AllowServiceExternalIP"],
      ["warning", "no-effect", "IPv6DualStack"],
    ],
  );
  assert.match(said[2]?.hint ?? "", "AllowServiceExternalIPs");
});

test("all that is wrong is said at once, and near misses are named", () => {
  const { diagnostics } = parse(["--oom-score-adj=x", "--proxy-mode=ipvs", "--clean-up", "y"]);
  assert.equal(
    errors(diagnostics)
      .map(({ code }) => code)
      .sort(),
    ["arguments", "mode-ipvs", "unknown-flag", "wrong-type"],
  );
  assert.match(diagnostics.find(({ code }) => code === "unknown-flag")?.hint ?? "", "--cleanup");
});

/** A value that is not the default, by type. */
function example(name: string): string {
  const values: Record<string, string> = {
    "proxy-mode": "iptables",
    "detect-local-mode": "NodeCIDR",
    "feature-gates": "AllBeta=true",
    "bind-address": "10.0.0.1",
    "logging-format": "json",
    "cluster-cidr": "10.0.0.0/8",
    "nodeport-addresses": "10.0.0.0/8",
    "healthz-bind-address": "10.0.0.1:1",
    "metrics-bind-address": "10.0.0.1:1",
    vmodule: "a=1",
    config: "c",
  };
  const byName = values[name];
  if (byName !== undefined) return byName;
  return /period|timeout|frequency/.test(name) ? "25s" : "17";
}

test("every flag is accepted, and those without effect say why", () => {
  const meaningful = flags.filter(({ name }) => name !== "help" && name !== "version");
  for (const flag of meaningful) {
    const text = isSwitch(flag) ? `--${flag.name}` : `--${flag.name}=${example(flag.name)}`;
    const { command, diagnostics } = parse([text], { c: head });
    assert.ok(command !== undefined, `${text}: ${JSON.stringify(diagnostics)}`);
    if (flag.group !== "Accepted, without effect") continue;
    const warned = diagnostics.filter(({ code }) => code === "no-effect").map(({ field }) => field);
    assert.equal(warned, [`--${flag.name}`], text);
  }
  assert.ok(meaningful.length > 70);
});

test("the help names every flag once", () => {
  const lines = agentHelp().split("\n");
  for (const { name } of flags) {
    const naming = lines.filter(
      (line) => line.slice(3).split(" ")[0] === (name.length === 1 ? `-${name}` : `--${name}`),
    );
    assert.is(naming.length, 1, name);
  }
});

test.run();
