import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { engineModule as engine } from "../../../fixtures/support/engine.ts";
import { readMessages } from "../../agent/netlink/messages/messages.ts";
import { NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END } from "../../agent/netlink/messages/uapi.ts";
import { runCli } from "../testing/run-cli.ts";

const test = suite("output: netlink as a hexdump");
const directory = mkdtempSync(join(tmpdir(), "sluice-netlink-"));
const path = join(directory, "web.yaml");
writeFileSync(
  path,
  "apiVersion: v1\nkind: Service\nmetadata: {namespace: shop, name: web}\nspec: {clusterIP: 10.96.0.12, ports: [{port: 80}]}\n",
);
test.after(() => rmSync(directory, { recursive: true }));
const render = (...args: string[]) => runCli(["render", "-f", path, "--format", "netlink", ...args], { engine });

for (const mode of ["flat", "nftables"]) {
  test(`${mode}: the bytes of the engine's batches, each message and attribute with its name`, async () => {
    const { code, stdout } = await render("--mode", mode, "--family", "ipv4");
    assert.is(code, 0);
    const lines = stdout.split("\n");
    assert.match(lines[0] ?? "", /^# batch 1 of \d, ipv4: \d+ bytes$/);
    const sizes = lines.flatMap((line) => Number(/^# batch .*: (\d+) bytes$/.exec(line)?.[1] ?? 0));
    const dumped = lines.map((line) => /^[\da-f]{8} {2}((?:[\da-f]{2} ?)+)/.exec(line)?.[1] ?? "").join("");
    const bytes = Buffer.from(dumped.replaceAll(" ", ""), "hex");
    const size = sizes.reduce((sum, each) => sum + each, 0);
    assert.ok(size > 5000);
    assert.is(bytes.length, size);
    const types = [...readMessages(bytes)].map(({ type }) => type);
    assert.equal([types[0], types.at(-1)], [NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END]);
    assert.match(
      stdout,
      /^# message \d+, \d+ bytes, CREATE: add elements to the set ip (sluice|kube-proxy) cluster-ips$/m,
    );
    assert.match(stdout, /# +NFTA_SET_ELEM_LIST_ELEMENTS\[0\]\.KEY\.VALUE$/m);
    assert.not.match(stdout, "ip6");
  });
}

test("what it cannot go with is refused", async () => {
  const iptables = await render("--mode", "iptables");
  assert.equal([iptables.code, iptables.stdout], [64, ""]);
  assert.match(iptables.stderr, "use --mode flat or nftables");
  assert.is((await render("--blame")).code, 64);
  assert.is((await runCli(["render", "-f", path, "--format", "xml"], { engine })).code, 64);
});

test.run();
