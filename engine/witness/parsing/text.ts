// A text as a whole: what it is, and into which rule set it goes.
import { detectFamily, parseIptables } from "./iptables";
import { brokenAt, checkJson } from "./json";
import { parseNft } from "./nft";
import { dropScript, script, scriptLength, writeScript } from "./nft-json";
import { badJson, badText } from "./problems";
import * as words from "./words";

export namespace Format {
  export const IPTABLES: u32 = 0;
  export const NFT: u32 = 1;
  export const NONE: u32 = 2;
  /** Of nft, as JSON. */
  export const JSON: u32 = 3;
}

/** Family of the iptables text that was read last. */
export let family: u32 = 0;

/** Reads a text into a rule set; returns its format. */
export function parseText(ruleset: u32, bytes: usize, length: usize, assumed: u32, firstLine: u32): u32 {
  const format = detectFormat(bytes, length);
  if (format == Format.NONE) {
    badText(
      "format",
      "the text is neither iptables' nor nft's",
      "give the output of iptables-save, ip6tables-save or nft [-j] list ruleset",
    );
    return format;
  }
  if (format == Format.IPTABLES) {
    family = detectFamily(bytes, length, assumed);
    words.openText(bytes, length, true, firstLine);
    parseIptables(ruleset, family);
  } else if (format == Format.JSON) {
    return parseJson(ruleset, bytes, length, firstLine);
  } else {
    words.openText(bytes, length, false, firstLine);
    parseNft(ruleset);
  }
  return format;
}

/** Broken JSON is left out as a whole: who cuts it off has no complete list. */
function parseJson(ruleset: u32, bytes: usize, length: usize, firstLine: u32): u32 {
  // Arguments have slack behind them.
  store<u8>(bytes + length, 0);
  if (!checkJson(bytes, length)) {
    badJson(brokenAt - bytes);
    return Format.NFT;
  }
  if (writeScript(bytes)) {
    words.openText(script, scriptLength, false, firstLine);
    parseNft(ruleset);
  } else {
    badText("format", 'the JSON has no list "nftables"', "give the output of nft -j list ruleset");
  }
  dropScript();
  return Format.NFT;
}

/** By the first line that is neither empty nor a comment; a text without any is an empty listing of nft. */
function detectFormat(bytes: usize, length: usize): u32 {
  let at = bytes;
  const end = bytes + length;
  for (let i = bytes; i < end; i++) if (load<u8>(i) == 0) return Format.NONE;
  while (at < end) {
    while (at < end && load<u8>(at) <= 0x20) at++;
    if (at == end || load<u8>(at) != 0x23) break;
    while (at < end && load<u8>(at) != 0x0a) at++;
  }
  if (at == end) return Format.NFT;
  if (load<u8>(at) == 0x7b) return Format.JSON;
  words.openText(at, end - at, true);
  words.next();
  const first: u32 = load<u8>(words.bytes);
  if (first == 0x2a || first == 0x3a || first == 0x2d || first == 0x5b) return Format.IPTABLES;
  if (
    words.is("table") ||
    words.is("add") ||
    words.is("create") ||
    words.is("flush") ||
    words.is("delete") ||
    words.is("insert") ||
    words.is("destroy")
  ) {
    return Format.NFT;
  }
  return Format.NONE;
}
