import * as assert from "uvu/assert";
import { oracleCases } from "../../../../fixtures/oracle/oracle.ts";
import { inNamespaces } from "../../netlink/testing/namespace.ts";
import { flushAll, loadKubeProxyIptables, loadKubeProxyNft, prepareNode, shell } from "../testing/node.ts";
import { TakeOver } from "./take-over.ts";

const each = oracleCases()[31];
if (each === undefined) throw new Error("no such case");

inNamespaces(import.meta.url, ["root"], (test) => {
  test.before(prepareNode);
  test.before.each(flushAll);

  test("nothing is removed while a kube-proxy is seen; once it is gone, all of it", async () => {
    loadKubeProxyNft(each);
    loadKubeProxyIptables(each, "-nft");
    let live = ["process 10: kube-proxy"];
    const takeOver = new TakeOver("flat", { live: async () => live });
    const first = await takeOver.check();
    assert.equal(first.removed, []);
    assert.ok(first.remaining.includes("process 10: kube-proxy"));
    assert.ok(first.remaining.includes("nftables table ip kube-proxy stays"));
    assert.match(shell("nft list tables"), "kube-proxy");
    live = [];
    const second = await takeOver.check();
    assert.ok(second.removed.includes("nftables table ip kube-proxy"));
    assert.equal(second.remaining, []);
    assert.not.match(shell("nft list ruleset"), /kube-proxy|KUBE-(?!FIREWALL)/);
    assert.equal(await takeOver.check(), { removed: [], remaining: [] });
  });

  test("what comes back is said, and removed less and less often", async () => {
    const takeOver = new TakeOver("flat", { live: async () => [] });
    const removals: number[] = [];
    for (let look = 0; look < 40; look++) {
      shell("nft add table ip kube-proxy");
      const { removed, remaining } = await takeOver.check();
      if (removed.length > 0) removals.push(look);
      const said = remaining
        .join("\n")
        .includes("nftables table ip kube-proxy: removed before, and somebody has made it again");
      assert.is(said, look > 0, `look ${look}`);
    }
    assert.equal(removals, [0, 1, 2, 4, 8, 16, 32]);
  });

  test("a chain is one chain, and when two are there again it has come back", async () => {
    const takeOver = new TakeOver("flat", { live: async () => [] });
    shell("iptables-nft -t nat -N KUBE-MARK-MASQ");
    assert.equal((await takeOver.check()).removed, ["1 chain of kube-proxy in ip nat (iptables, nf_tables)"]);
    shell("iptables-nft -t nat -N KUBE-MARK-MASQ; iptables-nft -t nat -N KUBE-SERVICES");
    assert.equal((await takeOver.check()).remaining, [
      "2 chains of kube-proxy in ip nat (iptables, nf_tables): removed before, and somebody has made it again",
    ]);
  });

  test("a chain that foreign rules keep has not come back", async () => {
    loadKubeProxyIptables(each, "-nft");
    shell("iptables-nft -t nat -A PREROUTING -s 192.0.2.1 -j KUBE-MARK-MASQ");
    const takeOver = new TakeOver("flat", { live: async () => [] });
    const kept = "chain KUBE-MARK-MASQ stays: a rule of chain PREROUTING leads to it";
    assert.equal((await takeOver.check()).remaining, [kept]);
    assert.equal(await takeOver.check(), { removed: [], remaining: [kept] });
  });
});
