// What is wrong with a text, or not understood: each with the line, and in what table and chain it stands.
import { addProblem, beginText, Problem, Severity, textDecimal, textLiteral, textQuoted } from "../../abi/problems";
import { nameBytes, nameLength } from "../model/names";

/** Where the parser is: names of table and chain, and the line. */
export let table: u32 = 0;
export let chain: u32 = 0;
/** How many rules and elements hold something that is not understood. */
export let unknowns: u32 = 0;

export function setPlace(tableName: u32, chainName: u32): void {
  table = tableName;
  chain = chainName;
}

export function resetUnknowns(): void {
  unknowns = 0;
}

function placed(severity: u8, code: string, line: u32): Problem {
  const problem = addProblem(severity, code, line);
  problem.setObject("", nameBytes(table), nameLength(table), nameBytes(chain), nameLength(chain));
  return problem;
}

/** A word of a rule is not understood; the rule counts as unknown. */
export function unknownWord(line: u32, what: string, bytes: usize, length: usize): void {
  const problem = placed(Severity.WARNING, "unknown", line);
  beginText();
  textLiteral(what);
  textLiteral(" ");
  textQuoted(bytes, length);
  textLiteral(" is not understood");
  problem.setMessage();
  problem.setHint("packets that reach this rule get the answer unknown");
  unknowns++;
}

/** The text is no rule text here; the line is left out. */
export function badSyntax(line: u32, what: string, bytes: usize, length: usize): void {
  const problem = placed(Severity.ERROR, "syntax", line);
  beginText();
  textLiteral(what);
  if (length != 0) {
    textLiteral(", not ");
    textQuoted(bytes, length);
  }
  problem.setMessage();
  problem.setHint("take the text anew: the line is left out");
}

/** As badSyntax, for what the text as a whole is. */
export function badText(code: string, message: string, hint: string): void {
  const problem = placed(Severity.ERROR, code, 0);
  beginText();
  textLiteral(message);
  problem.setMessage();
  problem.setHint(hint);
}

/** JSON is broken behind so many bytes. */
export function badJson(offset: usize): void {
  const problem = placed(Severity.ERROR, "syntax", 0);
  beginText();
  textLiteral("the JSON is cut off or broken behind byte ");
  textDecimal(<u32>offset);
  problem.setMessage();
  problem.setHint("take the text anew: nothing of it was read");
}

/** Some rule or element refers to a chain or set that is nowhere declared. */
export function missing(line: u32, what: string, name: u32): void {
  const problem = placed(Severity.WARNING, "missing", line);
  beginText();
  textLiteral(what);
  textLiteral(" ");
  textQuoted(nameBytes(name), nameLength(name));
  textLiteral(" is not in this text");
  problem.setMessage();
  problem.setHint("take a complete dump: packets that get there get the answer unknown");
  unknowns++;
}
