// A file that holds one KubeProxyConfiguration: read, its types checked, with the way back to its lines.
import { type Diagnostic, diagnostic } from "../diagnostics.ts";
import type { Input, Source } from "../manifests/input.ts";
import { parseYaml } from "../manifests/parse.ts";
import { fieldAt, parsePath } from "../manifests/scan.ts";
import { skipBlanks, toUtf8 } from "../manifests/text.ts";
import { configFields } from "./fields.ts";
import type { RawConfig } from "./raw.ts";
import { shown } from "./shown.ts";
import { misfits } from "./types.ts";

export interface ConfigDocument {
  /** Fields that are unknown or not of their type are left out. Undefined if this is no KubeProxyConfiguration. */
  readonly value: RawConfig | undefined;
  /** Of keys given twice the last counts, with a warning; unknown fields are warnings too. What `report` says is added. */
  readonly diagnostics: Diagnostic[];
  /** Where a field stands. */
  place(field: string): Partial<Diagnostic>;
  /** The field, or the one that it is part of, was left out of `value`. */
  isLeftOut(field: string): boolean;
  /** Says something about a field at its place, once; nothing about one that was left out, which is reported already. */
  report(severity: Diagnostic["severity"], field: string, code: string, message: string, hint?: string): void;
}

export function readConfigDocument(source: Source): ConfigDocument {
  const file = source.name;
  const diagnostics: Diagnostic[] = [];
  let input: Input | undefined;
  let value: RawConfig | undefined;
  const placeOf = (path: readonly (string | number)[], wanted: "key" | "value" = "value") => {
    if (input === undefined) return { file };
    const at = fieldAt(input.json, 0, path);
    return { file, ...input.position(wanted === "key" ? at.key : at.value) };
  };
  const leftOut: string[] = [];
  const isLeftOut = (field: string) => leftOut.some((path) => isWithin(field, path));
  const report: ConfigDocument["report"] = (severity, field, code, message, hint = "") => {
    if (isLeftOut(field)) return;
    if (diagnostics.some((said) => said.field === field && said.code === code && said.message === message)) return;
    diagnostics.push(diagnostic(severity, code, message, { ...placeOf(parsePath(field)), field, hint }));
  };

  input = onlyInput(file, toUtf8(source.bytes), diagnostics);
  if (input !== undefined) {
    const { json, hint } = input;
    const parsed = JSON.parse(new TextDecoder().decode(json)) as Record<string, unknown>;
    if (checkType(parsed, report)) {
      for (const misfit of [...misfits(parsed, configFields)]) {
        const { code, path, message } = misfit;
        leftOut.push(showPath(path));
        leaveOut(parsed, path);
        const isWrong = code === "wrong-type";
        const at = placeOf(path, isWrong ? "value" : "key");
        const more = {
          ...at,
          field: showPath(path),
          hint: (isWrong && hint(fieldAt(json, 0, path).value)) || misfit.hint,
        };
        diagnostics.push(diagnostic(isWrong ? "error" : "warning", code, message, more));
      }
      value = parsed as RawConfig;
    }
  }
  return { value, diagnostics, place: (field) => placeOf(parsePath(field)), isLeftOut, report };
}

/** The file's one document. Undefined: reported. */
function onlyInput(file: string, bytes: Uint8Array, diagnostics: Diagnostic[]): Input | undefined {
  if (skipBlanks(bytes) === bytes.length) {
    diagnostics.push(diagnostic("error", "empty-file", "the configuration is empty", { file }));
    return undefined;
  }
  const inputs: Input[] = [];
  for (const parsed of parseYaml(file, bytes)) {
    if ("input" in parsed) inputs.push(parsed.input);
    // A file without objects is but worth a warning elsewhere.
    else diagnostics.push(parsed.diagnostic.code === "no-objects" ? asError(parsed.diagnostic) : parsed.diagnostic);
  }
  const input = inputs[0];
  if (diagnostics.some(({ severity }) => severity === "error") || input === undefined) return undefined;
  const documents = new TextDecoder().decode(input.json).trimEnd().split("\n").length;
  if (documents > 1 || inputs.length > 1) {
    const message = `one document is wanted, and this file has ${documents}`;
    diagnostics.push(diagnostic("error", "config-documents", message, { file }));
    return undefined;
  }
  return input;
}

function asError(found: Diagnostic): Diagnostic {
  return { ...found, severity: "error" };
}

function checkType(value: Record<string, unknown>, report: ConfigDocument["report"]): boolean {
  if (value.kind !== "KubeProxyConfiguration") {
    const hint =
      value.kind === "ConfigMap"
        ? "give its content: kubectl -n kube-system get configmap kube-proxy -o jsonpath='{.data.config\\.conf}'"
        : "it starts with `apiVersion: kubeproxy.config.k8s.io/v1alpha1` and `kind: KubeProxyConfiguration`";
    const found = typeof value.kind === "string" ? `this is a ${shown(value.kind)}` : "`kind` is missing";
    report("error", "kind", "config-kind", `a KubeProxyConfiguration is wanted, and ${found}`, hint);
    return false;
  }
  if (value.apiVersion !== "kubeproxy.config.k8s.io/v1alpha1") {
    const found =
      value.apiVersion === undefined
        ? "it is missing"
        : `this is ${typeof value.apiVersion === "string" ? shown(value.apiVersion) : "no text"}`;
    const hint = "write `apiVersion: kubeproxy.config.k8s.io/v1alpha1`";
    const message = `only kubeproxy.config.k8s.io/v1alpha1 is known, and ${found}`;
    report("error", "apiVersion", "config-version", message, hint);
    return false;
  }
  return true;
}

/** Whether `field` is `outer`, or a part of it: `a.b[0]` is within `a.b` and `a`. */
function isWithin(field: string, outer: string): boolean {
  return field === outer || (field.startsWith(outer) && /^[.[]/.test(field.slice(outer.length)));
}

/** An item of a list becomes null, so that the others keep their numbers. */
function leaveOut(value: object, path: readonly (string | number)[]): void {
  const [first = "", ...rest] = path;
  const parent = value as Record<string | number, object>;
  if (rest.length > 0) leaveOut(parent[first] ?? {}, rest);
  else if (Array.isArray(value)) value[Number(first)] = null;
  else delete parent[first];
}

function showPath(path: readonly (string | number)[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    return text === "" ? step : `${text}.${step}`;
  }, "");
}
