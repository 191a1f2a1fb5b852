// One tenant's Service with tens of thousands of entry points, created, changed and deleted: what others change meanwhile is in
// the kernel a few transactions later, whatever is under way. Counted, not timed. Against the kernel of a network namespace.
import * as assert from "uvu/assert";
import { makeService, makeSlice } from "../../../fixtures/support/engine-tests.ts";
import { expand } from "../../../fixtures/support/shorthand.ts";
import { lengthOf } from "../../shared/engine.ts";
import { inNamespaces } from "../netlink/testing/namespace.ts";
import { nft } from "../netlink/testing/nft.ts";
import { PORTION } from "./engine-start.ts";
import { Node } from "./testing/node.ts";

const PORTS = 40;
const ADDRESSES = 1000;
/** What is left of the portion that is on its way, and the change itself: chains and elements, each in a transaction. */
const MOST_TRANSACTIONS = 6;

const ports = Array.from({ length: PORTS }, (_, i) => ({ name: `p${i}`, port: 1 + i }));
const heavy = (first: number) =>
  expand({
    service: {
      name: "evil/heavy",
      clusterIPs: ["10.96.9.9"],
      externalIPs: Array.from({ length: ADDRESSES }, (_, i) => `198.18.${(first + i) >> 8}.${(first + i) & 255}`),
      ports,
    },
  } as never);
const heavySlice = (count: number) =>
  expand({
    slice: {
      name: "heavy-1",
      service: "evil/heavy",
      ports,
      endpoints: Array.from({ length: count }, (_, i) => `10.99.0.${1 + i}`),
    },
  } as never);
const web = makeService("shop/web", { ip: "10.96.0.12" });
const webSlice = (last: number) => makeSlice("shop/web-1", "web", ["10.0.0.1", `10.0.1.${last}`]);

inNamespaces(import.meta.url, ["user"], (test) => {
  test.before.each(() => nft("flush ruleset"));

  for (const mode of ["flat", "nftables"] as const) {
    test(`${mode}: others' changes are written within ${MOST_TRANSACTIONS} transactions`, async () => {
      const node = await Node.start(mode);
      node.put(web, webSlice(1));
      await node.settle();
      let version = 1;
      /** Transactions since shop/web has changed, while the kernel does not have it. */
      let since: number | undefined;
      let longest = 0;
      let changes = 0;
      node.writer.next = (batch) => {
        const wanted = Buffer.from([10, 0, 1, version]);
        const has = batch.data.some((piece) => Buffer.from(piece).includes(wanted));
        if (since !== undefined) {
          since++;
          longest = Math.max(longest, since);
          if (has) since = undefined;
        } else if (batch.family === "ipv4") {
          // While this one is on its way.
          version++;
          changes++;
          since = 0;
          node.put(webSlice(version));
        }
        return "write";
      };
      const before = node.writer.written.length;
      for (const change of [
        () => node.put(heavy(0), heavySlice(0)),
        () => node.put(heavySlice(3)),
        () => node.put(heavy(500)),
        () => node.remove(heavy(500), heavySlice(3)),
      ]) {
        change();
        for (let i = 0; i < 4; i++) await node.run();
      }
      node.writer.next = () => "write";
      await node.settle();
      const portions = node.writer.written.slice(before).filter(({ data }) => lengthOf(data) > 100_000).length;
      assert.ok(portions > 6, `${portions} long transactions: nothing was heavy`);
      assert.ok(changes > 10, `${changes} changes of shop/web`);
      assert.ok(longest <= MOST_TRANSACTIONS, `${longest} transactions`);
      assert.equal(await node.difference([web, webSlice(version)]), []);
      await node.writer.close();
    });
  }

  test("in the end the kernel has all of it", async () => {
    const node = await Node.start("flat");
    node.put(heavy(0), heavySlice(2), web, webSlice(1));
    const { portionMs } = await node.run();
    assert.ok(portionMs !== undefined, `${PORTS * ADDRESSES} entry points are more than ${PORTION}`);
    await node.settle();
    assert.equal(await node.difference([heavy(0), heavySlice(2), web, webSlice(1)]), []);
    assert.is((await node.run()).portionMs, undefined);
    await node.writer.close();
  });
});
