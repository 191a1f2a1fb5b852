// Where packets end, in words.
import type { Ending as WholeEnding } from "../../shared/witness-answers.ts";

type Ending = Omit<WholeEnding, "line">;

export function endpointText({ address = "", port }: Pick<Ending, "address" | "port">): string {
  const host = address.includes(":") ? `[${address}]` : address;
  return port === undefined ? host : `${host}:${port}`;
}

export function endingText(ending: Ending): string {
  switch (ending.ending) {
    case "endpoint": {
      const details = [
        ending.masquerade ? "masqueraded" : "",
        ending.snat === undefined ? "" : `from ${ending.snat}`,
        ending.affinitySeconds === undefined ? "" : `the client sticks to it for ${ending.affinitySeconds} s`,
      ].filter((text) => text !== "");
      return `goes to ${endpointText(ending)}${details.map((text) => `, ${text}`).join("")}`;
    }
    case "pass":
      return ending.masquerade ? "passes untranslated, masqueraded" : "passes untranslated";
    case "drop":
      return "is dropped";
    case "reject":
      return `is rejected (${ending.with})`;
    case "unknown":
      return "ends nobody knows where";
  }
}

/** `1/3`; empty where it is certain. */
export function oddsText({ probability: [numerator, denominator] }: Ending): string {
  return numerator === denominator ? "" : `${numerator}/${denominator}`;
}

/** All endings in one line, at most so many of them. */
export function endingsText(endings: readonly Ending[], most = 4): string {
  const texts = endings.slice(0, most).map((ending) => {
    const odds = oddsText(ending);
    return odds === "" ? endingText(ending) : `${odds} ${endingText(ending)}`;
  });
  if (endings.length > most) texts.push(`${endings.length - most} more`);
  return texts.join("; ");
}
