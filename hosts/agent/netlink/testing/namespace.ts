// Tests that change kernel rules run in a network namespace of their own: the test file starts itself again inside one.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Test, test } from "uvu";
import * as assert from "uvu/assert";

/** `root`: a new network namespace. `user`: in a new user namespace as well, without privilege in the initial one. */
export type NamespaceKind = "root" | "user";

const UNSHARE: Readonly<Record<NamespaceKind, readonly string[]>> = {
  root: ["--net"],
  user: ["--map-root-user", "--net"],
};
const MARK = "SLUICE_TEST_NAMESPACE";

/**
 * Registers the tests that `define` makes, to be run in a fresh namespace of each kind. Seen from outside they are one
 * test for each kind.
 *
 * @param url `import.meta.url` of the test file
 */
export function inNamespaces(
  url: string,
  kinds: readonly NamespaceKind[],
  define: (test: Test, kind: NamespaceKind) => void,
): void {
  const inside = process.env[MARK] as NamespaceKind | undefined;
  if (inside !== undefined) {
    define(test, inside);
    test.run();
    return;
  }
  const file = fileURLToPath(url);
  for (const kind of kinds) {
    const impossible = whyImpossible(kind);
    if (impossible !== undefined) {
      test.skip(`in a network namespace (${kind}): ${impossible}`);
      continue;
    }
    test(`in a network namespace (${kind})`, () => {
      const command = [...UNSHARE[kind], process.execPath, "--import", "tsx", file];
      const { UVU_DEFER: _, ...environment } = process.env;
      const child = spawnSync("unshare", command, {
        env: { ...environment, [MARK]: kind },
        encoding: "utf8",
        timeout: 300_000,
      });
      if (process.env.SLUICE_TEST_VERBOSE !== undefined) process.stderr.write(child.stdout + child.stderr);
      assert.is(child.status, 0, `\n${child.stdout}\n${child.stderr}`);
    });
  }
  test.run();
}

function whyImpossible(kind: NamespaceKind): string | undefined {
  const tried = spawnSync("unshare", [...UNSHARE[kind], "true"], { encoding: "utf8" });
  if (tried.error !== undefined) return tried.error.message;
  return tried.status === 0 ? undefined : tried.stderr.trim();
}
