import type { Io } from "../io.ts";

export type Paint = (colour: "red" | "yellow" | "bold" | "dim", text: string) => string;

const codes = { red: 31, yellow: 33, bold: 1, dim: 2 } as const;

/** Colours for stderr if it is a terminal and NO_COLOR is not set (https://no-color.org). */
export function painter(io: Io): Paint {
  const { NO_COLOR, TERM } = io.env;
  const plain = io.stderr.isTTY !== true || (NO_COLOR !== undefined && NO_COLOR !== "") || TERM === "dumb";
  return plain ? (_, text) => text : (colour, text) => `\u001b[${codes[colour]}m${text}\u001b[0m`;
}
