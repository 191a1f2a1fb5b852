import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { ReportedChange } from "../../../shared/diff/changes.ts";
import type { DiffReport, ReportedProblem } from "../../../shared/diff/report.ts";
import { diffGithub } from "./github.ts";
import { diffGitlab } from "./gitlab.ts";
import { diffJunit } from "./junit.ts";
import { bytesAtMost, diffMarkdown } from "./markdown.ts";
import { diffSarif, resultsAtMost } from "./sarif.ts";
import { diffText } from "./text.ts";

const test = suite("writers of the diff report");

const place = { side: "head", file: "web.yaml", line: 12, origin: "" } as const;

function change(text: string, more: Partial<ReportedChange> = {}): ReportedChange {
  return {
    kind: "lost-endpoints",
    port: "80/TCP",
    entryPoint: "",
    traffic: "",
    text,
    gates: ["lost-endpoints", "unreachable"],
    field: "spec.selector",
    families: ["IPv4"],
    nodes: ["a"],
    everywhere: true,
    place,
    ...more,
  };
}

function report(changes: ReportedChange[][], problems: ReportedProblem[] = []): DiffReport {
  const side = { name: "base", complete: true, services: 1, assumed: "" };
  return {
    format_version: 1,
    kind: "DiffReport",
    writtenBy: "sluice",
    mode: "flat",
    headline: "the headline",
    base: side,
    head: { ...side, name: "head" },
    nodes: ["a"],
    services: changes.map((each, index) => ({ namespace: "shop", name: `web-${index}`, changes: each })),
    problems,
    gates: [],
  };
}

const empty = report([]);
const bytes = (text: string) => new TextEncoder().encode(text).length;

test("nothing changes: every format is whole", () => {
  assert.is(diffText(empty, false), "base → head, mode flat, node a\nthe headline\n");
  assert.equal(JSON.parse(diffSarif(empty)).runs[0].results, []);
  assert.is(JSON.parse(diffSarif(empty)).runs.length, 1);
  assert.equal(JSON.parse(diffGitlab(empty)), []);
  assert.is(diffGithub(empty), "sluice: the headline\n");
  assert.match(diffJunit(empty), /tests="1" failures="0"/);
});

test("markdown: all, a line per Service, or counts, whichever fits; the limit is in bytes", () => {
  const services = Array.from({ length: 200 }, () => ["ö lost", "ü lost", "€ lost"].map((text) => change(text)));
  const large = report(services);
  const all = diffMarkdown(large, Number.POSITIVE_INFINITY);
  assert.is(diffMarkdown(large, bytes(all)), all);
  assert.is(diffMarkdown(large, bytes(all) + 1), all);
  const brief = diffMarkdown(large, bytes(all) - 1);
  assert.is.not(brief, all);
  assert.match(brief, /400 changes left out here/);
  assert.match(brief, /web-199\*\* web\.yaml:12: ö lost/);
  const counts = diffMarkdown(large, bytes(brief) - 1);
  assert.match(counts, /\| lost-endpoints \| 600 \|/);
  assert.match(counts, /600 changes left out here/);
  const huge = report(Array.from({ length: 20_000 }, () => [change("x".repeat(500))]));
  assert.ok(bytes(diffMarkdown(huge)) <= bytesAtMost);
});

test("markdown: nothing of the input is markup, a mention, or ends a block", () => {
  const text = diffMarkdown(report([[change("<b> **x** @team [a](b) `c` | \u001b[31m\nnext")]]));
  for (const raw of ["<b>", "@team", "](b)", "\u001b", "\nnext"]) assert.not.ok(text.includes(raw), raw);
  const fenced = { ...empty, rules: { node: "a", added: 1, removed: 0, lines: ['+comment "```"'] } };
  assert.match(diffMarkdown(fenced), /\n````diff\n\+comment "```"\n````\n/);
});

test("github: the worst first, with file and line, and no second command in one", () => {
  const text = diffGithub(
    report([
      [
        change("fine", { kind: "got-endpoints", gates: [] }),
        change("50% lost\n::error::injected"),
        change("gone", { place: { ...place, side: "base", file: "main:web.yaml" } }),
      ],
    ]),
  );
  assert.equal(text.trimEnd().split("\n"), [
    "::error file=web.yaml,line=12,title=sluice%3A shop/web-0::shop/web-0: 80/TCP: 50%25 lost\\x0a::error::injected",
    "::error title=sluice%3A shop/web-0::shop/web-0: 80/TCP: gone",
    "::notice file=web.yaml,line=12,title=sluice%3A shop/web-0::shop/web-0: 80/TCP: fine",
    "sluice: the headline",
  ]);
  const odd = diffGithub(report([[change("lost", { place: { ...place, file: "a,line=1:b.yaml" } })]]));
  assert.match(odd, /^::error file=a%2Cline=1%3Ab\.yaml,line=12,/);
});

test("sarif: one run with no more results than GitHub takes, and how many are left out", () => {
  const count = (changes: number) =>
    JSON.parse(diffSarif(report([Array.from({ length: changes }, (_, index) => change(`lost ${index}`))]))).runs[0];
  const whole = count(resultsAtMost);
  assert.equal([whole.results.length, whole.properties.leftOut], [resultsAtMost, 0]);
  const cut = count(resultsAtMost + 1);
  assert.equal([cut.results.length, cut.properties.leftOut], [resultsAtMost, 1]);
  const [result] = JSON.parse(diffSarif(report([[change("lost", { place: { ...place, file: "./a b.yaml" } })]])))
    .runs[0].results;
  assert.equal(result.locations[0].physicalLocation, {
    artifactLocation: { uri: "a%20b.yaml" },
    region: { startLine: 12 },
  });
  assert.is(result.level, "error");
});

test("files that Helm or kustomize read stand in place of what they made", () => {
  const made = report([[change("lost", { place: { ...place, file: "stdin", origin: "chart/templates/web.yaml" } })]]);
  assert.match(diffGithub(made), /^::error file=chart\/templates\/web\.yaml,title=/);
  assert.is(JSON.parse(diffGitlab(made))[0].location.path, "chart/templates/web.yaml");
  assert.match(diffText(made, false), /chart\/templates\/web\.yaml \(stdin:12\)/);
});

test("files of HEAD's commit are named as the page where people review knows them", () => {
  const ofCommit = report([[change("lost", { place: { ...place, file: "head:web.yaml" } })]]);
  assert.match(diffGithub(ofCommit), /^::error file=web\.yaml,line=12,/);
  assert.is(JSON.parse(diffGitlab(ofCommit))[0].location.path, "web.yaml");
  const ofBase = report([[change("gone", { place: { ...place, side: "base", file: "head:web.yaml" } })]]);
  assert.is(JSON.parse(diffGitlab(ofBase))[0].location.path, "head:web.yaml");
});

test("gitlab and sarif: a finding keeps its fingerprint when lines move, and no other has it", () => {
  const print = (text: string, line: number) =>
    JSON.parse(diffGitlab(report([[change(text, { place: { ...place, line } })]])))[0].fingerprint;
  assert.is(print("lost", 1), print("lost", 99));
  assert.is.not(print("lost", 1), print("lost more", 1));
});

test("junit: a Service fails where a change is bad; nothing of the input is XML", () => {
  const text = diffJunit(report([[change('<"&>\u0000 lost')], [change("fine", { kind: "got-endpoints", gates: [] })]]));
  assert.match(text, /<testsuites name="sluice" tests="3" failures="1">/);
  assert.match(text, /<failure message="shop\/web-0: 80\/TCP: &lt;&quot;&amp;&gt;\\x00 lost">web\.yaml:12\n/);
  assert.match(text, /<system-out>web\.yaml:12\nshop\/web-1: 80\/TCP: fine<\/system-out>/);
  assert.match(text, /name="input"\/>/);
});

test("text: colour only where it is asked for, and no control characters of the input", () => {
  const coloured = diffText(report([[change("lost\u001b[2J")]]), true);
  assert.ok(coloured.includes("\u001b[31m! 80/TCP: lost\\x1b[2J\u001b[0m"), coloured);
  assert.not.ok(diffText(report([[change("lost")]]), false).includes("\u001b"));
});

test.run();
