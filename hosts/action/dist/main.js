// hosts/action/run.ts
import { spawnSync as spawnSync2 } from "node:child_process";
import { randomUUID } from "node:crypto";
import { appendFileSync, mkdtempSync as mkdtempSync2, readFileSync as readFileSync3, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as join2 } from "node:path";

// hosts/shared/unprintable.ts
var unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

// hosts/shared/printable.ts
function printable(text, maxLength = 500) {
  const safe = text.replace(unprintable, (char) => {
    const code = char.codePointAt(0) ?? 0;
    return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
  });
  return safe.length > maxLength ? `${safe.slice(0, maxLength)}…` : safe;
}

// hosts/shared/diff/words.ts
function badnessOf({ kind, gates }) {
  if ([
    "lost-endpoints",
    "service-disappears",
    "service-refused",
    "port-disappears",
    "entry-point-removed",
    "conflict"
  ].includes(kind)) {
    return "bad";
  }
  if (gates.length > 0 || kind === "no-endpoints") return "careful";
  return ["service-appears", "port-appears", "got-endpoints", "conflict-solved"].includes(kind) ? "good" : "plain";
}
function subjectOf({ port, traffic, families }, siblings) {
  const parts = port === "" ? [] : [port];
  if (traffic === "internal") parts.push("cluster IP");
  if (traffic === "external") parts.push("from outside");
  const [family] = families;
  const others = siblings.some((other) => other.families.some((each) => each !== family));
  if (family !== void 0 && families.length === 1 && others) parts.push(family);
  return parts.join(", ");
}
var SHOWN = 5;
function nodesText({ nodes, everywhere }, count) {
  return everywhere ? "" : `on ${nodes.length} of ${count} nodes: ${namesText(nodes)}`;
}
function namesText(nodes) {
  const more = nodes.length > SHOWN ? `, and ${nodes.length - SHOWN} more` : "";
  return `${nodes.slice(0, SHOWN).map((node) => printable(node, 253)).join(", ")}${more}`;
}
function otherNodesText({ otherNodes }) {
  if (otherNodes === void 0) return "";
  const parts = ["base", "head"].flatMap(
    (side) => otherNodes[side].length === 0 ? [] : [`${namesText(otherNodes[side])}, which ${side} alone has`]
  );
  return `Not looked from: ${parts.join("; ")}`;
}
function placeOf({ place: { file, line, origin } }) {
  if (file === "") return "";
  return origin === "" ? `${file}:${line}` : `${origin} (${file}:${line})`;
}

// hosts/shared/diff/findings.ts
var levels = { bad: "error", careful: "warning", good: "note", plain: "note" };
function findingsOf({ services, problems, nodes, head }) {
  const changes = services.flatMap(
    ({ namespace, name, changes: changes2 }) => changes2.map((change) => {
      const subject = `${namespace}/${name}`;
      const where = nodesText(change, nodes.length);
      const parts = [`${subject}`, subjectOf(change, changes2), change.text].filter((part) => part !== "");
      const { file, line, origin, side } = change.place;
      return {
        rule: change.kind,
        level: levels[badnessOf(change)],
        subject,
        message: `${parts.join(": ")}${where === "" ? "" : ` (${where})`}`,
        ...origin === "" ? { file, line } : { file: origin, line: 0 },
        inBase: side === "base"
      };
    })
  );
  const commit = `${head.name}:`;
  return [...changes, ...problems.map(ofProblem)].map(
    (finding) => !finding.inBase && finding.file.startsWith(commit) ? { ...finding, file: finding.file.slice(commit.length) } : finding
  );
}
function ofProblem(problem) {
  const { side, severity, code, file, line, origin, object, field, message, hint } = problem;
  const text = [object, field, message].filter((part) => part !== "").join(": ");
  return {
    rule: code,
    level: severity,
    subject: object,
    message: hint === "" ? text : `${text}; ${hint}`,
    ...origin === "" ? { file, line } : { file: origin, line: 0 },
    inBase: side === "base"
  };
}

// hosts/cli/output/diff/github.ts
var commands = { error: "error", warning: "warning", note: "notice" };
function diffGithub(report) {
  const order = ["error", "warning", "note"];
  const findings = findingsOf(report).sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
  const lines = findings.map(({ level, file, line, inBase, message, subject }) => {
    const properties = [
      // A file of BASE is none of the pull request's lines.
      ...file === "" || inBase ? [] : [`file=${property(file)}`],
      ...line === 0 || inBase ? [] : [`line=${line}`],
      `title=${property(`sluice: ${subject}`)}`
    ];
    return `::${commands[level]} ${properties.join(",")}::${data(message)}`;
  });
  return `${[...lines, `sluice: ${printable(report.headline)}`].join("\n")}
`;
}
function data(text) {
  return printable(text.replaceAll("%", "%25"), 4e3);
}
function property(text) {
  return data(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}

// hosts/shared/plural.ts
function plural(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

// hosts/cli/output/diff/markdown.ts
var bytesAtMost = 6e4;
function diffMarkdown(report, limit = bytesAtMost) {
  const size = (text) => new TextEncoder().encode(text).length;
  return [whole, brief].map((write) => write(report)).find((text) => size(text) <= limit) ?? counts(report);
}
function title(report) {
  const { base, head, mode, nodes, headline } = report;
  const where = nodes.length === 1 ? "one node" : plural(nodes.length, "node");
  const others = otherNodesText(report);
  return [
    `### ${escaped(headline)}`,
    "",
    `${escaped(base.name)} → ${escaped(head.name)}, mode ${mode}, ${where}${others === "" ? "" : `. ${escaped(others)}`}`
  ];
}
var signs = { bad: "🔴", careful: "🟡", good: "🟢", plain: "▫️" };
function whole(report) {
  const { services, problems, rules, nodes } = report;
  const lines = title(report);
  for (const service of services) {
    lines.push("", serviceTitle(service), "");
    for (const change of service.changes) {
      const where = nodesText(change, nodes.length);
      const text = [subjectOf(change, service.changes), change.text].filter((part) => part !== "").join(": ");
      lines.push(`- ${signs[badnessOf(change)]} ${escaped(text)}${where === "" ? "" : `, *${escaped(where)}*`}`);
    }
  }
  if (problems.length > 0) lines.push("", "**Problems** that are new, or keep a side from being known whole:", "");
  for (const { severity, file, line, object, field, message, hint } of problems) {
    const text = [object, field, message].filter((part) => part !== "").join(": ");
    const place = file === "" ? "" : ` (${line === 0 ? file : `${file}:${line}`})`;
    lines.push(`- ${severity}: ${escaped(`${text}${hint === "" ? "" : `; ${hint}`}${place}`)}`);
  }
  if (rules?.lines !== void 0) {
    const shown = rules.lines.map((line) => printable(line, 4e3));
    const runs = shown.flatMap((line) => (line.match(/`+/g) ?? []).map((run2) => run2.length + 1));
    const fence = "`".repeat(runs.reduce((longest, each) => Math.max(longest, each), 3));
    lines.push(
      "",
      "<details><summary>Lines of the rules</summary>",
      "",
      `${fence}diff`,
      ...shown,
      fence,
      "",
      "</details>"
    );
  }
  return `${lines.join("\n")}
`;
}
function brief(report) {
  const { services, problems, rules } = report;
  const changes = services.reduce((sum, service) => sum + service.changes.length, 0);
  const lines = [...title(report), ""];
  for (const service of services) {
    const worst = ["bad", "careful", "good"];
    const badness = worst.find((each) => service.changes.some((change) => badnessOf(change) === each)) ?? "plain";
    const [first] = service.changes.filter((change) => badnessOf(change) === badness);
    lines.push(`- ${signs[badness]} ${serviceTitle(service)}: ${escaped(first?.text ?? "")}`);
  }
  lines.push("", leftOut(changes - services.length, problems.length, rules?.lines?.length ?? 0));
  return `${lines.join("\n")}
`;
}
function counts(report) {
  const { services, problems, rules } = report;
  const changes = services.flatMap((service) => service.changes);
  const kinds = [...new Set(changes.map(({ kind }) => kind))].sort();
  const rows = kinds.map((kind) => `| ${escaped(kind)} | ${changes.filter((change) => change.kind === kind).length} |`);
  const table = ["", "| change | count |", "|---|---|", ...rows, ""];
  return `${[...title(report), ...table, leftOut(changes.length, problems.length, rules?.lines?.length ?? 0)].join("\n")}
`;
}
function leftOut(changes, problems, rules) {
  const parts = [
    plural(changes, "change"),
    ...problems > 0 ? [plural(problems, "problem")] : [],
    ...rules > 0 ? [`${plural(rules, "line")} of rules`] : []
  ];
  return `*Too long to be shown whole: ${parts.join(", ")} left out here. The text and JSON reports of this run have all.*`;
}
function serviceTitle({ namespace, name, formerName, changes }) {
  const place = changes.map(placeOf).find((text) => text !== "") ?? "";
  const former = formerName === void 0 ? "" : ` (was ${escaped(formerName)})`;
  return `**${escaped(`${namespace}/${name}`)}**${former}${place === "" ? "" : ` ${escaped(place)}`}`;
}
function escaped(text) {
  const safe = printable(text, 2e3).replace(/[\\`*_{}[\]<>#|~&]/g, (char) => `&#${char.charCodeAt(0)};`);
  return safe.replaceAll("@", "&#64;");
}

// hosts/action/command.ts
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

// hosts/action/inputs.ts
import { createHash } from "node:crypto";
var ActionError = class extends Error {
};
function readInputs(env) {
  const input = (name) => (env[`INPUT_${name.toUpperCase()}`] ?? "").trim();
  const lines = (name) => input(name).split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const comment2 = input("comment") || "off";
  if (comment2 !== "sticky" && comment2 !== "new" && comment2 !== "off") {
    throw new ActionError(`input comment: ${JSON.stringify(comment2)} is none of sticky, new, off`);
  }
  const paths = lines("paths");
  return {
    paths: paths.length === 0 ? ["."] : paths,
    base: input("base") || "HEAD^1",
    options: lines("options"),
    failOn: input("fail-on"),
    comment: comment2,
    label: input("label"),
    report: input("report"),
    token: input("token"),
    package: input("package")
  };
}
function commentMarker({ paths, options, label, report }) {
  const identity = createHash("sha256").update(JSON.stringify([paths, options, label, report]));
  return `<!-- sluice diff ${identity.digest("hex").slice(0, 16)} -->`;
}

// hosts/action/command.ts
var root = above(import.meta.dirname);
function above(directory) {
  return existsSync(join(directory, "action.yml")) ? directory : above(dirname(directory));
}
async function findCommand(inputs, env, directory) {
  const built = join(root, "build", "cli", "sluice.js");
  if (inputs.package === "" && existsSync(built)) return built;
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const release = `https://github.com/${env.GITHUB_ACTION_REPOSITORY ?? ""}/releases/download/v${version}/sluice-cli-${version}.tgz`;
  const from = inputs.package || release;
  const isUrl = /^https?:\/\//.test(from);
  const file = isUrl ? join(directory, "sluice-cli.tgz") : from;
  if (isUrl) await download(from, file);
  const into = mkdtempSync(join(directory, "sluice-cli-"));
  const { status, stderr, error } = spawnSync("tar", ["-xzf", file, "-C", into], { encoding: "utf8" });
  if (status !== 0)
    throw new ActionError(`input package: ${file} can't be unpacked: ${(stderr || String(error)).trim()}`);
  return join(into, "package", "cli", "sluice.js");
}
async function download(url, file) {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`status ${response.status}`);
    writeFileSync(file, new Uint8Array(await response.arrayBuffer()));
  } catch (error) {
    const why = error instanceof Error ? error.cause ?? error.message : error;
    throw new ActionError(`${url}: ${why}; input package takes another path or URL of sluice-cli-VERSION.tgz`);
  }
}
function diffArguments({ base, options, failOn, paths }, report) {
  const gates = failOn === "" ? [] : ["--fail-on", failOn];
  return [
    "diff",
    "--base",
    base,
    "--report",
    "text",
    "--report",
    `json=${report}`,
    ...options,
    ...gates,
    "--",
    ...paths
  ];
}

// hosts/action/comments.ts
async function comment(api, pullRequest, mode, marker, body) {
  const ours = (await api.comments(pullRequest)).filter((each) => isOurs(each, marker));
  const last = ours.at(-1);
  const whole2 = `${marker}
${body ?? corrected}`;
  if (last === void 0 && body === void 0) return "nothing changes, and no comment says otherwise";
  if (last?.body === whole2) return "the comment is true as it is";
  if (last === void 0 || mode === "new") {
    await api.addComment(pullRequest, whole2);
    return "commented";
  }
  await api.changeComment(last.id, whole2);
  return "the comment was brought up to date";
}
var corrected = "### No Service changes any more\n\nWhat was said here of an earlier commit does not hold for the last one.\n";
function isOurs({ body = "", user }, marker) {
  return user?.type === "Bot" && body.startsWith(`${marker}
`);
}

// hosts/action/event.ts
async function pullRequestOf(eventName, event, api) {
  if (eventName !== "workflow_run") {
    const number = at(event, "pull_request", "number");
    return typeof number === "number" ? number : void 0;
  }
  const owner = at(event, "workflow_run", "head_repository", "owner", "login");
  const branch = at(event, "workflow_run", "head_branch");
  const commit = at(event, "workflow_run", "head_sha");
  if (typeof owner !== "string" || typeof branch !== "string" || typeof commit !== "string") return void 0;
  if (at(event, "workflow_run", "event") !== "pull_request") return void 0;
  const open = await api.openPullRequests(owner, branch);
  return open.find(({ head }) => head.sha === commit)?.number;
}
function at(value, ...path) {
  let found = value;
  for (const name of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, name)) return void 0;
    found = found[name];
  }
  return found;
}

// hosts/action/github-api.ts
import { setTimeout } from "node:timers/promises";
var GitHubError = class extends Error {
  status;
  constructor(status, message) {
    super(message);
    this.status = status;
  }
};
var triesAtMost = 4;
var longestWait = 120;
var GitHubApi = class {
  #url;
  #repository;
  #token;
  #wait;
  /** `url`: without a slash at the end. `repository`: OWNER/NAME. */
  constructor(url, repository, token, wait = (seconds) => setTimeout(seconds * 1e3)) {
    this.#url = url;
    this.#repository = repository;
    this.#token = token;
    this.#wait = wait;
  }
  /** All of a pull request, oldest first. */
  async comments(pullRequest) {
    return this.#pages(`/issues/${pullRequest}/comments`);
  }
  /** Open ones whose branch is `owner:branch`. */
  async openPullRequests(owner, branch) {
    return this.#pages(`/pulls?state=open&head=${encodeURIComponent(`${owner}:${branch}`)}`);
  }
  /** Not sent again after an error of the server, who may have taken it. */
  async addComment(pullRequest, body) {
    await this.#ask("POST", `/issues/${pullRequest}/comments`, { body });
  }
  async changeComment(id, body) {
    await this.#ask("PATCH", `/issues/comments/${id}`, { body });
  }
  async #pages(path) {
    const items = [];
    for (let page = 1; ; page++) {
      const found = await this.#ask("GET", `${path}${path.includes("?") ? "&" : "?"}per_page=100&page=${page}`);
      if (!Array.isArray(found)) throw new GitHubError(200, `GitHub answered ${path} with no list`);
      items.push(...found);
      if (found.length < 100) return items;
    }
  }
  /** Throws a GitHubError. */
  async #ask(method, path, body) {
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#once(method, path, body);
      if (answer.status >= 200 && answer.status < 300) return answer.value;
      const { error, retryAfter } = answer;
      const isRepeatable = retryAfter !== void 0 && (method !== "POST" || answer.isRateLimit);
      if (!isRepeatable || attempt === triesAtMost || retryAfter > longestWait) throw error;
      await this.#wait(retryAfter * (answer.isRateLimit ? 1 : 2 ** (attempt - 1)));
    }
  }
  async #once(method, path, body) {
    const asked = `${method} ${path.replace(/\?.*/, "")}`;
    let response;
    let text;
    try {
      response = await fetch(`${this.#url}/repos/${this.#repository}${path}`, {
        method,
        headers: {
          accept: "application/vnd.github+json",
          authorization: `Bearer ${this.#token}`,
          "user-agent": "sluice-action",
          "x-github-api-version": "2022-11-28"
        },
        ...body === void 0 ? {} : { body: JSON.stringify(body) }
      });
      text = await response.text();
    } catch (error2) {
      const cause = error2 instanceof Error ? error2.cause ?? error2 : error2;
      const message = `GitHub: ${asked}: ${printable(String(cause))}`;
      return { status: 0, value: void 0, error: new GitHubError(0, message), retryAfter: 1, isRateLimit: false };
    }
    const { status, headers } = response;
    const value = parsed(text);
    const said = printable(messageOf(value) ?? text, 300);
    const error = new GitHubError(status, `GitHub: ${asked}: ${status} ${said}`);
    const isRateLimit = status === 429 || status === 403 && (headers.has("retry-after") || headers.get("x-ratelimit-remaining") === "0" || /rate limit/i.test(said));
    const wait = Number(headers.get("retry-after") ?? 60);
    const retryAfter = isRateLimit ? Number.isFinite(wait) ? wait : 60 : status >= 500 ? 1 : void 0;
    return { status, value, error, retryAfter, isRateLimit };
  }
};
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return void 0;
  }
}
function messageOf(value) {
  if (typeof value !== "object" || value === null || !("message" in value)) return void 0;
  return typeof value.message === "string" ? value.message : void 0;
}

// hosts/action/report-file.ts
import { lstatSync, readFileSync as readFileSync2 } from "node:fs";

// hosts/shared/schemas/complaints.ts
function complaints(schema, value, unknownFields = "refused", path = "$") {
  if ("const" in schema) return value === schema.const ? [] : [`${path}: not ${JSON.stringify(schema.const)}`];
  if (schema.enum !== void 0 && !schema.enum.includes(value)) return [`${path}: ${JSON.stringify(value)}`];
  switch (schema.type) {
    case "array":
      if (!Array.isArray(value)) return [`${path}: no array`];
      return value.flatMap((item, index) => complaints(schema.items ?? {}, item, unknownFields, `${path}[${index}]`));
    case "object":
      if (typeof value !== "object" || value === null || Array.isArray(value)) return [`${path}: no object`];
      return ofObject(schema, value, unknownFields, path);
    case "integer":
      return Number.isInteger(value) ? [] : [`${path}: no integer`];
    default:
      return schema.type === void 0 || typeof value === schema.type ? [] : [`${path}: no ${schema.type}`];
  }
}
function ofObject({ properties = {}, required = [] }, value, unknownFields, path) {
  const missing = required.filter((name) => !Object.hasOwn(value, name)).map((name) => `${path}.${name}: missing`);
  const inside = Object.entries(value).flatMap(([name, each]) => {
    const schema = Object.hasOwn(properties, name) ? properties[name] : void 0;
    if (schema !== void 0) return complaints(schema, each, unknownFields, `${path}.${name}`);
    return unknownFields === "refused" ? [`${path}.${name}: not described`] : [];
  });
  return [...missing, ...inside];
}

// hosts/shared/schemas/diff-report.json
var diff_report_default = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  description: "Fields and kinds of changes may be added; format_version changes when one changes its meaning.",
  title: "sluice diff --report json",
  type: "object",
  properties: {
    format_version: {
      const: 1
    },
    kind: {
      const: "DiffReport"
    },
    writtenBy: {
      type: "string"
    },
    mode: {
      type: "string",
      enum: ["flat", "nftables", "iptables"]
    },
    headline: {
      type: "string"
    },
    base: {
      type: "object",
      properties: {
        name: {
          type: "string"
        },
        complete: {
          type: "boolean"
        },
        services: {
          type: "integer"
        },
        assumed: {
          type: "string"
        }
      },
      required: ["name", "complete", "services", "assumed"]
    },
    head: {
      type: "object",
      properties: {
        name: {
          type: "string"
        },
        complete: {
          type: "boolean"
        },
        services: {
          type: "integer"
        },
        assumed: {
          type: "string"
        }
      },
      required: ["name", "complete", "services", "assumed"]
    },
    nodes: {
      type: "array",
      items: {
        type: "string"
      }
    },
    otherNodes: {
      type: "object",
      description: "Nodes that one side alone has, which were not looked from.",
      properties: {
        base: {
          type: "array",
          items: {
            type: "string"
          }
        },
        head: {
          type: "array",
          items: {
            type: "string"
          }
        }
      },
      required: ["base", "head"]
    },
    services: {
      type: "array",
      items: {
        type: "object",
        properties: {
          namespace: {
            type: "string"
          },
          name: {
            type: "string"
          },
          changes: {
            type: "array",
            items: {
              type: "object",
              properties: {
                kind: {
                  type: "string"
                },
                port: {
                  type: "string"
                },
                entryPoint: {
                  type: "string"
                },
                traffic: {
                  type: "string",
                  enum: ["internal", "external", ""]
                },
                text: {
                  type: "string"
                },
                gates: {
                  type: "array",
                  items: {
                    type: "string",
                    enum: [
                      "lost-endpoints",
                      "unreachable",
                      "new-exposure",
                      "source-ip",
                      "conflict",
                      "problems",
                      "any"
                    ]
                  }
                },
                field: {
                  type: "string"
                },
                families: {
                  type: "array",
                  items: {
                    type: "string",
                    enum: ["IPv4", "IPv6"]
                  }
                },
                nodes: {
                  type: "array",
                  items: {
                    type: "string"
                  }
                },
                everywhere: {
                  type: "boolean"
                },
                place: {
                  type: "object",
                  properties: {
                    side: {
                      type: "string",
                      enum: ["base", "head"]
                    },
                    file: {
                      type: "string"
                    },
                    line: {
                      type: "integer"
                    },
                    origin: {
                      type: "string"
                    }
                  },
                  required: ["side", "file", "line", "origin"]
                },
                endpoints: {
                  type: "object",
                  properties: {
                    before: {
                      type: "integer"
                    },
                    after: {
                      type: "integer"
                    },
                    lost: {
                      type: "array",
                      items: {
                        type: "string"
                      }
                    },
                    gained: {
                      type: "array",
                      items: {
                        type: "string"
                      }
                    },
                    zones: {
                      type: "array",
                      items: {
                        type: "object",
                        properties: {
                          zone: {
                            type: "string"
                          },
                          before: {
                            type: "integer"
                          },
                          after: {
                            type: "integer"
                          }
                        },
                        required: ["zone", "before", "after"]
                      }
                    }
                  },
                  required: ["before", "after", "lost", "gained"]
                }
              },
              required: [
                "kind",
                "port",
                "entryPoint",
                "traffic",
                "text",
                "gates",
                "field",
                "families",
                "nodes",
                "everywhere",
                "place"
              ]
            }
          },
          formerName: {
            type: "string"
          }
        },
        required: ["namespace", "name", "changes"]
      }
    },
    problems: {
      type: "array",
      items: {
        type: "object",
        properties: {
          side: {
            type: "string",
            enum: ["base", "head"]
          },
          severity: {
            type: "string",
            enum: ["error", "warning"]
          },
          code: {
            type: "string"
          },
          file: {
            type: "string"
          },
          line: {
            type: "integer"
          },
          column: {
            type: "integer"
          },
          origin: {
            type: "string"
          },
          object: {
            type: "string"
          },
          field: {
            type: "string"
          },
          message: {
            type: "string"
          },
          hint: {
            type: "string"
          }
        },
        required: [
          "side",
          "severity",
          "code",
          "file",
          "line",
          "column",
          "origin",
          "object",
          "field",
          "message",
          "hint"
        ]
      }
    },
    gates: {
      type: "array",
      items: {
        type: "string",
        enum: ["lost-endpoints", "unreachable", "new-exposure", "source-ip", "conflict", "problems", "any"]
      }
    },
    rules: {
      type: "object",
      properties: {
        node: {
          type: "string"
        },
        added: {
          type: "integer"
        },
        removed: {
          type: "integer"
        },
        lines: {
          type: "array",
          items: {
            type: "string"
          }
        }
      },
      required: ["node", "added", "removed"]
    }
  },
  required: [
    "format_version",
    "kind",
    "writtenBy",
    "mode",
    "headline",
    "base",
    "head",
    "nodes",
    "services",
    "problems",
    "gates"
  ]
};

// hosts/action/report-file.ts
var bytesAtMost2 = 1e8;
function readReport(file) {
  const stats = lstatSync(file, { throwIfNoEntry: false });
  if (stats === void 0) throw new ActionError(`${file}: no such file`);
  if (!stats.isFile()) throw new ActionError(`${file}: not a regular file`);
  if (stats.size > bytesAtMost2)
    throw new ActionError(`${file}: ${stats.size} bytes, and at most ${bytesAtMost2} are read`);
  let value;
  try {
    value = JSON.parse(readFileSync2(file, "utf8"));
  } catch (error) {
    throw new ActionError(`${file}: not JSON: ${printable(String(error), 200)}`);
  }
  const wrong = complaints(diff_report_default, value, "ignored");
  if (wrong.length > 0) {
    const shown = wrong.slice(0, 3).map((each) => printable(each, 200));
    throw new ActionError(`${file}: no report of sluice diff: ${shown.join("; ")}`);
  }
  return value;
}

// hosts/action/run.ts
var summaryBytes = 1e6;
var annotationsOfALevel = 10;
async function run(around) {
  try {
    const inputs = readInputs(around.env);
    const { report, file, code } = inputs.report === "" ? await made(inputs, around) : given(inputs);
    if (report === void 0) throw new ActionError(`sluice diff ended with ${code} and without a report`);
    show(report, file, around);
    const isCommentFine = inputs.comment === "off" || await commented(inputs, inputs.comment, report, around);
    return code !== 0 ? code : isCommentFine ? 0 : 1;
  } catch (error) {
    if (!(error instanceof ActionError)) throw error;
    around.write(command("error", error.message));
    return 1;
  }
}
function given({ report: file }) {
  return { report: readReport(file), file, code: 0 };
}
async function made(inputs, { env, write }) {
  const directory = mkdtempSync2(join2(env.RUNNER_TEMP ?? tmpdir(), "sluice-"));
  const file = join2(directory, "report.json");
  if (!hasCommit(inputs.base)) {
    const hint = "give actions/checkout `fetch-depth: 2`, or input base another";
    throw new ActionError(`this checkout has no commit ${inputs.base}: ${hint}`);
  }
  const sluice = await findCommand(inputs, env, directory);
  const token = randomUUID();
  write(`::stop-commands::${token}
`);
  const { status, stdout, stderr } = spawnSync2(process.execPath, [sluice, ...diffArguments(inputs, file)], {
    encoding: "utf8",
    env: { ...env, INPUT_TOKEN: void 0 },
    maxBuffer: 1 << 30
  });
  write(`${stderr}${stdout}
::${token}::
`);
  const code = status ?? 1;
  const isThere = statSync(file, { throwIfNoEntry: false }) !== void 0;
  return { report: isThere ? readReport(file) : void 0, file, code };
}
function hasCommit(ref) {
  const args = ["rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`];
  return spawnSync2("git", args, { stdio: "ignore" }).status === 0;
}
function isChanged({ services, problems }) {
  return services.length > 0 || problems.length > 0;
}
function show(report, file, { env, write }) {
  write(annotations(diffGithub(report)));
  if (env.GITHUB_STEP_SUMMARY !== void 0) {
    const used = statSync(env.GITHUB_STEP_SUMMARY, { throwIfNoEntry: false })?.size ?? 0;
    appendFileSync(env.GITHUB_STEP_SUMMARY, `${diffMarkdown(report, summaryBytes - used)}
`);
  }
  if (env.GITHUB_OUTPUT !== void 0) {
    const outputs = { changed: String(isChanged(report)), headline: printable(report.headline), report: file };
    const text = Object.entries(outputs).map(([name, value]) => {
      const end = randomUUID();
      return `${name}<<${end}
${value}
${end}
`;
    });
    appendFileSync(env.GITHUB_OUTPUT, text.join(""));
  }
}
function annotations(text) {
  const counts2 = /* @__PURE__ */ new Map();
  let dropped = 0;
  const lines = text.split("\n").filter((line) => {
    const level = /^::(\w+) /.exec(line)?.[1];
    if (level === void 0) return true;
    const count = (counts2.get(level) ?? 0) + 1;
    counts2.set(level, count);
    if (count > annotationsOfALevel) dropped++;
    return count <= annotationsOfALevel;
  });
  const more = dropped === 0 ? "" : `sluice: ${dropped} more stand in the job summary; GitHub shows ten of each level
`;
  return `${lines.join("\n")}${more}`;
}
async function commented(inputs, mode, report, { env, write, wait }) {
  const api = new GitHubApi(
    env.GITHUB_API_URL ?? "https://api.github.com",
    env.GITHUB_REPOSITORY ?? "",
    inputs.token,
    wait
  );
  const title2 = inputs.label === "" ? "" : `**${printable(inputs.label, 100)}**

`;
  const body = isChanged(report) ? `${title2}${diffMarkdown(report)}` : void 0;
  try {
    const event = JSON.parse(readFileSync3(env.GITHUB_EVENT_PATH ?? "", "utf8"));
    const pullRequest = await pullRequestOf(env.GITHUB_EVENT_NAME ?? "", event, api);
    if (pullRequest === void 0) {
      write("sluice: no open pull request has this commit as its last: no comment\n");
      return true;
    }
    write(
      `sluice: pull request ${pullRequest}: ${await comment(api, pullRequest, mode, commentMarker(inputs), body)}
`
    );
    return true;
  } catch (error) {
    if (!(error instanceof GitHubError)) throw error;
    const isFault = env.GITHUB_EVENT_NAME === "workflow_run";
    const hint = error.status === 403 || error.status === 404 ? "; the job needs `permissions: pull-requests: write`, which a fork's pull request never gets: docs/pull-requests.md" : "";
    write(command(isFault ? "error" : "warning", `no comment: ${error.message}${hint}`));
    return !isFault;
  }
}
function command(level, message) {
  return `::${level} title=sluice::${printable(message.replaceAll("%", "%25"), 2e3)}
`;
}

// hosts/action/main.ts
process.exitCode = await run({ env: process.env, write: (text) => void process.stdout.write(text) });
