// An agent that starts while its Node is deleted, in the kernel of a network namespace: node ports answer where rules have let them.
import * as assert from "uvu/assert";
import { newEngine } from "../../../fixtures/support/engine.ts";
import {
  applyJson,
  defaultOptions,
  listOf,
  makeNode,
  makeService,
  makeSlice,
} from "../../../fixtures/support/engine-tests.ts";
import { testNeeding } from "../../../fixtures/support/needing.ts";
import type { Mode } from "../../shared/contract.ts";
import { joinPieces } from "../../shared/engine.ts";
import { type AgentConfig, parseAgentConfig } from "../config/agent-config.ts";
import { flushAll, lackingLegacy, prepareNode, shell } from "../kernel/testing/node.ts";
import type { KernelWriter } from "../kernel/writer.ts";
import { IptablesWriter } from "../kernel/writers/iptables-writer.ts";
import { openNetlinkWriter } from "../kernel/writers/netlink-writer.ts";
import { inNamespaces } from "../netlink/testing/namespace.ts";
import { type LastNode, recallNode } from "./last-node.ts";

const primary = ["192.0.2.7", "2001:db8::7"];
const interfaceAddresses = ["127.0.0.1", "::1", "10.1.2.3", "192.0.2.1", ...primary];
const node = makeNode("node-a", { ips: primary });
const objects = [makeService("x/a", { type: "NodePort", nodePort: 30_001 }), makeSlice("x/a-1", "a", ["10.0.0.1"])];

function configOf(mode: Mode, nodePortAddresses: readonly string[]): AgentConfig {
  const text = JSON.stringify({
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode,
    nodePortAddresses,
  });
  return parseAgentConfig({ name: "c.yaml", bytes: new TextEncoder().encode(text) }).config as AgentConfig;
}

/** The rules of both families as text, with the Node there or as it was known last. */
function rules(mode: Mode, nodePortAddresses: string[], last?: LastNode): string[] {
  const engine = newEngine();
  assert.equal(engine.configure({ ...defaultOptions(mode), nodePortAddresses, interfaceAddresses }), []);
  applyJson(engine, listOf(objects));
  engine.keepLastNode();
  if (last === undefined) applyJson(engine, node);
  else if (last.said !== undefined) {
    for (const json of last.said) engine.apply(json);
    engine.node();
    engine.beginList("node");
    engine.endList("node");
  }
  const text = (family: "ipv4" | "ipv6") => new TextDecoder().decode(joinPieces(engine.render(family)));
  return [text("ipv4"), text("ipv6")];
}

async function openWriter(mode: Mode): Promise<KernelWriter> {
  const opened = mode === "iptables" ? await IptablesWriter.open() : await openNetlinkWriter(mode);
  if (opened.outcome !== "opened") throw new Error(opened.message);
  return opened.writer;
}

inNamespaces(import.meta.url, ["user"], (test) => {
  test.before(prepareNode);
  test.after.each(flushAll);

  const loads = {
    nf_tables: ([ipv4, ipv6]: string[], mode: Mode) => {
      if (mode !== "iptables") return shell("nft -f -", `${ipv4}${ipv6}`);
      shell("iptables-nft-restore --noflush", ipv4);
      return shell("ip6tables-nft-restore --noflush", ipv6);
    },
    "legacy tables": ([ipv4, ipv6]: string[]) => {
      shell("iptables-legacy-restore --noflush", ipv4);
      return shell("ip6tables-legacy-restore --noflush", ipv6);
    },
  };

  for (const [mode, where] of [
    ["flat", "nf_tables"],
    ["nftables", "nf_tables"],
    ["iptables", "nf_tables"],
    ["iptables", "legacy tables"],
  ] as const) {
    const lacking = where === "legacy tables" ? lackingLegacy() : "";
    testNeeding(
      test,
      `${mode} in ${where}: the rules of a Node that is deleted stay as they are`,
      lacking,
      async () => {
        for (const nodePortAddresses of [
          ["primary"],
          ["10.0.0.0/8", "primary", "2001:db8::/64"],
          ["primary", "localhost"],
        ]) {
          const before = rules(mode, nodePortAddresses);
          loads[where](before, mode);
          const writer = await openWriter(mode);
          const last: LastNode = {};
          assert.equal(await recallNode(last, "node-a", configOf(mode, nodePortAddresses), writer), primary);
          assert.equal(rules(mode, nodePortAddresses, last), before);
          assert.is.not(rules(mode, nodePortAddresses, {}).join(), before.join(), "without it they would be others");
          await writer.close();
          flushAll();
        }
      },
    );
  }

  test("nothing is recalled that is known already, that nobody asks for, or that is not there", async () => {
    const [ipv4 = "", ipv6 = ""] = rules("flat", ["primary"]);
    const writer = await openWriter("flat");
    const recall = (nodePortAddresses: string[], last: LastNode = {}) =>
      recallNode(last, "node-a", configOf("flat", nodePortAddresses), writer);
    assert.equal(await recall([]), []);
    shell("nft -f -", `${ipv4}${ipv6}`);
    assert.equal(await recall([]), primary, "it is the default");
    assert.equal(await recall(["192.0.2.0/24"]), []);
    const last = { said: [new Uint8Array()] };
    assert.equal([await recall(["primary"], last), last.said.length], [[], 1]);
    await writer.close();
  });
});
