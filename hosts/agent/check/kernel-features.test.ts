// The real kernel, in a network namespace.
import * as assert from "uvu/assert";
import { inNamespaces } from "../netlink/testing/namespace.ts";
import { checkKernel, thisKernel } from "./kernel-features.ts";

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

  test("and this machine the commands of iptables", async () => {
    const [first] = await checkKernel("iptables", thisKernel);
    assert.equal([first?.subject, first?.status], ["iptables", "ok"]);
    assert.match(first?.detail ?? "", /^1\.\d+\.\d+, (legacy|nf_tables): /);
  });
});
