// Fields that are accepted and have no effect in an agent, each with the reason. Default values are not reported: kubeadm writes
// every field.
import { type RawConfig, valueAt } from "../../shared/config/raw.ts";
import { matters, type Say } from "../../shared/config/sections.ts";

const protobuf = "application/vnd.kubernetes.protobuf";

/** Field, values besides empty, zero and false that say nothing, and why it has no effect. */
const fields: readonly [field: string, defaults: readonly unknown[], why: string][] = [
  ["clientConnection.acceptContentTypes", ["application/json"], "the API server is always asked for JSON"],
  ["clientConnection.contentType", [protobuf, "application/json"], "the API server is always asked for JSON"],
  ["enableProfiling", [], "there is no /debug/pprof; --debug-socket shows what the agent knows"],
  ["showHiddenMetricsForVersion", [], "no metric is hidden"],
  ["logging.vmodule", [], "verbosity is the same for all files"],
  ["logging.flushFrequency", ["5s", 5e9], "lines are written at once"],
  ["logging.options.text.splitStream", [], "all lines go to standard output"],
  ["logging.options.json.splitStream", [], "all lines go to standard output"],
  ["logging.options.text.infoBufferSize", [], "lines are written at once"],
  ["logging.options.json.infoBufferSize", [], "lines are written at once"],
  ["configSyncPeriod", ["15m"], "nothing is handed out twice; the kernel is checked every syncPeriod"],
  ["portRange", [], "no ports are opened for Services; kube-proxy ignores it too"],
  ["windowsRunAsService", [], "it is for Windows"],
];

const ipvsDefaults: Readonly<Record<string, readonly unknown[]>> = {
  syncPeriod: ["30s"],
  minSyncPeriod: ["1s"],
  scheduler: ["rr"],
};

export function reportWithoutEffect(raw: RawConfig, say: Say): void {
  const warn = (field: string, why: string) => say("warning", field, "no-effect", `has no effect: ${why}`);
  for (const [field, defaults, why] of fields) {
    if (matters(valueAt(raw, field), defaults)) warn(field, why);
  }
  for (const [name, value] of Object.entries(raw.ipvs ?? {})) {
    if (matters(value, ipvsDefaults[name])) warn(`ipvs.${name}`, "ipvs is not supported");
  }
  for (const [name, value] of Object.entries(raw.winkernel ?? {})) {
    if (matters(value)) warn(`winkernel.${name}`, "it is for Windows");
  }
}
