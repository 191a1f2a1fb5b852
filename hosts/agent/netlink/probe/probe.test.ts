import * as assert from "uvu/assert";
import { readGeneration } from "../ruleset/generation.ts";
import { NetlinkSocket } from "../sockets/socket.ts";
import { inNamespaces } from "../testing/namespace.ts";
import { nftList } from "../testing/nft.ts";
import { expression } from "./expressions.ts";
import { probeKernel } from "./probe.ts";
import { FEATURES, type Feature } from "./probe-features.ts";

const NOSUCH: Feature = {
  id: "nosuch",
  what: "an expression that no kernel has",
  config: ["CONFIG_NFT_NOSUCH"],
  modules: ["nft_nosuch"],
  since: "99.1",
  write(batch) {
    batch.addRule("filter", [expression("nosuch", () => {})]);
  },
};

inNamespaces(import.meta.url, ["root", "user"], (test) => {
  let socket: NetlinkSocket;
  test.before(() => {
    socket = NetlinkSocket.open();
  });
  test.after(() => socket.close());

  test("this kernel has all features, and the probe leaves no trace", async () => {
    const before = await readGeneration(socket);
    assert.equal(await probeKernel(socket), { outcome: "supported" });
    assert.is(await readGeneration(socket), before);
    assert.is(nftList("ruleset").length, 1);
  });

  test("a missing feature is named with what to do, and hides no others", async () => {
    const result = await probeKernel(socket, { features: [NOSUCH, ...FEATURES] });
    if (result.outcome !== "missing") throw new Error(result.outcome);
    assert.equal(
      result.missing.map(({ family, feature, error }) => [family, feature.id, error.name]),
      [
        ["ip", "nosuch", "ENOENT"],
        ["ip6", "nosuch", "ENOENT"],
      ],
    );
    assert.is(
      result.message,
      "the kernel lacks a feature that the rules need: an expression that no kernel has " +
        "(ip and ip6: ENOENT at NFTA_RULE_EXPRESSIONS[0](nosuch)): " +
        "load nft_nosuch, or build the kernel with CONFIG_NFT_NOSUCH, since Linux 99.1",
    );
  });

  test("every feature is tried for its own sake: alone it is refused when a message of it is wrong", async () => {
    for (const feature of FEATURES) {
      const broken: Feature = {
        ...feature,
        write(batch, family) {
          feature.write(batch, family);
          batch.addRule("nowhere", []);
        },
      };
      const features = FEATURES.map((other) => (other === feature ? broken : other));
      const result = await probeKernel(socket, { families: ["ip6"], features });
      if (result.outcome !== "missing") throw new Error(`${feature.id}: ${result.outcome}`);
      assert.equal(
        result.missing.map(({ feature: { id } }) => id),
        [feature.id],
      );
    }
  });
});
