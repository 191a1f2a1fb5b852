// Tables of legacy iptables as the kernel of a network namespace has them.
import * as assert from "uvu/assert";
import { testNeeding } from "../../../../fixtures/support/needing.ts";
import { type Libc, loadLibc } from "../../netlink/sockets/libc.ts";
import { inNamespaces } from "../../netlink/testing/namespace.ts";
import { lackingLegacy, shell } from "../testing/node.ts";
import { readLegacyTable } from "./legacy-table.ts";

/** struct ipt_get_entries and one entry at least: what is shorter says how large the table is. */
const TABLE_BYTES = 100;

inNamespaces(import.meta.url, ["user"], (test) => {
  testNeeding(
    test,
    "rules are copied on a thread, so that nothing waits for a large table",
    lackingLegacy(),
    async () => {
      const onThread: number[] = [];
      const real = loadLibc();
      const libc: Libc = {
        ...real,
        getsockopt(fd, level, option, value) {
          assert.ok(value.length < TABLE_BYTES, "the event loop copies a table");
          return real.getsockopt(fd, level, option, value);
        },
        getsockoptOnThread(fd, level, option, value) {
          onThread.push(value.length);
          return real.getsockoptOnThread(fd, level, option, value);
        },
      };
      for (const [family, command, address] of [
        ["ipv4", "iptables-legacy", "192.0.2"],
        ["ipv6", "ip6tables-legacy", "2001:db8:"],
      ] as const) {
        const rules = Array.from(
          { length: 300 },
          (_, i) => `-A MINE -s ${address}${family === "ipv4" ? "." : ":"}${i % 250} -j RETURN\n`,
        );
        shell(`${command}-restore`, `*filter\n:FORWARD DROP\n:MINE -\n${rules.join("")}COMMIT\n`);
        const table = await readLegacyTable(family, "filter", libc);
        assert.is(table?.dropsByDefault("FORWARD"), true);
        assert.is(table?.dropsByDefault("INPUT"), false);
        assert.is(
          [...(table?.rules([]) ?? [])].filter(({ chain }) => chain === "MINE").length,
          rules.length + 1,
          "and its end",
        );
        assert.is(await readLegacyTable(family, "security", libc), undefined, "it is not there, and not made");
      }
      assert.is(onThread.length, 2);
    },
  );
});
