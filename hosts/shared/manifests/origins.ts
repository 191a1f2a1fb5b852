// The files that people edit, where what was read was made from them: Helm writes `# Source: chart/templates/web.yaml` at the
// head of each document, kustomize (buildMetadata: [originAnnotations]) an annotation.
import type { Source } from "./input.ts";

interface Origin {
  /** First line of the document. */
  readonly line: number;
  /** Empty: the document says none. */
  readonly path: string;
}

const helm = /^# Source: (\S.*)$/m;
const kustomize = /^[ \t]+config\.kubernetes\.io\/origin:[ \t]*\|[-+]?[ \t]*\r?\n((?:[ \t]+.*(?:\r?\n|$))+)/m;
const separator = /^---(?=\s|$)/gm;
/** Whichever of the two it is, this is in its bytes. */
const marks = ["# Source: ", "config.kubernetes.io/origin"].map((mark) => new TextEncoder().encode(mark));

export class Origins {
  readonly #byFile = new Map<string, readonly Origin[]>();

  add({ name, bytes }: Source): void {
    if (!marks.some((mark) => holds(bytes, mark))) return;
    this.#byFile.set(name, originsIn(new TextDecoder().decode(bytes)));
  }

  /** The file from which that line was made; empty if nothing says it. */
  of(file: string, line: number): string {
    const origin = this.#byFile.get(file)?.findLast((each) => each.line <= line);
    return origin?.path ?? "";
  }
}

function holds(bytes: Uint8Array, wanted: Uint8Array): boolean {
  const first = wanted[0] as number;
  for (let at = bytes.indexOf(first); at !== -1; at = bytes.indexOf(first, at + 1)) {
    if (wanted.every((byte, index) => bytes[at + index] === byte)) return true;
  }
  return false;
}

function originsIn(text: string): Origin[] {
  const starts = [0, ...[...text.matchAll(separator)].map(({ index }) => index)];
  let line = 1;
  let counted = 0;
  return starts.map((start, index) => {
    for (let at = text.indexOf("\n", counted); at !== -1 && at < start; at = text.indexOf("\n", at + 1)) line++;
    counted = start;
    return { line, path: originOf(text.slice(start, starts[index + 1])) };
  });
}

function originOf(document: string): string {
  const source = helm.exec(document)?.[1];
  if (source !== undefined) return source.trim();
  const annotation = kustomize.exec(document)?.[1] ?? "";
  const field = (name: string) =>
    new RegExp(`^[ \\t]+${name}:[ \\t]*["']?([^"'\\r\\n]+)`, "m").exec(annotation)?.[1]?.trim();
  const path = field("path") ?? field("configuredIn");
  const repository = field("repo");
  return path === undefined ? "" : repository === undefined ? path : `${repository}/${path}`;
}
