// What is wrong with the input, as data. hosts/cli/output/diagnostics.ts prints it.
import type { Problem } from "./contract.ts";

export interface Diagnostic {
  /** `error`: something was left out. `warning`: worth a look. `note`: says what was assumed. */
  severity: "error" | "warning" | "note";
  /** Stable, for programs. */
  code: string;
  /** As the user named it; empty if no file is concerned. */
  file: string;
  /** Counted from 1; 0 if unknown. */
  line: number;
  column: number;
  /** The file from which that one was made, if it says so: what people edit. Absent: it is what they edit, or nobody knows. */
  origin?: string;
  /** The object, as far as it is known. */
  kind: string;
  namespace: string;
  name: string;
  /** Path of the field within the object, e.g. `spec.ports[0].port`. */
  field: string;
  message: string;
  /** What to do. */
  hint: string;
}

export interface Position {
  line: number;
  column: number;
}

export function diagnostic(
  severity: Diagnostic["severity"],
  code: string,
  message: string,
  more: Partial<Diagnostic> = {},
): Diagnostic {
  return {
    severity,
    code,
    file: "",
    line: 0,
    column: 0,
    kind: "",
    namespace: "",
    name: "",
    field: "",
    message,
    hint: "",
    ...more,
  };
}

export function fromProblem(problem: Problem, file = "", position: Position = { line: 0, column: 0 }): Diagnostic {
  const { severity, code, kind, namespace, name, field, message, hint } = problem;
  return { severity, code, file, ...position, kind, namespace, name, field, message, hint };
}

const kinds: ReadonlySet<string> = new Set(["Service", "EndpointSlice", "Node", "ServiceCIDR"]);

/** The error costs one object, and all others count. Else a file was not read to its end, or more than one object is lost. */
export function isRefusal({ kind, code }: Diagnostic): boolean {
  return kinds.has(kind) && !code.startsWith("json-");
}

/** `web.yaml:12:9`, as far as it is known; empty if no file is concerned. */
export function placeText({ file, line, column }: Pick<Diagnostic, "file" | "line" | "column">): string {
  return line === 0 ? file : `${file}:${line}:${column}`;
}

/** `Service shop/web`, `Node node-a`; empty if nothing is known. */
export function objectName(object: { kind: string; namespace: string; name: string }): string {
  const name = object.namespace === "" ? object.name : `${object.namespace}/${object.name}`;
  return [object.kind, name].filter((part) => part !== "").join(" ");
}
