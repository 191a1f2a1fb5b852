// The action against a fake GitHub: what is shown, what is commented, and what a fork's report can't do.
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { ReportedChange } from "../shared/diff/changes.ts";
import type { DiffReport } from "../shared/diff/report.ts";
import { run } from "./run.ts";
import { FakeGitHub } from "./testing/fake-github.ts";

interface Context {
  directory: string;
  github: FakeGitHub;
  url: string;
  waits: number[];
}

const test = suite<Context>("action");
const recorded = join(import.meta.dirname, "testing", "workflow-run.json");
const headOfRun = "acb5820ced9479c074f688cc328bf03f341a511d";

test.before.each(async (context) => {
  context.directory = mkdtempSync(join(tmpdir(), "sluice-action-"));
  context.github = new FakeGitHub();
  context.url = await context.github.start();
  context.waits = [];
});
test.after.each(({ directory, github }) => {
  github.stop();
  rmSync(directory, { recursive: true, force: true });
});

function change(text: string): ReportedChange {
  return {
    kind: "lost-endpoints",
    port: "80/TCP",
    entryPoint: "",
    traffic: "",
    text,
    gates: ["lost-endpoints"],
    field: "spec.selector",
    families: ["IPv4"],
    nodes: ["a"],
    everywhere: true,
    place: { side: "head", file: "web.yaml", line: 3, origin: "" },
  };
}

function report(texts: readonly string[], more: object = {}): DiffReport {
  const side = { name: "base", complete: true, services: 1, assumed: "" };
  return {
    format_version: 1,
    kind: "DiffReport",
    writtenBy: "sluice",
    mode: "flat",
    headline: texts.length === 0 ? "no Service changes" : "a Service changes",
    base: side,
    head: { ...side, name: "head" },
    nodes: ["a"],
    services: texts.map((text, index) => ({ namespace: "shop", name: `web-${index}`, changes: [change(text)] })),
    problems: [],
    gates: [],
    ...more,
  };
}

/** Runs with that report; `INPUT_` variables and others in `more`. */
async function shown(context: Context, content: unknown, more: Record<string, string> = {}) {
  const { directory, url, waits } = context;
  const at = (name: string) => join(directory, name);
  writeFileSync(at("report.json"), typeof content === "string" ? content : JSON.stringify(content));
  writeFileSync(at("event.json"), JSON.stringify({ pull_request: { number: 7 } }));
  for (const name of ["summary", "output"]) writeFileSync(at(name), "");
  let log = "";
  const env = {
    INPUT_REPORT: at("report.json"),
    INPUT_COMMENT: "sticky",
    INPUT_TOKEN: "secret",
    GITHUB_API_URL: url,
    GITHUB_REPOSITORY: "shop/deploy",
    GITHUB_EVENT_NAME: "pull_request",
    GITHUB_EVENT_PATH: at("event.json"),
    GITHUB_STEP_SUMMARY: at("summary"),
    GITHUB_OUTPUT: at("output"),
    ...more,
  };
  const write = (text: string) => {
    log += text;
  };
  const code = await run({ env, write, wait: async (seconds) => void waits.push(seconds) });
  return { code, log, summary: readFileSync(at("summary"), "utf8"), output: readFileSync(at("output"), "utf8") };
}

const asFork = { GITHUB_EVENT_NAME: "workflow_run", GITHUB_EVENT_PATH: recorded };

test("annotations, a summary and outputs need no token, and by default nothing is commented", async (context) => {
  const { code, log, summary, output } = await shown(context, report(["lost"]), { INPUT_COMMENT: "", INPUT_TOKEN: "" });
  assert.is(code, 0);
  assert.match(log, /^::error file=web\.yaml,line=3,title=/);
  assert.match(summary, /^### a Service changes\n/);
  assert.match(output, /^changed<<(\S+)\ntrue\n\1\nheadline<<(\S+)\na Service changes\n\2\n/);
  assert.equal(context.github.asked, []);
});

test("no more annotations than GitHub shows, and how many are left out", async (context) => {
  const texts = Array.from({ length: 13 }, (_, index) => `lost ${index}`);
  const { log } = await shown(context, report(texts));
  assert.is(log.match(/^::error /gm)?.length, 10);
  assert.match(log, /sluice: 3 more stand in the job summary/);
});

test("summary and comment keep below GitHub's limits, and the summary counts what is in it already", async (context) => {
  const large = report(Array.from({ length: 5000 }, (_, index) => `${"ö".repeat(150)} ${index}`));
  const { code, summary } = await shown(context, large);
  assert.is(code, 0);
  assert.ok(Buffer.byteLength(summary) < 1 << 20);
  assert.is(context.github.comments.length, 1);
  assert.match(context.github.comments[0]?.body ?? "", /left out here/);
});

test("a sticky comment is one comment, kept true; nothing is posted where nothing changes", async (context) => {
  const { github } = context;
  await shown(context, report([]));
  assert.equal(github.comments, []);
  await shown(context, report(["lost one"]));
  await shown(context, report(["lost two"]));
  assert.is(github.comments.length, 1);
  assert.match(github.comments[0]?.body ?? "", /lost two/);
  const before = github.asked.length;
  await shown(context, report(["lost two"]));
  assert.equal(github.asked.slice(before), ["GET /repos/shop/deploy/issues/7/comments"]);
  await shown(context, report([]));
  assert.is(github.comments.length, 1);
  assert.match(github.comments[0]?.body ?? "", /No Service changes any more/);
  await shown(context, report([]));
  assert.is(github.asked.filter((each) => !each.startsWith("GET")).length, 3);
});

test("new comments: one for each run that changes something, and one correction", async (context) => {
  const settings = { INPUT_COMMENT: "new" };
  for (const texts of [["lost one"], ["lost two"], [], []]) await shown(context, report(texts), settings);
  const titles = context.github.comments.map(({ body }) => /lost \w+|No Service changes any more/.exec(body)?.[0]);
  assert.equal(titles, ["lost one", "lost two", "No Service changes any more"]);
});

test("jobs of a matrix have comments of their own, by label, paths or options", async (context) => {
  const jobs: Record<string, string>[] = [
    {},
    { INPUT_LABEL: "staging" },
    { INPUT_PATHS: "a\nb" },
    { INPUT_OPTIONS: "--mode\niptables" },
  ];
  for (let round = 0; round < 2; round++) {
    for (const job of jobs) await shown(context, report([`lost ${round}`]), job);
  }
  assert.is(context.github.comments.length, jobs.length);
  assert.ok(context.github.comments.every(({ body }) => body.includes("lost 1")));
  assert.match(context.github.comments[1]?.body ?? "", /^<!-- [^\n]* -->\n\*\*staging\*\*\n/);
});

test("our comment is found behind hundreds of others, and a person's copy of it is left alone", async (context) => {
  const { github } = context;
  await shown(context, report(["lost one"]));
  const [own] = github.comments.splice(0) as [{ id: number; body: string; user: { login: string; type: string } }];
  for (let index = 0; index < 230; index++) github.addComment("me too", { login: "somebody", type: "User" });
  github.comments.push(own);
  github.addComment(own.body, { login: "mallory", type: "User" });
  await shown(context, report(["lost two"]));
  assert.is(github.comments.length, 232);
  assert.match(github.comments[230]?.body ?? "", /lost two/);
  assert.match(github.comments[231]?.body ?? "", /lost one/);
});

test("a token that may not write: a warning where a fork's own run asks, a failure where commenting is the job", async (context) => {
  const { github } = context;
  github.mayWrite = false;
  github.pulls.push({ number: 7, head: "contributor:more-replicas", sha: headOfRun });
  const forked = await shown(context, report(["lost"]), asFork);
  assert.is(forked.code, 1);
  assert.match(forked.log, /::error title=sluice::no comment: GitHub: POST .*: 403 .*pull-requests: write/);
  const own = await shown(context, report(["lost"]));
  assert.is(own.code, 0);
  assert.match(own.log, /::warning title=sluice::no comment: /);
  assert.is(context.waits.length, 0);
});

test("a fork: the pull request is the one whose last commit the event names", async (context) => {
  const { github } = context;
  github.pulls.push({ number: 9, head: "contributor:more-replicas", sha: "0".repeat(40) });
  const stale = await shown(context, report(["lost"]), asFork);
  assert.is(stale.code, 0);
  assert.match(stale.log, /no open pull request has this commit as its last/);
  assert.equal(github.comments, []);
  github.pulls.push({ number: 7, head: "contributor:more-replicas", sha: headOfRun });
  await shown(context, report(["lost"], { pull_request: { number: 9 }, number: 9 }), asFork);
  assert.is(github.comments.length, 1);
});

test("what is no report is refused before anything is shown", async (context) => {
  const { services: _, ...torn } = report([]);
  for (const [content, wanted] of [
    ["{", /not JSON/],
    [torn, /\$\.services: missing/],
    [{ ...report(["lost"]), headline: { toString: 1 } }, /\$\.headline: no string/],
    [report([], { problems: [{ side: "head" }] }), /\$\.problems\[0\]\.severity: missing/],
    [report([], { format_version: 2 }), /\$\.format_version: not 1/],
    [{ __proto__: null, constructor: 1 }, /missing/],
  ] as const) {
    const { code, log, summary } = await shown(context, content, asFork);
    assert.is(code, 1);
    assert.match(log, wanted);
    assert.is(log.split("\n").length, 2);
    assert.is(summary, "");
  }
  assert.equal(context.github.asked, []);
});

test("a link in place of the report leads nowhere", async (context) => {
  const link = join(context.directory, "link.json");
  symlinkSync(join(context.directory, "report.json"), link);
  const { code, log } = await shown(context, report(["lost"]), { ...asFork, INPUT_REPORT: link });
  assert.is(code, 1);
  assert.match(log, /not a regular file/);
});

test("nothing of a report is markup, a mention, a command or another output", async (context) => {
  const evil = "x\n::error::injected\n<img src=x> @team | [a](http://b) `c`\nEOF\nchanged=false";
  const hostile = {
    ...report([evil], {
      headline: evil,
      rules: { node: evil, added: 1, removed: 0, lines: ["a ` b\n````\n@team", "`````\n"] },
    }),
    writtenBy: evil,
  };
  const kinds = report(Array.from({ length: 3000 }, () => evil.repeat(20)));
  for (const each of kinds.services) Object.assign(each.changes[0] ?? {}, { kind: evil });
  for (const content of [hostile, kinds]) {
    const { log, summary, output } = await shown(context, content, { INPUT_LABEL: String(content === kinds) });
    assert.not.match(log, /^::error::injected/m);
    assert.not.match(output, /^(EOF|changed=false)$/m);
    const comment = context.github.comments.at(-1)?.body ?? "";
    for (const text of [summary, comment]) {
      const outside = text.replace(/^(`{6,})diff\n.*?^\1$/ms, "");
      for (const raw of ["<img", "@team", "](http", "\n::error"]) assert.not.ok(outside.includes(raw), raw);
    }
  }
});

test("a rate limit is waited for as long as GitHub says; a failing server is asked again, but not to post", async (context) => {
  const { github, waits } = context;
  const limited = { status: 403, headers: { "retry-after": "7" }, message: "You have exceeded a secondary rate limit" };
  github.failures.push({ method: "POST", failure: limited }, { method: "GET", failure: { status: 502 } });
  assert.is((await shown(context, report(["lost"]))).code, 0);
  assert.equal(waits.splice(0), [1, 7]);
  assert.is(github.comments.length, 1);

  github.failures.push({ method: "POST", failure: { status: 500, message: "Server Error" } });
  const failed = await shown(context, report(["lost"]), { INPUT_LABEL: "other" });
  assert.match(failed.log, /::warning title=sluice::no comment: GitHub: POST .*: 500 Server Error/);
  assert.equal([failed.code, github.comments.length, waits.length], [0, 1, 0]);

  for (let count = 0; count < 4; count++) github.failures.push({ method: "GET", failure: { status: 503 } });
  assert.match((await shown(context, report(["lost"]))).log, /no comment: .*: 503/);
  assert.equal(waits.splice(0), [1, 2, 4]);

  github.failures.push({ method: "GET", failure: { status: 429, headers: { "retry-after": "3600" } } });
  assert.match((await shown(context, report(["lost"]))).log, /no comment: .*: 429/);
  assert.equal(waits, []);
});

test("a push has no pull request; inputs that make no sense fail with a message", async (context) => {
  const pushed = join(context.directory, "push.json");
  writeFileSync(pushed, "{}");
  const push = await shown(context, report(["lost"]), { GITHUB_EVENT_NAME: "push", GITHUB_EVENT_PATH: pushed });
  assert.is(push.code, 0);
  const odd = await shown(context, report([]), { INPUT_COMMENT: "yes" });
  assert.equal([odd.code, odd.log], [1, '::error title=sluice::input comment: "yes" is none of sticky, new, off\n']);
});

test.run();
