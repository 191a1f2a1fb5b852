// What iptables-restore 1.8.9 says, as recorded, and what becomes of it.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { writeResultOf } from "./iptables-refusal.ts";

const lines = [
  "*filter",
  ":A - [0:0]",
  "-A A -j RETURN",
  "COMMIT",
  "*nat",
  ":B - [0:0]",
  "-A B -j X",
  "-A B -j Y",
  "COMMIT",
];
const bytes = new TextEncoder().encode(`${lines.join("\n")}\n`);
/** In pieces that do not end with lines. */
const input = [bytes.subarray(0, 20), bytes.subarray(20, 60), bytes.subarray(60)];

const said = (code: number, stderr: string) => {
  const result = writeResultOf("iptables-restore", { outcome: "exited", code, stdout: "", stderr }, input);
  if (result.outcome !== "refused") throw new Error(result.outcome);
  return result;
};

test("lines that are named, in each tool's words", () => {
  const head = "iptables-nft-restore v1.8.9 (nf_tables): \n";
  const two = said(
    4,
    `${head}line 7: RULE_APPEND failed (No such file or directory): rule in chain B\nline 8: RULE_APPEND failed (Invalid argument): rule in chain B\n`,
  );
  assert.equal([two.sequences, two.transient], [[7, 8], false]);
  assert.match(two.message, /exit code 4\): .*RULE_APPEND failed .*; line 7 is: -A B -j X$/);
  const unknown = said(
    2,
    "iptables-restore v1.8.9 (legacy): Couldn't load match `recent':No such file or directory\n\nError occurred at line: 3\nTry `iptables-restore -h' or 'iptables-restore --help' for more information.\n",
  );
  assert.equal([unknown.sequences, unknown.transient], [[3], false]);
  assert.match(unknown.message, "line 3 is: -A A -j RETURN");
});

test("COMMIT, a table's head and what is not in the input name no line", () => {
  for (const number of [4, 5, 9, 10, 99]) {
    assert.equal(said(1, `iptables-restore: line ${number} failed\n`).sequences, [], `${number}`);
  }
  assert.match(said(1, "iptables-restore: line 9 failed\n").message, "line 9 is: COMMIT");
  assert.equal(said(1, "").sequences, []);
});

test("what may pass is told from what stays, with nf_tables too, where all refusals have one exit code", () => {
  assert.is(said(4, "Another app is currently holding the xtables lock.\n").transient, true);
  assert.is(said(4, "line 7: RULE_APPEND failed (Device or resource busy): rule in chain B\n").transient, true);
  assert.is(said(4, "line 7: CHAIN_DEL failed (Device or resource busy): chain B\n").transient, false);
  const mixed =
    "line 3: RULE_APPEND failed (Cannot allocate memory): rule in chain A\nline 7: RULE_APPEND failed (Invalid argument): rule in chain B\n";
  assert.is(said(4, mixed).transient, false);
  assert.is(said(1, "iptables-restore: line 9 failed\n").transient, false);
});

test.run();
