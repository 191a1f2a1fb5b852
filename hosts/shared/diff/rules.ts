// Which lines of rule text only one side has, whatever their order.
import type { RulesChange } from "./report.ts";

/** Lines that say nothing of what is there afterwards. */
const preparing = /^(?:#|flush |delete |COMMIT$|\*|$)/;

export function rulesChange(before: string, after: string, withLines: boolean): Omit<RulesChange, "node"> {
  const [olds, news] = [linesOf(before), linesOf(after)];
  const removed = without(olds, news);
  const added = without(news, olds);
  const counts = { added: added.length, removed: removed.length };
  if (!withLines) return counts;
  return { ...counts, lines: [...removed.map((line) => `-${line}`), ...added.map((line) => `+${line}`)] };
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => !preparing.test(line));
}

/** What is in `lines` more often than in `others`. */
function without(lines: readonly string[], others: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const line of others) counts.set(line, (counts.get(line) ?? 0) + 1);
  return lines.filter((line) => {
    const count = counts.get(line) ?? 0;
    if (count > 0) counts.set(line, count - 1);
    return count === 0;
  });
}
