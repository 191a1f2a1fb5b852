import { type Diagnostic, isRefusal, objectName } from "../../shared/diagnostics.ts";
import { printable } from "../../shared/printable.ts";
import type { Io } from "../io.ts";
import { type Paint, painter } from "./colour.ts";

/** Shown without `-v`; a broken dump has one for each object. */
const shownAtMost = 100;

/**
 * `web.yaml:12:9: error: Service shop/web: spec.ports[0].port: what is wrong [code]`, and what to do on the next line.
 * Of a file that was made from another: `chart/templates/web.yaml (stdin:12:9): error: …`.
 */
export function formatDiagnostic(diagnostic: Diagnostic, paint: Paint): string {
  const { file, line, column, severity, field, message, hint, code } = diagnostic;
  const { origin = "" } = diagnostic;
  const at = line === 0 ? printable(file) : `${printable(file)}:${line}:${column}`;
  const place = file === "" ? "" : origin === "" ? `${at}: ` : `${printable(origin)} (${at}): `;
  const about = [objectName(diagnostic), field].filter((part) => part !== "").map((part) => `${printable(part)}: `);
  const colour = severity === "error" ? "red" : severity === "warning" ? "yellow" : "dim";
  const text = `${paint("bold", place)}${paint(colour, `${severity}:`)} ${about.join("")}${printable(message, 2000)}`;
  const next = hint === "" ? "" : `  ${printable(hint, 2000)}\n`;
  return `${text} ${paint("dim", `[${printable(code)}]`)}\n${next}`;
}

/** Prints diagnostics as they come and counts them. */
export class Reporter {
  readonly #io: Io;
  readonly #paint: Paint;
  readonly #limit: number;
  readonly #counts = { error: 0, warning: 0, note: 0 };
  #refusals = 0;
  #shown = 0;
  #hidden = 0;
  /** Called before something is printed: a progress line must go first. */
  beforePrint: () => void = () => {};
  /** The file from which that line was made; empty: it is what people edit. */
  originOf: (file: string, line: number) => string = () => "";

  constructor(io: Io, verbose: boolean) {
    this.#io = io;
    this.#paint = painter(io);
    this.#limit = verbose ? Number.POSITIVE_INFINITY : shownAtMost;
  }

  readonly report = (diagnostic: Diagnostic): void => {
    this.#counts[diagnostic.severity]++;
    if (diagnostic.severity === "error" && isRefusal(diagnostic)) this.#refusals++;
    if (diagnostic.severity !== "note" && ++this.#shown > this.#limit) {
      this.#hidden++;
      return;
    }
    const origin = diagnostic.origin ?? this.originOf(diagnostic.file, diagnostic.line);
    this.#print(formatDiagnostic({ ...diagnostic, origin }, this.#paint));
  };

  /** A plain line on stderr. */
  say(text: string): void {
    this.#print(`${text}\n`);
  }

  get errors(): number {
    return this.#counts.error;
  }

  /** Errors that cost more than one object each. */
  get errorsBeyondRefusals(): number {
    return this.#counts.error - this.#refusals;
  }

  /** Says what was not shown. */
  finish(): void {
    if (this.#hidden > 0) this.say(`sluice: ${this.#hidden} more errors and warnings; -v shows all`);
    this.#hidden = 0;
  }

  #print(text: string): void {
    this.beforePrint();
    if (!this.#io.stderr.destroyed) this.#io.stderr.write(text);
  }
}
