// A kernel that has no legacy tables, as its iptables-restore says it: what that means is told once, not blamed on an extension.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findMissingExtensions, missingText } from "./iptables-extensions.ts";
import type { IptablesTools } from "./iptables-tools.ts";
import type { RunCommand } from "./run-command.ts";

const test = suite("extensions of iptables");

const commands = (name: string) => ({ iptables: name, restore: `${name}-restore`, save: `${name}-save` });
const legacy: IptablesTools = {
  variant: "legacy",
  reason: "the machine's iptables-restore",
  version: "1.8.9",
  randomFully: true,
  wait: [],
  commands: { ipv4: commands("iptables-legacy"), ipv6: commands("ip6tables-legacy") },
  unusable: {},
};
const stderr = "iptables-legacy-restore: unable to initialize table 'filter'\n";
const refuses: RunCommand = async () => ({ outcome: "exited", code: 1, stdout: "", stderr });

test("no ip_tables: no rule can be written, and other modes need none", async () => {
  const missing = await findMissingExtensions(legacy, refuses, 1000, () => undefined);
  assert.equal(
    missing.map(({ probe, families }) => [probe.name, probe.isNeeded, families]),
    [["ip_tables", true, ["ipv4", "ipv6"]]],
  );
  const [line] = missing.map(missingText);
  assert.match(
    line ?? "",
    /no rule can be written; load ip_tables, .* or use mode flat or nftables \(.*unable to initialize/,
  );
});

test("where the kernel has it, it is for another reason that nothing can be written, and the writes say so", async () => {
  assert.equal(await findMissingExtensions(legacy, refuses, 1000, () => "filter\n"), []);
});

test.run();
