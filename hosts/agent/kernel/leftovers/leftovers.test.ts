import * as assert from "uvu/assert";
import { report } from "../../../../fixtures/kernel/diff.ts";
import { compareIptables } from "../../../../fixtures/kernel/normalise-iptables.ts";
import { compareNft } from "../../../../fixtures/kernel/normalise-nft.ts";
import { type OracleCase, oracleCases } from "../../../../fixtures/oracle/oracle.ts";
import type { Mode } from "../../../shared/contract.ts";
import { NFPROTO_IPV4 } from "../../netlink/messages/uapi.ts";
import { dumpTable } from "../../netlink/ruleset/dump.ts";
import { inNamespaces } from "../../netlink/testing/namespace.ts";
import { sendBatches } from "../testing/flat.ts";
import {
  engineFor,
  flushAll,
  hasLegacy,
  listEverything,
  loadKubeProxyIptables,
  loadKubeProxyNft,
  prepareNode,
  sayWhatIsLeftOut,
  shell,
} from "../testing/node.ts";
import { IptablesWriter } from "../writers/iptables-writer.ts";
import { cleanupAll } from "./cleanup.ts";
import { findLeftovers, type Leftover, removeLeftovers } from "./leftovers.ts";

const builtin = {
  filter: ["INPUT", "FORWARD", "OUTPUT"],
  nat: ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
  mangle: ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
};

const foreignRules: Readonly<Record<string, readonly string[]>> = {
  filter: [
    ":KUBE-FIREWALL - [0:0]",
    ":CNI-FORWARD - [0:0]",
    "-A INPUT -j KUBE-FIREWALL",
    "-A OUTPUT -j KUBE-FIREWALL",
    '-A FORWARD -m comment --comment "kubernetes is not the only one who writes this" -j CNI-FORWARD',
    "-A CNI-FORWARD -j RETURN",
    "-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP",
  ],
  nat: [
    ":KUBE-MARK-DROP - [0:0]",
    ":KUBE-KUBELET-CANARY - [0:0]",
    ":CNI-HOSTPORT-DNAT - [0:0]",
    "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
    "-A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000",
  ],
  mangle: [":KUBE-IPTABLES-HINT - [0:0]", ":KUBE-KUBELET-CANARY - [0:0]"],
};

/** What is on a node besides kube-proxy: kubelet's chains, a network plugin's, an administrator's table. */
function loadForeign(): void {
  let text = "";
  for (const [table, chains] of Object.entries(builtin)) {
    const lines = [...chains.map((chain) => `:${chain} ACCEPT [0:0]`), ...(foreignRules[table] ?? [])];
    text += `*${table}\n${lines.join("\n")}\nCOMMIT\n`;
  }
  for (const infix of infixes()) {
    for (const command of ["iptables", "ip6tables"]) shell(`${command}${infix}-restore`, text);
  }
  shell("nft -f -", "table inet mine {\n chain in {\n type filter hook input priority 0\n tcp dport 22 accept\n }\n}");
}

const infixes = () => (hasLegacy() ? ["-nft", "-legacy"] : ["-nft"]);

/** kube-proxy's listing without the jumps that the foreign rules have already. */
function withoutFirewall(each: OracleCase): OracleCase {
  const strip = (text: string) => text.replaceAll(/^.*KUBE-FIREWALL.*\n/gm, "");
  const { iptables, ip6tables, nftables } = each.listings;
  return { ...each, listings: { iptables: strip(iptables), ip6tables: strip(ip6tables), nftables } };
}

function kinds(leftovers: readonly Leftover[]): string[] {
  return leftovers.map((each) => {
    const where = each.kind === "ipvs" ? "" : ` ${each.family}`;
    const variant = "variant" in each ? ` ${each.variant}` : "";
    return `${each.kind}${where}${"table" in each ? ` ${each.table}` : ""}${variant}`;
  });
}

function chainsIn(variant: string): string[] {
  const tables = variant === "legacy" ? legacyOrder : ["filter", "nat", "mangle"];
  return ["ipv4", "ipv6"].flatMap((family) => tables.map((table) => `iptables-chains ${family} ${table} ${variant}`));
}
const legacyOrder = ["filter", "nat", "mangle"];
const tables = (name: string) => ["ipv4", "ipv6"].map((family) => `nft-table ${family} ${name}`);

const cases = oracleCases();
function caseAt(index: number): OracleCase {
  const each = cases[index];
  if (each === undefined) throw new Error(`no case ${index}`);
  return each;
}

async function writeFlat(each: OracleCase): Promise<void> {
  const engine = engineFor(each, "flat");
  engine.setEncoding("netlink");
  await sendBatches(engine, engine.plan(0), 0);
}

/** Fails with what failed. */
async function removeAll(leftovers: readonly Leftover[]) {
  const { failed, ...rest } = await removeLeftovers(leftovers);
  assert.equal(
    failed.map(({ message }) => message),
    [],
  );
  return rest;
}

sayWhatIsLeftOut();

inNamespaces(import.meta.url, ["root", "user"], (test, kind) => {
  test.before(prepareNode);
  test.before.each(flushAll);

  test("kube-proxy's rules of every mode and variant are taken over and cleaned; what is foreign stays as it was", async () => {
    for (const index of kind === "root" ? [0, 7, 31, 64, 101] : [31]) {
      flushAll();
      const each = withoutFirewall(caseAt(index));
      loadForeign();
      const foreign = listEverything();
      for (const infix of infixes()) loadKubeProxyIptables(each, infix);
      loadKubeProxyNft(each);
      assert.is.not(listEverything(), foreign);
      await writeFlat(each);

      const { leftovers, problems } = await findLeftovers("flat");
      assert.equal(problems, []);
      const wanted = [...tables("kube-proxy"), ...chainsIn("nf_tables"), ...(hasLegacy() ? chainsIn("legacy") : [])];
      assert.equal(kinds(leftovers).sort(), wanted.sort());
      const { removed, kept } = await removeAll(leftovers);
      assert.is(removed.length, wanted.length);
      assert.equal(kept, []);
      assert.equal((await findLeftovers("flat")).leftovers, []);
      assert.equal(shell("nft list tables").match(/sluice/g)?.length, 2);

      const report = await cleanupAll();
      assert.equal(report.problems, []);
      assert.equal(report.removed, ["nftables table ip sluice", "nftables table ip6 sluice"]);
      assert.is(listEverything(), foreign, each.name);
      assert.equal(await cleanupAll(), { removed: [], kept: [], problems: [] });
    }
  });

  test("while a kube-proxy runs, cleanup takes our own table and leaves what Services work by", async () => {
    const each = withoutFirewall(caseAt(31));
    for (const infix of infixes()) loadKubeProxyIptables(each, infix);
    loadKubeProxyNft(each);
    const before = listEverything();
    await writeFlat(each);
    assert.is.not(listEverything(), before);
    const { removed, kept, problems } = await cleanupAll({ live: ["process 12: kube-proxy"] });
    assert.equal(problems, []);
    assert.equal(removed, ["nftables table ip sluice", "nftables table ip6 sluice"]);
    assert.is(listEverything(), before);
    const stays = [...tables("kube-proxy"), ...chainsIn("nf_tables"), ...(hasLegacy() ? chainsIn("legacy") : [])];
    assert.is(kept.length, stays.length);
    for (const text of kept) assert.match(text, "a kube-proxy is running (process 12: kube-proxy)");
    await cleanupAll();
  });

  test("what is a leftover depends on the mode that runs", async () => {
    const each = withoutFirewall(caseAt(31));
    for (const infix of infixes()) loadKubeProxyIptables(each, infix);
    loadKubeProxyNft(each);
    await writeFlat(each);
    const legacy = hasLegacy() ? chainsIn("legacy") : [];
    const expected: Record<Mode | "none", string[]> = {
      flat: [...tables("kube-proxy"), ...chainsIn("nf_tables"), ...legacy],
      nftables: [...tables("sluice"), ...chainsIn("nf_tables"), ...legacy],
      iptables: [...tables("kube-proxy"), ...tables("sluice"), ...legacy],
      none: [...tables("kube-proxy"), ...tables("sluice"), ...chainsIn("nf_tables"), ...legacy],
    };
    const opened = await IptablesWriter.open();
    if (opened.outcome !== "opened") throw new Error(opened.message);
    const { tools } = opened.writer;
    assert.is(tools.variant, "nf_tables");
    for (const [mode, wanted] of Object.entries(expected)) {
      const { leftovers, problems } = await findLeftovers(mode as Mode | "none", { tools });
      assert.equal(problems, []);
      assert.equal(kinds(leftovers).sort(), wanted.sort(), mode);
    }
    await opened.writer.close();
  });

  test("mode iptables takes kube-proxy's chains over and deletes those that nothing leads to any more", async () => {
    for (const infix of infixes()) {
      flushAll();
      loadKubeProxyIptables(caseAt(7), infix);
      // Of another kube-proxy before that, whose chains lead to each other.
      shell(
        `iptables${infix}-restore --noflush`,
        "*nat\n:KUBE-SVC-AAAA - [0:0]\n:KUBE-SEP-BBBB - [0:0]\n-A KUBE-SVC-AAAA -j KUBE-SEP-BBBB\nCOMMIT\n",
      );
      const now = caseAt(64);
      const opened = await IptablesWriter.open();
      if (opened.outcome !== "opened") throw new Error(opened.message);
      const { writer } = opened;
      assert.is(writer.tools.variant, infix === "-nft" ? "nf_tables" : "legacy");
      for (const batch of engineFor(now, "iptables").plan(0)) {
        assert.equal(await writer.write(batch), { outcome: "written" });
      }
      const { leftovers } = await findLeftovers("iptables", writer);
      assert.equal([...new Set(leftovers.map((each) => each.kind))], ["stale-chains"]);
      await removeAll(leftovers);
      const options = { unreachable: true };
      assert.is(report("", compareIptables(now.listings.iptables, shell(`iptables${infix}-save`), options)), "");
      assert.is(report("", compareIptables(now.listings.ip6tables, shell(`ip6tables${infix}-save`), options)), "");
      await writer.close();
    }
  });

  test("a chain that foreign rules lead to stays with what it does, and with what it leads to", async () => {
    const each = withoutFirewall(caseAt(31));
    for (const infix of infixes()) {
      flushAll();
      loadForeign();
      loadKubeProxyIptables(each, infix);
      const rules =
        "-A CNI-HOSTPORT-DNAT -s 192.0.2.0/24 -j KUBE-MARK-MASQ\n-A PREROUTING -s 192.0.2.1/32 -j KUBE-NODEPORTS";
      shell(
        `iptables${infix}-restore --noflush`,
        `*nat\n:KUBE-NODEPORTS - [0:0]\n-A KUBE-NODEPORTS -j KUBE-MARK-DROP\n${rules}\nCOMMIT\n`,
      );
      const { removed, kept } = await removeAll((await findLeftovers("none")).leftovers);
      assert.match(removed.join("\n"), /^\d+ chains of kube-proxy in ip nat \(iptables, \w+\), all but 2$/m);
      assert.equal(kept.slice().sort(), [
        "chain KUBE-MARK-MASQ stays: a rule of chain CNI-HOSTPORT-DNAT leads to it",
        "chain KUBE-NODEPORTS stays: a rule of chain PREROUTING leads to it",
      ]);
      const saved = shell(`iptables${infix}-save -t nat`);
      assert.match(saved, /-A KUBE-MARK-MASQ -j MARK --set-xmark 0x\w+\/0x\w+/);
      assert.match(saved, "-A KUBE-NODEPORTS -j KUBE-MARK-DROP");
      assert.not.match(saved, /KUBE-(SERVICES|POSTROUTING|SVC|SEP)/);
      const again = await removeAll((await findLeftovers("none")).leftovers);
      assert.equal(again, { removed: [], kept });
    }
  });

  test("KUBE-FORWARD stays where the host's FORWARD chain drops, until cleanup", async () => {
    for (const infix of infixes()) {
      flushAll();
      loadKubeProxyIptables(caseAt(31), infix);
      shell(`iptables${infix} -P FORWARD DROP`);
      const { leftovers } = await findLeftovers("flat");
      const { kept } = await removeAll(leftovers);
      assert.is(kept.length, 1);
      assert.match(kept[0] ?? "", "the policy of FORWARD is DROP");
      const saved = shell(`iptables${infix}-save -t filter`);
      assert.match(saved, /-A FORWARD .*-j KUBE-FORWARD\n/);
      assert.match(saved, /-A KUBE-FORWARD .*-j ACCEPT\n/);
      assert.not.match(saved, "KUBE-SERVICES");
      assert.not.match(shell(`ip6tables${infix}-save`), "KUBE-FORWARD");
      await cleanupAll();
      assert.not.match(shell(`iptables${infix}-save`), "KUBE-FORWARD");
      shell(`iptables${infix} -P FORWARD ACCEPT`);
    }
  });

  test("chains that only mode ipvs makes go in mode iptables too, and those that it shares stay", async () => {
    const ipvs = `*filter
:KUBE-FIREWALL - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-NODE-PORT - [0:0]
:KUBE-IPVS-FILTER - [0:0]
:KUBE-IPVS-OUT-FILTER - [0:0]
:KUBE-SOURCE-RANGES-FIREWALL - [0:0]
-A INPUT -m comment --comment "kubernetes ipvs access filter" -j KUBE-IPVS-FILTER
-A INPUT -m comment --comment "kubernetes health check rules" -j KUBE-NODE-PORT
-A OUTPUT -m comment --comment "kubernetes ipvs access filter" -j KUBE-IPVS-OUT-FILTER
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A KUBE-IPVS-FILTER -m conntrack --ctstate NEW -j REJECT
COMMIT
*nat
:KUBE-SERVICES - [0:0]
:KUBE-LOAD-BALANCER - [0:0]
:KUBE-NODE-PORT - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
COMMIT
`;
    for (const infix of infixes()) {
      flushAll();
      shell(`iptables${infix}-restore`, ipvs);
      const opened = await IptablesWriter.open();
      if (opened.outcome !== "opened") throw new Error(opened.message);
      assert.is(opened.writer.tools.variant, infix === "-nft" ? "nf_tables" : "legacy");
      await removeAll((await findLeftovers("iptables", opened.writer)).leftovers);
      await opened.writer.close();
      const saved = shell(`iptables${infix}-save`);
      assert.not.match(saved, /KUBE-(IPVS|NODE-PORT|LOAD-BALANCER|SOURCE-RANGES)/);
      for (const stays of ["-j KUBE-FORWARD", "-j KUBE-SERVICES", ":KUBE-FIREWALL"]) assert.match(saved, stays);
      await removeAll((await findLeftovers("flat")).leftovers);
      assert.not.match(shell(`iptables${infix}-save`), /KUBE-(?!FIREWALL)/);
    }
  });

  test("a table of kube-proxy before 1.34, with other base chains, is replaced by mode nftables", async () => {
    const old = `table ip kube-proxy {
      comment "rules for kube-proxy"
      set cluster-ips { type ipv4_addr; }
      map firewall-ips { type ipv4_addr . inet_proto . inet_service : verdict; }
      chain firewall-check { ip daddr . meta l4proto . th dport vmap @firewall-ips; }
      chain cluster-ips-check { ip daddr @cluster-ips reject; }
      chain mark-for-masquerade { meta mark set meta mark or 0x4000; }
      chain filter-prerouting { type filter hook prerouting priority -110; ct state new jump firewall-check; }
      chain filter-input { type filter hook input priority -110; }
      chain filter-forward { type filter hook forward priority -110; ct state new jump cluster-ips-check; }
      chain filter-output { type filter hook output priority -110; ct state new jump firewall-check; }
      chain filter-output-post-dnat { type filter hook output priority -90; ct state new jump cluster-ips-check; }
    }`;
    const each = caseAt(31);
    for (const way of ["forget", "reconcile"]) {
      flushAll();
      shell("nft -f -", old);
      const engine = engineFor(each, "nftables");
      engine.setEncoding("netlink");
      if (way === "reconcile") {
        const dump = await dumpTable({ family: NFPROTO_IPV4, table: "kube-proxy" });
        if (dump.outcome !== "complete") throw new Error(dump.outcome);
        await sendBatches(engine, engine.reconcile("ipv4", dump.pieces, 0), 0);
        await sendBatches(engine, engine.reconcile("ipv6", [], 0), 0);
      } else {
        engine.forget();
      }
      await sendBatches(engine, engine.plan(5000), 5000);
      const listing = shell("nft -s list ruleset");
      // A set that is what it should be stays as it is: its comment is nothing that a packet meets.
      const uncommented = (text: string) =>
        text.replaceAll(/^\t(?:set|map) .*\n(?:\t\t.*\n)*/gm, (set) => set.replace(/^\t\tcomment ".*"\n/m, ""));
      const shown = way === "reconcile" ? uncommented : (text: string) => text;
      assert.is(report(way, compareNft(shown(each.listings.nftables), shown(listing), { unreachable: true })), "");
      for (const gone of ["filter-prerouting {", "filter-output-post-dnat", "priority -90"]) {
        assert.not(listing.includes(gone), `${way}: ${gone} is still there`);
      }
    }
  });
});
