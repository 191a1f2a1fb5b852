// Alert rules: each fires, and is silent where it should be. Prometheus' promtool says so where it is installed (PROMTOOL=path:
// elsewhere than in PATH): go install github.com/prometheus/prometheus/cmd/promtool@v0.316.0 makes one.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parse } from "yaml";

interface Expected {
  readonly alertname: string;
  readonly exp_alerts: readonly { readonly exp_labels: object; readonly exp_annotations: object }[];
}

const path = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const testsFile = path("testing/prometheus-rules.test.yaml");
const read = (file: string): string => readFileSync(file, "utf8");
const rules = (
  parse(read(path("chart/files/prometheus-rules.yaml"))) as { groups: { rules: { alert: string }[] }[] }
).groups.flatMap((group) => group.rules.map(({ alert }) => alert));
const promtool = process.env.PROMTOOL ?? "promtool";

const test = suite("alert rules");

test("for each there is a case in which it fires, and one in which it does not", () => {
  const { tests } = parse(read(testsFile)) as { tests: { alert_rule_test: Expected[] }[] };
  const expected = tests.flatMap((each) => each.alert_rule_test);
  const named = (fires: boolean) =>
    [
      ...new Set(expected.filter((each) => each.exp_alerts.length > 0 === fires).map(({ alertname }) => alertname)),
    ].sort();
  assert.ok(rules.length >= 7);
  assert.equal(named(true), [...rules].sort());
  assert.equal(named(false), [...rules].sort());
});

// A program in Go, which CI has no need of.
if (spawnSync(promtool, ["--version"]).status === 0) {
  test("promtool sees them fire and be silent", () => {
    const { status, stdout, stderr } = spawnSync(promtool, ["test", "rules", testsFile], { encoding: "utf8" });
    assert.is(status, 0, `${stdout}${stderr}`);
  });
}

test.run();
