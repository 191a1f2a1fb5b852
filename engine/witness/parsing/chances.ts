// Probabilities of xt_statistic. The kernel keeps 31 bits of them and iptables prints ten or eleven digits, so what was written
// as one in k comes back a little beside it; it is taken for one in k again.
import { code, Flag, Op, statement } from "../model/rules";

/** Half a step of the kernel's, and half a digit of the text's. */
const TOLERANCE: f64 = 5e-10;
/** Beyond this many, one in k and one in k + 1 are not told apart. */
const MOST: u64 = 40000;

let numerator: u64 = 0;
let denominator: u64 = 1;

/** Reads `0.3333333333` as a fraction. */
function parseFraction(bytes: usize, length: usize): bool {
  let value: u64 = 0;
  let scale: u64 = 1;
  let point = false;
  if (length == 0 || length > 16) return false;
  for (let i: usize = 0; i < length; i++) {
    const c = <u32>load<u8>(bytes + i);
    if (c == 0x2e && !point) {
      point = true;
      continue;
    }
    if (c - 0x30 > 9) return false;
    value = value * 10 + <u64>(c - 0x30);
    if (point) scale *= 10;
  }
  numerator = value;
  denominator = scale;
  return value <= scale;
}

/** Adds the match; false: the text is no probability. */
export function writeChance(bytes: usize, length: usize, not: bool): bool {
  if (!parseFraction(bytes, length)) return false;
  if (numerator != 0) {
    const probability = <f64>numerator / <f64>denominator;
    const k = <u64>nearest(1 / probability);
    if (k <= MOST && abs(probability - 1 / <f64>k) <= TOLERANCE) {
      numerator = 1;
      denominator = k;
    }
  }
  statement(Op.CHANCE, 4, not ? Flag.NOT : 0);
  code.push(<u32>numerator);
  code.push(<u32>(numerator >> 32));
  code.push(<u32>denominator);
  code.push(<u32>(denominator >> 32));
  return true;
}
