// What a workflow gives the action: inputs as environment variables, as GitHub's runner sets them.
import { createHash } from "node:crypto";

export interface Inputs {
  readonly paths: readonly string[];
  readonly base: string;
  readonly options: readonly string[];
  readonly failOn: string;
  readonly comment: "sticky" | "new" | "off";
  readonly label: string;
  /** Empty: the action makes the report. */
  readonly report: string;
  readonly token: string;
  readonly package: string;
}

/** Whoever reads it can mend it: the step fails with its message alone. */
export class ActionError extends Error {}

type Env = Readonly<Record<string, string | undefined>>;

/** Throws an ActionError. */
export function readInputs(env: Env): Inputs {
  const input = (name: string) => (env[`INPUT_${name.toUpperCase()}`] ?? "").trim();
  const lines = (name: string) =>
    input(name)
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
  const comment = input("comment") || "off";
  if (comment !== "sticky" && comment !== "new" && comment !== "off") {
    throw new ActionError(`input comment: ${JSON.stringify(comment)} is none of sticky, new, off`);
  }
  const paths = lines("paths");
  return {
    paths: paths.length === 0 ? ["."] : paths,
    base: input("base") || "HEAD^1",
    options: lines("options"),
    failOn: input("fail-on"),
    comment,
    label: input("label"),
    report: input("report"),
    token: input("token"),
    package: input("package"),
  };
}

/** First line of comments: those of other inputs have another, so that jobs of a matrix leave each other's alone. */
export function commentMarker({ paths, options, label, report }: Inputs): string {
  const identity = createHash("sha256").update(JSON.stringify([paths, options, label, report]));
  return `<!-- sluice diff ${identity.digest("hex").slice(0, 16)} -->`;
}
