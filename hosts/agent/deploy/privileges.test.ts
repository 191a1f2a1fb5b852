// What the manifests and the unit grant is enough, and less is not: the kernel is asked, in a network namespace.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { lacking as namespaceLacking } from "../../../fixtures/kernel/namespace.ts";
import { testNeeding } from "../../../fixtures/support/needing.ts";

const program = fileURLToPath(new URL("./testing/with-privileges.ts", import.meta.url));
const test = suite("privileges");

interface Found {
  rules: string;
  /** The sysctl's value afterwards, or why it could not be written. */
  sysctl: string;
  sameScore: boolean;
  file: string;
}

/**
 * As container or service: root without other capabilities, without a way to more, its file system read-only.
 *
 * @param mounts more that happens to its mounts
 */
function found(capabilities: string, mounts = "true"): Found {
  const only = `--bounding-set=-all${capabilities} --inh-caps=-all${capabilities}`;
  const script = `mount --make-rprivate / && mount -o remount,bind,ro / && ${mounts} &&
    exec setpriv --no-new-privs ${only} "$0" --import tsx "$1"`;
  const { status, stdout, stderr } = spawnSync(
    "unshare",
    [
      ...(process.getuid?.() === 0 ? [] : ["--map-root-user"]),
      "--net",
      "--mount",
      "sh",
      "-c",
      script,
      process.execPath,
      program,
    ],
    { encoding: "utf8", env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } },
  );
  assert.is(status, 0, stderr);
  return JSON.parse(stdout) as Found;
}

function lacking(): string {
  const tried = spawnSync("setpriv", ["--version"]);
  return tried.error !== undefined ? "not installed: setpriv" : namespaceLacking();
}

testNeeding(test, "CAP_NET_ADMIN is enough for rules and for conntrack's settings", lacking(), () => {
  assert.equal(found(",+net_admin"), { rules: "supported", sysctl: "3600", sameScore: true, file: "EROFS" });
});

testNeeding(test, "without it there are no rules", lacking(), () => {
  assert.is(found("").rules, "not-permitted");
});

testNeeding(test, "where /proc/sys is read-only, as in containers, settings stay and rules work", lacking(), () => {
  const readOnly = "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys";
  const { rules, sysctl } = found(",+net_admin", readOnly);
  assert.is(rules, "supported");
  assert.is(sysctl, "EROFS");
});

test.run();
