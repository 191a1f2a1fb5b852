// dnat, snat and redirect of nft.
import { IPV4, IPV6 } from "../model/addresses";
import { ABSENT } from "../model/pairs";
import { Op, statement2, statement3 } from "../model/rules";
import { Value } from "../model/sets";
import * as literals from "./literals";
import { readFields } from "./nft-fields";
import { readSetReference, setPlaceOfSets, writeImplied, writeLookup } from "./nft-matches";
import * as numbers from "./numbers";
import * as words from "./words";

/** `[ip|ip6] [addr . port] to`; family of the addresses, from the words if they say it. */
let family: u32 = ABSENT;
function readTo(): bool {
  words.next();
  family = ABSENT;
  if (words.is("ip") || words.is("ip6")) {
    family = words.is("ip6") ? IPV6 : IPV4;
    words.next();
  }
  if (words.is("addr")) {
    words.next();
    if (!words.is(".")) return false;
    words.next();
    if (!words.is("port")) return false;
    words.next();
  }
  if (!words.is("to")) return false;
  words.next();
  return true;
}

function skipFlags(): void {
  while (words.is("random") || words.is("fully-random") || words.is("persistent") || words.isSignOf(0x2c)) words.next();
}

/** `dnat to A:P`, `dnat ip addr . port to FIELDS map @m` */
export function readDnat(table: u32, line: u32): bool {
  if (!readTo()) return false;
  if (literals.parseEndpoint(words.bytes, words.length)) {
    statement3(Op.DNAT, 0, literals.family, literals.first, literals.port);
    words.next();
    skipFlags();
    return true;
  }
  if (words.length > 1 && load<u8>(words.bytes) == 0x3a) {
    const port = numbers.parseNumber(words.bytes + 1, words.length - 1);
    if (port > 0xffff) return false;
    statement3(Op.DNAT, 0, family == IPV6 ? IPV6 : IPV4, ABSENT, <u32>port);
    words.next();
    return true;
  }
  if (!readFields() || !words.is("map")) return false;
  words.next();
  setPlaceOfSets(table, line);
  const set = readSetReference(Value.ENDPOINT, family == IPV6 ? IPV6 : IPV4);
  if (set == ABSENT) return false;
  writeImplied();
  writeLookup(Op.DNAT_MAP, 0, set);
  skipFlags();
  return true;
}

/** `snat to A` */
export function readSnat(): bool {
  if (!readTo()) return false;
  if (!literals.parseEndpoint(words.bytes, words.length)) return false;
  statement2(Op.SNAT, 0, literals.family, literals.first);
  words.next();
  skipFlags();
  return true;
}

/** `redirect [to :P]` */
export function readRedirect(): bool {
  words.next();
  let port: u64 = 0;
  if (words.is("to")) {
    words.next();
    const colon = <usize>(words.length > 0 && load<u8>(words.bytes) == 0x3a);
    port = numbers.parseNumber(words.bytes + colon, words.length - colon);
    if (port > 0xffff) return false;
    words.next();
  }
  statement3(Op.REDIRECT, 0, <u32>port, literals.loopback(IPV4), literals.loopback(IPV6));
  skipFlags();
  return true;
}
