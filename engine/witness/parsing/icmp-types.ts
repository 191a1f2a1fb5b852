// ICMP types by name and number. A packet's type and code stand where others have their destination port: type × 256 + code.
import { equalLiteral } from "../../bytes/compare";
import { indexOf, NO_NUMBER, parseNumber } from "./numbers";

/** What `parseIcmpType` has read. */
export let first: u32 = 0;
export let last: u32 = 0;

const V4: StaticArray<string> = [
  "echo-reply",
  "",
  "",
  "destination-unreachable",
  "source-quench",
  "redirect",
  "",
  "",
  "echo-request",
  "router-advertisement",
  "router-solicitation",
  "time-exceeded",
  "parameter-problem",
  "timestamp-request",
  "timestamp-reply",
  "info-request",
  "info-reply",
  "address-mask-request",
  "address-mask-reply",
];
const V6_LOW: StaticArray<string> = [
  "",
  "destination-unreachable",
  "packet-too-big",
  "time-exceeded",
  "parameter-problem",
];
/** From 128 on. */
const V6: StaticArray<string> = [
  "echo-request",
  "echo-reply",
  "mld-listener-query",
  "mld-listener-report",
  "mld-listener-done",
  "nd-router-solicit",
  "nd-router-advert",
  "nd-neighbor-solicit",
  "nd-neighbor-advert",
  "nd-redirect",
  "router-renumbering",
  "",
  "",
  "ind-neighbor-solicit",
  "ind-neighbor-advert",
  "mld2-listener-report",
];

/** Place of a name, or 256. */
function placeIn(names: StaticArray<string>, bytes: usize, length: usize): u32 {
  for (let i = 0; i < names.length; i++) if (length > 0 && equalLiteral(bytes, length, names[i])) return i;
  return 256;
}

function typeOf(bytes: usize, length: usize, isV6: bool): u64 {
  const number = parseNumber(bytes, length);
  if (number != NO_NUMBER) return number;
  if (!isV6) return placeIn(V4, bytes, length);
  const low = placeIn(V6_LOW, bytes, length);
  if (low < 256) return low;
  const high = placeIn(V6, bytes, length);
  if (high < 256) return 128 + high;
  // Another name of nft's.
  return equalLiteral(bytes, length, "mld-listener-reduction") ? 132 : 256;
}

/** `8`, `3/4`, `echo-request`, `A-B`, `any`; false: none of these. */
export function parseIcmpType(bytes: usize, length: usize, isV6: bool): bool {
  if (equalLiteral(bytes, length, "any")) {
    first = 0;
    last = 0xffff;
    return true;
  }
  const slash = indexOf(bytes, length, 0x2f);
  let low = typeOf(bytes, slash, isV6);
  let high = low;
  if (low > 255 && slash == length) {
    const dash = indexOf(bytes, length, 0x2d);
    if (dash == length) return false;
    low = parseNumber(bytes, dash);
    high = parseNumber(bytes + dash + 1, length - dash - 1);
  }
  if (low > 255 || high > 255) return false;
  first = <u32>(low << 8);
  last = <u32>((high << 8) | 255);
  if (slash == length) return true;
  const code = parseNumber(bytes + slash + 1, length - slash - 1);
  if (code > 255) return false;
  first |= <u32>code;
  last = first;
  return true;
}
