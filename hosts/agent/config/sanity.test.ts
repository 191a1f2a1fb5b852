import { test } from "uvu";
import * as assert from "uvu/assert";
import { type AgentConfig, parseAgentConfig } from "./agent-config.ts";
import { checkSanity, type NodeFacts } from "./sanity.ts";

const head = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";
const both: NodeFacts = { primaryFamily: "ipv4", families: ["ipv4", "ipv6"], nodeIps: ["10.0.0.1"], podCidrs: [] };
const ipv4: NodeFacts = { ...both, families: ["ipv4"] };
const ipv6: NodeFacts = { primaryFamily: "ipv6", families: ["ipv6"], nodeIps: ["fd00::1"], podCidrs: [] };

const cases: [yaml: string, facts: NodeFacts, expected: string[]][] = [
  ["", both, []],
  ["mode: iptables", both, ["warning nodePortAddresses"]],
  ["mode: iptables\nnodePortAddresses: [primary]", both, []],
  ["nodePortAddresses: [10.0.0.0/8]", both, []],
  ["nodePortAddresses: [10.0.0.0/8]", { ...both, nodeIps: ["10.0.0.1", "fd00::1"] }, ["warning nodePortAddresses"]],
  ["nodePortAddresses: [10.0.0.0/8]", { ...both, podCidrs: ["10.0.0.0/8", "fd00::/8"] }, ["warning nodePortAddresses"]],
  ["nodePortAddresses: [10.0.0.0/8]\nclusterCIDR: 10.0.0.0/8,fd00::/8", both, ["warning nodePortAddresses"]],
  ["nodePortAddresses: [10.0.0.0/8, localhost]\nclusterCIDR: 10.0.0.0/8,fd00::/8", both, []],
  ["nodePortAddresses: ['fd00::/8']", both, ["warning nodePortAddresses"]],
  ["clusterCIDR: 10.0.0.0/8", both, []],
  ["clusterCIDR: fd00::/8", both, ["warning clusterCIDR"]],
  ["clusterCIDR: fd00::/8", ipv4, ["error clusterCIDR"]],
  ["clusterCIDR: 10.0.0.0/8,fd00::/8", ipv4, []],
  ["detectLocalMode: NodeCIDR", { ...ipv4, podCidrs: ["fd00::/64"] }, ["error detectLocalMode"]],
  ["detectLocalMode: NodeCIDR", { ...ipv4, podCidrs: ["10.0.0.0/24"] }, []],
  ["detectLocalMode: NodeCIDR", { ...both, podCidrs: ["fd00::/64"] }, []],
  ["", ipv6, ["warning healthzBindAddress", "warning metricsBindAddress"]],
  ["bindAddress: '::'", ipv6, []],
];

for (const [yaml, facts, expected] of cases) {
  test(`${yaml.replaceAll("\n", "; ") || "defaults"} on ${facts.families.join("+")} ${[...facts.nodeIps, ...facts.podCidrs]}: ${expected.join(", ") || "fine"}`, () => {
    const { config } = parseAgentConfig({ name: "c", bytes: new TextEncoder().encode(head + yaml) });
    const found = checkSanity(config as AgentConfig, facts);
    assert.equal(
      found.map(({ severity, field }) => `${severity} ${field}`),
      expected,
    );
    assert.ok(found.every(({ hint }) => hint !== ""));
  });
}

test.run();
