// Diagnostics of the configuration as lines of the log.
import { type Diagnostic, placeText } from "../../shared/diagnostics.ts";

/** One line for the log: `configuration: config.conf:5:3: iptables.masqueradeBit: what is wrong`. */
export function configurationText(found: Diagnostic): string {
  return `configuration: ${placedText(found)}`;
}

/** `config.conf:5:3: iptables.masqueradeBit: what is wrong` */
export function placedText(found: Diagnostic): string {
  return [placeText(found), found.field, found.message].filter((part) => part !== "").join(": ");
}
