// The real files of /proc/sys, in a network namespace.
import * as assert from "uvu/assert";
import { type AgentConfig, parseAgentConfig } from "../config/agent-config.ts";
import { inNamespaces } from "../netlink/testing/namespace.ts";
import { applyConntrackSettings, readTcpBeLiberal } from "./conntrack-settings.ts";
import { applyRouteLocalnet } from "./route-localnet.ts";
import { settingDiagnostics, thisMachine } from "./setting.ts";
import { ensureSysctl, readSysctl } from "./sysctl.ts";

const configOf = (yaml: string): AgentConfig => {
  const text = `apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: iptables\n${yaml}`;
  return parseAgentConfig({ name: "c", bytes: new TextEncoder().encode(text) }).config as AgentConfig;
};

inNamespaces(import.meta.url, ["root", "user"], (test) => {
  test("route_localnet is switched on, once", async () => {
    const [first] = await applyRouteLocalnet(configOf(""), thisMachine);
    assert.equal([first?.found, first?.action], [0, "written"]);
    assert.is(await readSysctl(thisMachine, "net.ipv4.conf.all.route_localnet"), 1);
    const [again] = await applyRouteLocalnet(configOf(""), thisMachine);
    assert.equal([again?.found, again?.action], [1, "kept"]);
  });

  test("a value that the kernel does not take is told", async () => {
    const wish = { name: "net.ipv4.ip_default_ttl", wanted: 0, hint: "use 1 to 255" };
    const { action, reason, hint } = await ensureSysctl(thisMachine, wish);
    assert.equal([action, hint], ["refused", "use 1 to 255"]);
    assert.match(reason, /EINVAL/);
  });

  test("what belongs to the whole machine is told as not permitted, what to the namespace is written", async () => {
    const before = await readSysctl(thisMachine, "net.netfilter.nf_conntrack_max");
    if (before === undefined) return assert.is(await readTcpBeLiberal(thisMachine), false);
    const yaml = `conntrack: {maxPerCore: 1, min: ${before + 1}, tcpBeLiberal: true, udpTimeout: 17s, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}`;
    assert.is(await readTcpBeLiberal(thisMachine), false);
    const found = await applyConntrackSettings(configOf(yaml), thisMachine);
    assert.equal(
      found.map(({ name, action }) => [name, action]),
      [
        ["net.netfilter.nf_conntrack_max", "not permitted"],
        ["net.netfilter.nf_conntrack_udp_timeout", "written"],
        ["net.netfilter.nf_conntrack_tcp_be_liberal", "written"],
      ],
    );
    const [warning] = settingDiagnostics(found);
    assert.equal([warning?.severity, warning?.code], ["warning", "setting-not-permitted"]);
    assert.match(warning?.hint ?? "", /maxPerCore: 0/);
    assert.is(await readSysctl(thisMachine, "net.netfilter.nf_conntrack_udp_timeout"), 17);
    assert.is(await readSysctl(thisMachine, "net.netfilter.nf_conntrack_max"), before);
    assert.is(await readTcpBeLiberal(thisMachine), true);
    const again = await applyConntrackSettings(configOf(yaml), thisMachine);
    assert.equal(
      again.map(({ action }) => action),
      ["not permitted", "kept", "kept"],
    );
  });
});
