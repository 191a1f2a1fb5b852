// When the agent says what of this node's object and of its configuration.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { NodeView } from "../../shared/contract.ts";
import type { AgentConfig } from "../config/agent-config.ts";
import { parseAgentConfig } from "../config/agent-config.ts";
import { HealthState } from "../http/health-state.ts";
import { ManualClock } from "../time/testing/manual-clock.ts";
import { HazardReport } from "./hazard.ts";
import { HazardWatch } from "./hazard-watch.ts";

const test = suite("hazards of the agent");

const node = (known: boolean): NodeView => ({
  name: "worker-7",
  known,
  deleting: false,
  toBeDeleted: false,
  hasPodCidrs: false,
  zone: "",
  primaryFamily: "ipv4",
  ipv4: "192.0.2.7",
  ipv6: "::1",
});

function configOf(yaml: string): AgentConfig {
  const head = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: flat\n";
  return parseAgentConfig({ name: "c.yaml", bytes: new TextEncoder().encode(head + yaml) }).config as AgentConfig;
}

function watching(yaml: string) {
  const said: string[] = [];
  const say = (level: string) => (_: unknown, message?: string) => void said.push(`${level}: ${message}`);
  const health = new HealthState({ syncPeriodMs: 30_000 });
  let config = configOf(yaml);
  const watch = new HazardWatch({
    report: new HazardReport({ warn: say("warn"), info: say("info") } as never, health),
    config: () => config,
    clock: new ManualClock(),
    onFailure: () => {},
  });
  const warnings = (): string[] => JSON.parse(health.readyz().body).warnings ?? [];
  const configure = (other: string) => {
    config = configOf(other);
    watch.configured();
  };
  return { said, watch, warnings, configure };
}

test("a name that no Node has: said when it has been waited for, once, and taken back when there is one", () => {
  const { said, watch, warnings } = watching("");
  const unknown = { ...node(false), ipv4: "127.0.0.1" };
  watch.node(unknown, true);
  assert.equal(said, []);
  watch.node(unknown, false);
  watch.node(unknown, false);
  assert.is(said.length, 1);
  assert.match(
    said[0] ?? "",
    /^warn: no Node is called worker-7: no endpoint counts as local.* Local policy get no traffic/,
  );
  assert.match(warnings()[0] ?? "", /; give the Node's name with --hostname-override/);
  watch.node(node(true), false);
  assert.equal([warnings(), said.length], [[], 2]);
  watch.node(node(false), false);
  assert.match(
    warnings()[0] ?? "",
    /^Node worker-7 has been deleted: its last addresses \(192\.0\.2\.7\) stay in force/,
  );
});

test("no Node when the agent started, though rules had one's addresses: these are named", () => {
  const { said, watch } = watching("");
  watch.node({ ...node(false), ipv6: "2001:db8::7" }, false);
  assert.match(
    said[0] ?? "",
    /^warn: no Node is called worker-7 any more: .* answer where they did when the agent started \(192\.0\.2\.7 and 2001:db8::7\)$/,
  );
});

test("another configuration is looked at anew", () => {
  const { said, watch, warnings, configure } = watching("");
  watch.configured();
  configure("");
  assert.is(warnings().length, 1);
  assert.match(said.join(), /^warn: detectLocalMode is ClusterCIDR and clusterCIDR is empty[^,]*,[^,]*$/);
  configure("clusterCIDR: 10.244.0.0/16\n");
  assert.equal(warnings(), []);
  assert.match(said.at(-1) ?? "", /^info: no more: detectLocalMode/);
});

test.run();
