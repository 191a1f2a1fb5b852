// kube-proxy's gate for node ports on localhost and nodePortAddresses change while the agent runs: what is written then, in the
// kernel of a network namespace.
import { spawnSync } from "node:child_process";
import * as assert from "uvu/assert";
import { defaultOptions, makeService, makeSlice } from "../../../fixtures/support/engine-tests.ts";
import { inNamespaces } from "../netlink/testing/namespace.ts";
import { nft } from "../netlink/testing/nft.ts";
import { Node } from "./testing/node.ts";

/** All words of the ruleset: objects and elements are listed in the order in which they were made. */
function listing(): string {
  const { stdout } = spawnSync("nft", ["-s", "list", "ruleset"], { encoding: "utf8" });
  return stdout
    .split(/[\s,{}]+/)
    .sort()
    .join("\n");
}
const ports = ["TCP", "UDP", "SCTP"].map((protocol, i) => ({
  name: `p${i}`,
  port: 80,
  nodePort: 30_080 + i,
  protocol,
}));
const objects = [
  makeService("shop/web", { type: "NodePort", ip: "10.96.0.12,fd00:96::12", ports }),
  makeSlice("shop/web-1", "web", ["10.0.0.1"], { ports: [{ name: "p0", port: 8080 }] }),
];
const on = { nftablesLocalhostNodePorts: true };
const off = {};
const listening = { ...on, nodePortAddresses: ["primary", "localhost"] };

inNamespaces(import.meta.url, ["user"], (test) => {
  for (const mode of ["flat", "nftables"] as const) {
    test(`${mode}: nothing is left, nothing lacks, and the table is not made anew`, async () => {
      const wanted = new Map<object, string>();
      for (const options of [on, listening, off]) {
        nft("flush ruleset");
        const fresh = await Node.start(mode);
        fresh.state.configure({ ...defaultOptions(mode), ...options });
        fresh.put(...objects);
        await fresh.settle();
        wanted.set(options, listing());
        await fresh.writer.close();
      }
      assert.is(new Set(wanted.values()).size, 3);
      nft("flush ruleset");
      const node = await Node.start(mode);
      node.put(...objects);
      await node.settle();
      for (const options of [on, listening, off, listening, on, off]) {
        const before = node.writer.written.length;
        node.state.configure({ ...defaultOptions(mode), ...options });
        // As the agent does: the engine may have forgotten what the kernel holds.
        node.synchronizer.doubt();
        await node.settle();
        const written = node.writer.written.slice(before);
        assert.ok(written.length > 0);
        assert.ok(written.every(({ full }) => !full));
        assert.is(listing(), wanted.get(options));
      }
      await node.writer.close();
    });
  }
});
