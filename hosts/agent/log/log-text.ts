// Lines for people, in the form that klog gives them, so that whatever collects kube-proxy's logs can read these.
import { unprintable } from "../../shared/unprintable.ts";

const LETTERS: Readonly<Record<number, string>> = { 10: "D", 20: "D", 25: "I", 30: "I", 40: "W", 50: "E", 60: "F" };
const OWN = new Set(["level", "ts", "msg"]);

/**
 * A line of either format whose strings are JSON: what JSON leaves as it is, and a terminal or an editor would obey, becomes
 * `\u009b`. The line feed at the end stays.
 */
export function printableLine(line: string): string {
  const end = line.endsWith("\n") ? line.length - 1 : line.length;
  const text = line.slice(0, end).replace(unprintable, escaped);
  return text + line.slice(end);
}

/** As JSON writes it: by UTF-16 code units. */
function escaped(character: string): string {
  let text = "";
  for (let at = 0; at < character.length; at++) text += `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`;
  return text;
}

const two = (number: number): string => String(number).padStart(2, "0");

/** `I1101 10:00:00.123000    4711 sluice] "rules written" family="IPv4" services=3` from a record of pino. */
export function textLine(record: Readonly<Record<string, unknown>>, processId: number): string {
  const time = new Date(Number(record.ts));
  const date = `${two(time.getMonth() + 1)}${two(time.getDate())}`;
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  const micros = `${String(time.getMilliseconds()).padStart(3, "0")}000`;
  const head = `${LETTERS[Number(record.level)] ?? "I"}${date} ${clock}.${micros} ${String(processId).padStart(7)} sluice]`;
  const fields = Object.entries(record)
    .filter(([name, value]) => !OWN.has(name) && value !== undefined)
    .map(([name, value]) => ` ${name}=${JSON.stringify(value)}`);
  return `${head} ${JSON.stringify(record.msg ?? "")}${fields.join("")}\n`;
}
