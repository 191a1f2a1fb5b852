import { unprintable } from "./unprintable.ts";

/**
 * Text from the input, safe to print on a terminal and in a comment of a script: no control characters, no line ends,
 * and not long. iptables-restore reads lines of at most 10,240 bytes and takes the rest of a longer comment for a rule.
 */
export function printable(text: string, maxLength = 500): string {
  const safe = text.replace(unprintable, (char) => {
    const code = char.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
  });
  return safe.length > maxLength ? `${safe.slice(0, maxLength)}…` : safe;
}
