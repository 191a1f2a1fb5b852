// iptables-restore's input, word by word. Match order is part of kube-proxy's text: what layouts call is written in the
// order of the calls.
import { formatIPv4, formatIPv6 } from "../bytes/address";
import {
  byte,
  decimal,
  hex32,
  lit,
  newline,
  outAdvance,
  outReserve,
  outSelected,
  put,
  StreamName,
  writeLiteral,
} from "../bytes/out";
import { IPV4, Protocol } from "../bytes/protocols";
import { lineEnds } from "./owners";

/** Chains are written under names that nobody else uses. */
let renaming: bool = false;
const OTHER_START: string = "SLUI-";

/** From now on chains whose names begin with `KUBE-` are written under other names that are as long. */
export function renameChains(on: bool): void {
  renaming = on;
}

/** A chain's name: `prefix`, then the sixteen characters at `hash` (0: none). Or a target that is no chain. */
function chainName(prefix: string, hash: usize): void {
  const at = renaming && prefix.startsWith("KUBE-") ? outReserve(<usize>prefix.length) : 0;
  lit(prefix);
  if (at != 0) writeLiteral(at, OTHER_START);
  if (hash != 0) put(hash, 16);
}

function end(): void {
  lineEnds();
  newline();
}

/** Rules written in all, of each table: differences tell how many a plan has. */
export let filterRulesWritten: u32 = 0;
export let natRulesWritten: u32 = 0;

function ruleEnds(): void {
  if (outSelected() == StreamName.MAIN) filterRulesWritten++;
  else natRulesWritten++;
  end();
}

/** `*filter` */
export function table(name: string): void {
  byte(0x2a);
  lit(name);
  newline();
}

export function commit(): void {
  lit("COMMIT");
  newline();
}

/** Declares a chain, and empties it if it is there. */
export function declareChain(prefix: string, hash: usize): void {
  byte(0x3a);
  chainName(prefix, hash);
  lit(" - [0:0]");
  end();
}

/** Declares a built-in chain. */
export function declareBuiltin(name: string): void {
  byte(0x3a);
  lit(name);
  lit(" ACCEPT [0:0]");
  newline();
}

export function deleteChain(prefix: string, hash: usize): void {
  lit("-X ");
  chainName(prefix, hash);
  newline();
}

/** Begins a rule. */
export function append(prefix: string, hash: usize): void {
  lit("-A ");
  chainName(prefix, hash);
}

/** Words as they are, with a blank before them. */
export function words(text: string): void {
  byte(0x20);
  lit(text);
}

/** Ends the rule with a jump. */
export function jump(prefix: string, hash: usize): void {
  lit(" -j ");
  chainName(prefix, hash);
  ruleEnds();
}

/** Ends a rule that is complete. */
export function endRule(): void {
  ruleEnds();
}

/** A whole rule that contains nothing variable. */
export function rule(text: string): void {
  lit(text);
  ruleEnds();
}

/** Comments are written; not where the node lacks the extension. They decide nothing. */
let commenting: bool = true;

export function writeComments(on: bool): void {
  commenting = on;
}

/** `-m comment --comment "before NAME after"`; the name has been checked to contain no quotes. */
export function comment(before: string, name: usize, length: usize, after: string): void {
  if (!commenting) return;
  lit(' -m comment --comment "');
  lit(before);
  put(name, length);
  lit(after);
  byte(0x22);
}

/** `-m comment --comment "NAME between OTHER"` */
export function commentOfTwo(name: usize, length: usize, between: string, other: usize, otherLength: usize): void {
  if (!commenting) return;
  lit(' -m comment --comment "');
  put(name, length);
  lit(between);
  put(other, otherLength);
  byte(0x22);
}

/** A comment that is a name alone goes without quotes. */
export function nameComment(name: usize, length: usize): void {
  if (!commenting) return;
  lit(" -m comment --comment ");
  put(name, length);
}

/** `-m comment --comment "text"` */
export function fixedComment(text: string): void {
  comment("", 0, 0, text);
}

/** `-m tcp -p tcp` */
export function protocol(number: u32): void {
  lit(number == Protocol.TCP ? " -m tcp -p tcp" : number == Protocol.UDP ? " -m udp -p udp" : " -m sctp -p sctp");
}

/** An address from its bytes. */
export function ip(family: u32, bytes: usize): void {
  const to = outReserve(64);
  outAdvance(family == IPV4 ? formatIPv4(to, bytes) : formatIPv6(to, bytes));
}

/** `-d IP` */
export function destination(family: u32, bytes: usize): void {
  lit(" -d ");
  ip(family, bytes);
}

export function destinationPort(port: u32): void {
  lit(" --dport ");
  decimal(port);
}

/** `MARK/MARK` */
export function markAndMask(mark: u32): void {
  hex32(mark);
  byte(0x2f);
  hex32(mark);
}

/** 1/n with ten decimals, as C prints the double: rounded half up, but for 2048, where half is a tie to even. */
export function probability(n: u32): void {
  lit(" -m statistic --mode random --probability 0.");
  const scaled: u64 = n == 2048 ? 4882812 : (20000000000 + <u64>n) / (2 * <u64>n);
  for (let unit: u64 = 1000000000; unit != 0; unit /= 10) byte(<u8>(0x30 + ((scaled / unit) % 10)));
}
