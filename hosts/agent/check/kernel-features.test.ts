// The real kernel, in a network namespace.
import { existsSync } from "node:fs";
import * as assert from "uvu/assert";
import { fakeCommands, shell } from "../kernel/testing/node.ts";
import { inNamespaces } from "../netlink/testing/namespace.ts";
import { checkKernel, thisKernel } from "./kernel-features.ts";
import { formatFindings } from "./table.ts";

inNamespaces(import.meta.url, ["root", "user"], (test) => {
  test("this kernel has what flat and nftables mode need", async () => {
    for (const mode of ["flat", "nftables"] as const) {
      const findings = await checkKernel(mode, thisKernel);
      assert.equal(
        findings.map(({ subject, status }) => [subject, status]),
        [["nf_tables", "ok"]],
      );
    }
  });

  test("and this machine the commands of iptables; nothing stays of trying them", async () => {
    const [first, ...others] = await checkKernel("iptables", thisKernel);
    assert.equal([first?.subject, first?.status], ["iptables", "ok"]);
    assert.match(first?.detail ?? "", /^1\.\d+\.\d+, (legacy|nf_tables): /);
    assert.equal(
      others.map(({ subject, status, detail }) => [subject, status, detail]),
      [["iptables extensions", "ok", "all that the rules need"]],
    );
    for (const family of ["", "6"]) assert.not.match(shell(`ip${family}tables-save`), /SLUI/);
    assert.not.match(shell("nfacct list"), "sluice");
    assert.is(existsSync("/proc/net/xt_recent/SLUI-PROBE"), false);
  });

  test("an extension that only a real write misses is found, in each family, and what follows is said", async () => {
    const path = process.env.PATH;
    const tools = ["iptables-nft-restore", "ip6tables-nft-restore"];
    // --test passes, as everywhere; a write is refused.
    const script = (
      tool: string,
    ) => `case "$*" in *--version*|*--test*) exec ${shell(`command -v ${tool}`).trim()} "$@";; esac
input=$(mktemp); cat > $input; line=$(grep -n -m1 -e '-m nfacct' -e '-m recent' -e '${tool.startsWith("ip6") ? "-m mark" : "nothing"}' $input | cut -d: -f1)
if [ -n "$line" ]; then rm $input; echo "Couldn't load match: No such file or directory" >&2; echo "Error occurred at line: $line" >&2; exit 2; fi
${shell(`command -v ${tool}`).trim()} "$@" < $input; code=$?; rm $input; exit $code`;
    const fake = fakeCommands(Object.fromEntries(tools.map((tool) => [tool, script(tool)])));
    process.env.PATH = `${fake.path}:${path}`;
    try {
      const findings = (await checkKernel("iptables", thisKernel)).filter(({ status }) => status !== "ok");
      assert.equal(
        findings.map(({ subject, status }) => `${status} ${subject}`),
        [
          "warning extension nfacct (ipv4, ipv6)",
          "warning extension recent (ipv4, ipv6)",
          "failed extension mark (ipv6)",
        ],
      );
      const text = formatFindings(findings);
      assert.match(text, /without it Services with session affinity are left out: .*Couldn't load match/);
      assert.match(text, /→ load xt_recent and start the agent anew, or use mode flat or nftables\n/);
    } finally {
      process.env.PATH = path;
      fake.remove();
    }
  });
});
