import { test } from "uvu";
import * as assert from "uvu/assert";
import { isOlder } from "./resource-version.ts";

test("resourceVersions are compared as numbers of any length, and other texts not at all", () => {
  const cases: [string, string, boolean][] = [
    ["9", "10", true],
    ["10", "9", false],
    ["10", "10", false],
    ["18446744073709551615", "18446744073709551616", true],
    ["99999999999999999999", "100000000000000000000", true],
    ["", "10", false],
    ["abc", "abd", false],
    ["05", "10", false],
  ];
  for (const [a, b, wanted] of cases) assert.is(isOlder(a, b), wanted, `${a} < ${b}`);
});

test.run();
