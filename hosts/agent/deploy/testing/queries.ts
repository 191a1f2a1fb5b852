// Queries of the dashboard and of the alert rules, as Prometheus reads them: recorded in queries.jsonl by `node --import tsx
// hosts/agent/deploy/testing/queries.ts`, which builds promql/ with Go.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

export interface ReadQuery {
  readonly selectors: readonly {
    readonly metric: string;
    readonly matchers: readonly {
      readonly name: string;
      readonly type: "=" | "!=" | "=~" | "!~";
      readonly value: string;
    }[];
  }[];
  /** Labels by which it groups or matches. */
  readonly grouping: readonly string[];
  readonly errors: readonly string[];
}

const files = fileURLToPath(new URL("../chart/files", import.meta.url));
const file = fileURLToPath(new URL("queries.jsonl", import.meta.url));
export const rulesText = readFileSync(join(files, "prometheus-rules.yaml"), "utf8");

interface Dashboard {
  panels: { title: string; targets: { expr: string }[] }[];
  templating: { list: { query: string }[] };
}

interface Rules {
  groups: { rules: { alert: string; expr: string }[] }[];
}

/** Where it stands, and the query, with every instance chosen. */
export function queries(): { readonly place: string; readonly query: string }[] {
  const dashboard = JSON.parse(readFileSync(join(files, "grafana-dashboard.json"), "utf8")) as Dashboard;
  const rules = parse(rulesText) as Rules;
  const found = [
    ...rules.groups.flatMap((group) => group.rules.map(({ alert, expr }) => ({ place: alert, query: expr }))),
    ...dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ place: title, query: expr }))),
    ...dashboard.templating.list.flatMap(({ query }) => {
      const [, metric] = /^label_values\((\w+), \w+\)$/.exec(query) ?? [];
      return metric === undefined ? [] : [{ place: "label_values", query: metric }];
    }),
  ];
  return found.map(({ place, query }) => ({ place, query: query.replaceAll("$instance", ".*") }));
}

/** @throws {Error} a query or the rules have changed since they were recorded */
export function recorded(query: string): ReadQuery {
  const answers = readFileSync(file, "utf8").trimEnd().split("\n");
  const found = answers
    .map((line) => JSON.parse(line) as { text: string; read: ReadQuery })
    .find(({ text }) => text === query)?.read;
  if (found === undefined) {
    throw new Error(`not recorded: ${query} (node --import tsx hosts/agent/deploy/testing/queries.ts)`);
  }
  return found;
}

/** Asks Prometheus' own parser, for all queries and the file of rules. Needs Go. */
export function ask(): Record<string, ReadQuery> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-promql-"));
  try {
    const program = join(directory, "promql");
    const cwd = fileURLToPath(new URL("promql", import.meta.url));
    execFileSync("go", ["build", "-o", program, "."], { cwd, stdio: ["ignore", "inherit", "inherit"] });
    const texts = [...new Set(queries().map(({ query }) => query))];
    const requests = [...texts.map((query) => ({ query })), { rules: rulesText }];
    const input = requests.map((request) => JSON.stringify(request)).join("\n");
    const answers = execFileSync(program, { input, encoding: "utf8" }).trimEnd().split("\n");
    const all = [...texts, rulesText].map((text, index) => [text, JSON.parse(answers[index] ?? "") as ReadQuery]);
    return Object.fromEntries(all) as Record<string, ReadQuery>;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const lines = Object.entries(ask()).map(([text, read]) => JSON.stringify({ text, read }));
  writeFileSync(file, `${lines.join("\n")}\n`);
}
