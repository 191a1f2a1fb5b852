// What others do in the real kernel, in a network namespace, and what is said about it.
import * as assert from "uvu/assert";
import { oracleCases } from "../../../fixtures/oracle/oracle.ts";
import { testNeeding } from "../../../fixtures/support/needing.ts";
import { joinPieces } from "../../shared/engine.ts";
import { type AgentConfig, parseAgentConfig } from "../config/agent-config.ts";
import { HealthState } from "../http/health-state.ts";
import { countElements } from "../kernel/listing/nft-listing.ts";
import { engineFor, flushAll, lackingLegacy, prepareNode, shell } from "../kernel/testing/node.ts";
import { NetlinkSocket } from "../netlink/sockets/socket.ts";
import { inNamespaces } from "../netlink/testing/namespace.ts";
import { AffinityWatch } from "./affinity.ts";
import { type Hazard, HazardReport, type HazardSource } from "./hazard.ts";
import { findKernelHazards } from "./kernel-hazards.ts";
import { clashes } from "./marks.ts";

function configOf(yaml: string): AgentConfig {
  const head = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";
  return parseAgentConfig({ name: "c.yaml", bytes: new TextEncoder().encode(head + yaml) }).config as AgentConfig;
}

async function found(source: HazardSource, yaml = "mode: flat\n"): Promise<readonly Hazard[]> {
  const config = configOf(yaml);
  return (await findKernelHazards(config, new AffinityWatch(config.mode))).get(source) ?? [];
}

const subjects = (hazards: readonly Hazard[]) => hazards.map(({ subject }) => subject);

inNamespaces(import.meta.url, ["user"], (test) => {
  test.before(prepareNode);
  test.after.each(flushAll);

  test("nobody else is there", async () => {
    for (const mode of ["flat", "nftables", "iptables"]) {
      const config = configOf(`mode: ${mode}\n`);
      const all = await findKernelHazards(config, new AffinityWatch(config.mode));
      assert.equal([...all.values()].flat(), [], mode);
    }
  });

  test("FORWARD with policy DROP: flat and nftables say so, and what to do; iptables mode has its own accept there", async () => {
    shell("iptables-nft -P FORWARD DROP; ip6tables-nft -P FORWARD DROP");
    shell(
      "nft add table inet fw; nft 'add chain inet fw through { type filter hook forward priority 0; policy drop; }'",
    );
    shell("nft 'add chain inet fw in { type filter hook input priority 0; policy drop; }'");
    const all = ["ip filter FORWARD", "ip6 filter FORWARD", "inet fw through"];
    assert.equal(subjects(await found("forwarding")), all);
    assert.equal(subjects(await found("forwarding", "mode: nftables\n")), all);
    assert.equal(await found("forwarding", "mode: iptables\n"), []);
    assert.match((await found("forwarding"))[1]?.hint ?? "", /^ip6tables -P FORWARD ACCEPT /);
    shell("iptables-nft -P FORWARD ACCEPT; ip6tables-nft -P FORWARD ACCEPT; nft delete table inet fw");
    assert.equal(await found("forwarding"), []);
  });

  testNeeding(test, "the same in legacy tables, which are not made by looking", lackingLegacy(), async () => {
    shell("iptables-legacy -P FORWARD DROP; iptables-legacy -A FORWARD -m mark --mark 0x1/0x1 -j ACCEPT");
    shell("ip6tables-legacy -t mangle -A PREROUTING -j MARK --set-xmark 0x4000/0x4000");
    assert.equal(subjects(await found("forwarding")), ["ip filter FORWARD"]);
    assert.match((await found("marks"))[0]?.message ?? "", /ip6tables-legacy mangle: 0x4000\/0x4000;/);
    shell("iptables-legacy -P FORWARD ACCEPT");
    assert.equal(await found("forwarding"), []);
  });

  test("WireGuard's routing rule has our bit; kubelet's chains and our tables don't count", async () => {
    shell("iptables-nft -t nat -N KUBE-MARK-MASQ; iptables-nft -t nat -A KUBE-MARK-MASQ -j MARK --or-mark 0x4000");
    shell(
      "nft add table ip sluice; nft add chain ip sluice c; nft add rule ip sluice c meta mark set meta mark or 0x4000",
    );
    // Not our bit: TPROXY's, and the CNI's portmap.
    shell(
      "ip rule add fwmark 1 lookup 100; iptables-nft -t nat -N P; iptables-nft -t nat -A P -j MARK --or-mark 0x2000",
    );
    assert.equal(await found("marks"), []);
    shell("ip rule add not fwmark 0xca6c lookup 51820; ip -6 rule add not fwmark 0xca6c lookup 51820");
    const [hazard] = await found("marks");
    assert.match(hazard?.message ?? "", /^bit 14 \(0x4000\) .* others use it too: ip rule \d+: 0xca6c[,;]/);
    assert.is(hazard?.hint, "set nftables.masqueradeBit to 16, which nobody uses here");
    assert.equal(await found("marks", "mode: flat\nnftables: {masqueradeBit: 16}\n"), []);
    assert.is((await found("marks", "mode: iptables\n"))[0]?.subject, "iptables.masqueradeBit");
    shell(
      "ip rule del not fwmark 0xca6c lookup 51820; ip -6 rule del not fwmark 0xca6c lookup 51820; ip rule del fwmark 1 lookup 100",
    );
  });

  testNeeding(test, "legacy tables: kubelet's chains and our own rules don't count", lackingLegacy(), async () => {
    const yaml = "mode: iptables\n";
    const [each] = oracleCases();
    if (each === undefined) throw new Error("no case");
    const engine = engineFor(each, "iptables");
    const text = (pieces: readonly Uint8Array[]) => new TextDecoder().decode(joinPieces(pieces));
    shell("iptables-legacy-restore --noflush", text(engine.render("ipv4")));
    shell("ip6tables-legacy-restore --noflush", text(engine.render("ipv6")));
    assert.match(shell("iptables-legacy-save -t nat"), /-A KUBE-POSTROUTING .*0x4000/);
    for (const command of ["iptables-legacy", "ip6tables-legacy"]) {
      shell(`${command} -t nat -N KUBE-MARK-DROP; ${command} -t nat -A KUBE-MARK-DROP -j MARK --or-mark 0x4000`);
    }
    assert.equal(await found("marks", yaml), []);
    // Beside them: in a chain of somebody's own, and in one of the kernel's.
    shell("iptables-legacy -t nat -N MINE; iptables-legacy -t nat -A MINE -m mark --mark 0x4000/0x4000 -j RETURN");
    assert.match((await found("marks", yaml))[0]?.message ?? "", / iptables-legacy nat: 0x4000\/0x4000;/);
    shell("iptables-legacy -t nat -F MINE; iptables-legacy -t nat -X MINE");
    assert.equal(await found("marks", yaml), []);
    shell("ip6tables-legacy -t nat -A POSTROUTING -j MARK --set-xmark 0x4000/0x4000");
    assert.match((await found("marks", yaml))[0]?.message ?? "", / ip6tables-legacy nat: 0x4000\/0x4000;/);
  });

  for (const [who, rule] of [
    [
      "a number in some bits, set by iptables",
      "iptables-nft -t mangle -A PREROUTING -j MARK --set-xmark 0x80000/0xff0000",
    ],
    [
      "a number in some bits, looked for by iptables",
      "iptables-nft -t mangle -A PREROUTING -m mark --mark 0x0/0xff0000 -j ACCEPT",
    ],
    ["a bit, set by nft", "nft add rule inet t c meta mark set meta mark or 0x10000"],
    ["a number in some bits, set by nft", "nft add rule inet t c meta mark set meta mark and 0xff00ffff xor 0x40000"],
    ["a number, set by nft", "nft add rule inet t c meta mark set 0x10001"],
    ["a number in some bits, looked for by nft", "nft add rule inet t c meta mark and 0xff0000 == 0x40000 accept"],
  ] as const) {
    test(`others' marks: ${who}`, async () => {
      shell("nft add table inet t; nft 'add chain inet t c { type filter hook prerouting priority -150; }'");
      const yaml = "mode: flat\nnftables: {masqueradeBit: 16}\n";
      assert.equal(await found("marks", yaml), []);
      shell(rule);
      assert.equal(subjects(await found("marks", yaml)), ["nftables.masqueradeBit"], rule);
      assert.equal(await found("marks", "mode: flat\nnftables: {masqueradeBit: 15}\n"), [], rule);
    });
  }

  for (const [mode, table] of [
    ["flat", "sluice"],
    ["nftables", "kube-proxy"],
  ] as const) {
    test(`${mode}: a list of clients that is full`, async () => {
      const set = "affinity-ABCDEFGH-shop/web/tcp/http__10.32.0.15/8080";
      shell(`nft -f - <<X
        table ip ${table} {
          set ${set} { type ipv4_addr; size 3; flags dynamic,timeout; timeout 3h; }
          set affinity-ABCDEFGH-shop/db/tcp/__10.32.0.16/1 { type ipv4_addr; size 3; flags dynamic,timeout; timeout 3h; }
        }\nX`);
      shell(`nft add element ip ${table} ${set} '{ 192.0.2.1, 192.0.2.2 }'`);
      assert.equal(await found("affinity", `mode: ${mode}\n`), []);
      shell(`nft add element ip ${table} ${set} '{ 192.0.2.3 }'`);
      // What kernels before 6.16 are asked instead.
      const socket = NetlinkSocket.open();
      assert.is(await countElements(socket, "ipv4", table, set), 3);
      await socket.close();
      const [hazard] = await found("affinity", `mode: ${mode}\n`);
      assert.is(
        hazard?.message,
        "the list of clients is full for shop/web/tcp/http -> 10.32.0.15/8080, with 3 clients: new ones get no affinity",
      );
    });

    test(`${mode}: each full list is said once, whatever becomes of others`, async () => {
      const names = Array.from({ length: 7 }, (_, i) => `affinity-ABCDEFGH-shop/web/tcp/__10.32.0.${i}/80`);
      const sets = names.map((name) => `set ${name} { type ipv4_addr; size 20; flags dynamic,timeout; timeout 3h; }`);
      shell(`nft -f - <<X\ntable ip ${table} {\n${sets.join("\n")}\n}\nX`);
      const change = (verb: "add" | "delete", index: number, from: number, to: number) => {
        const clients = Array.from({ length: to - from }, (_, i) => `192.0.2.${from + i}`);
        shell(`nft '${verb} element ip ${table} ${names[index]} { ${clients} }'`);
      };
      const config = configOf(`mode: ${mode}\n`);
      const watch = new AffinityWatch(config.mode);
      const said: string[] = [];
      const say = (_: unknown, message?: string) => void said.push(message ?? "");
      const report = new HazardReport({ warn: say, info: say } as never, new HealthState({ syncPeriodMs: 30_000 }));
      const look = async () => {
        report.update("affinity", (await findKernelHazards(config, watch)).get("affinity") ?? []);
        return said.splice(0).map((message) => message.replace(/^(no more: )?.*10\.32\.0\.(\d+).*$/, "$1$2"));
      };
      change("add", 0, 0, 20);
      assert.equal(await look(), ["0"]);
      change("add", 1, 0, 20);
      assert.equal(await look(), ["1"]);
      // Clients come and time out.
      change("delete", 0, 0, 2);
      assert.equal(await look(), []);
      change("delete", 0, 2, 4);
      assert.equal(await look(), ["no more: 0"]);
      for (const index of [2, 3, 4, 5, 6]) change("add", index, 0, 20);
      assert.equal(await look(), [
        "2",
        "3",
        "4",
        "5",
        "the lists of clients of more endpoints are full: new ones get no affinity",
      ]);
      change("add", 0, 0, 4);
      assert.equal(await look(), []);
    });
  }

  test("iptables: a list of clients that is full", async () => {
    shell(`iptables-nft -t nat -N KUBE-SEP-A
      iptables-nft -t nat -A KUBE-SEP-A -m recent --name KUBE-SEP-A --set`);
    const limit = Number(shell("cat /sys/module/xt_recent/parameters/ip_list_tot"));
    const fill = (from: number, to: number) =>
      shell(
        `for i in $(seq ${from} ${to}); do echo +10.0.$((i / 250)).$((i % 250)) > /proc/net/xt_recent/KUBE-SEP-A; done`,
      );
    fill(1, limit - 1);
    assert.equal(await found("affinity", "mode: iptables\n"), []);
    fill(limit, limit);
    const [hazard] = await found("affinity", "mode: iptables\n");
    assert.match(
      hazard?.message ?? "",
      `full for KUBE-SEP-A, with ${limit} clients: for each new one the quietest loses`,
    );
    assert.match(hazard?.hint ?? "", `ip_list_tot, ${limit} now`);
  });

  test("many clashing uses are named once, and in part", () => {
    const uses = Array.from({ length: 9 }, (_, i) => ({ place: `ip rule ${i >> 1}`, value: 0x4000, mask: 0x4000 }));
    const [hazard, ...more] = clashes(configOf("mode: flat\n"), [...uses, { place: "x", value: 0, mask: 0xffff_8000 }]);
    assert.equal(more, []);
    assert.match(hazard?.message ?? "", /ip rule 0: 0x4000\/0x4000, ip rule 1: .*, ip rule 4: 0x4000\/0x4000; /);
    assert.is(hazard?.hint, "set nftables.masqueradeBit to 0, which nobody uses here");
  });
});
