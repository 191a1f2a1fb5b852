// Names of network interfaces, as detectLocal has them. The engine checks the same (engine/routing/configure.ts).
import type { Mode } from "../contract.ts";
import type { Diagnostic } from "../diagnostics.ts";
import { shown } from "./shown.ts";

/** Linux: IFNAMSIZ less the terminating zero. */
const longest = 15;

type Tell = (severity: Diagnostic["severity"], code: string, message: string, hint: string) => void;

/**
 * The kernel takes up to 15 bytes without blanks, / and :. Rule text adds that " and \ end or change a word of it, and that *
 * stands for a prefix in nft.
 */
export function checkInterfaceName(
  name: string,
  { isPrefix, mode }: { isPrefix: boolean; mode: Mode | undefined },
  tell: Tell,
): void {
  const bytes = new TextEncoder().encode(name);
  const isReserved = !isPrefix && [".", "..", "!"].includes(name);
  if (bytes.length > longest || isReserved || bytes.some((byte) => !isNameByte(byte))) {
    const hint = 'write 1 to 15 bytes without blanks and none of / : " \\ *';
    tell("error", "invalid-interface", `${shown(name)} is no name of an interface`, hint);
    return;
  }
  if (!name.endsWith("+") || mode !== "iptables") return;
  if (isPrefix && bytes.length < longest) return;
  const message = "iptables reads a + at the end as: every interface whose name begins so";
  if (isPrefix) tell("error", "interface-wildcard", message, "leave out the +, which has the same effect");
  else tell("warning", "interface-wildcard", message, "if that is meant, use detectLocalMode InterfaceNamePrefix");
}

/** dev_valid_name() of the kernel, whose isspace() has 0xa0 too. */
function isNameByte(byte: number): boolean {
  return byte > 0x20 && byte !== 0x7f && byte !== 0xa0 && !'"*/:\\'.includes(String.fromCharCode(byte));
}
