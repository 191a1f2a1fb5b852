// What kube-proxy and the agent start with, and nobody can have meant: `agent --check` and `render --strict` make it errors.
import type { Diagnostic } from "../diagnostics.ts";

const meaningless: ReadonlySet<string> = new Set([
  "unknown-field",
  "former-field",
  "yaml-duplicate-key",
  "unused-value",
  "unknown-feature-gate",
]);

/** The same, with such warnings as errors. */
export function asStrict(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  return diagnostics.map((found) => (meaningless.has(found.code) ? { ...found, severity: "error" } : found));
}
