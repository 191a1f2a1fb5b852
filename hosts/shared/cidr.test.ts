// Addresses and CIDRs as numbers, and back.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { addressText, cidrText, parseAddress, parseCidr } from "./cidr.ts";

const test = suite("IP addresses and CIDRs");

const addresses: [text: string, canonical: string | undefined][] = [
  ["10.96.0.10", "10.96.0.10"],
  ["010.096.000.031", "10.96.0.31"],
  ["::ffff:10.96.0.30", "10.96.0.30"],
  ["fd00:10:96::", "fd00:10:96::"],
  ["FD00:0010:0:0:0:0:0:1", "fd00:10::1"],
  ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
  ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ["::", "::"],
  ["10.96.0.256", undefined],
  ["10.96.0", undefined],
  ["10.96.0.1.1", undefined],
  ["10.96..1", undefined],
  ["1::2::3", undefined],
  ["1:2:3:4:5:6:7", undefined],
  ["1:2:3:4:5:6:7:8:9", undefined],
  ["12345::", undefined],
  ["::1.2.3", undefined],
  ["None", undefined],
  ["", undefined],
];
for (const [text, canonical] of addresses) {
  test(`address ${JSON.stringify(text)}`, () => {
    const address = parseAddress(text);
    assert.is(address === undefined ? undefined : addressText(address), canonical);
  });
}

const cidrs: [text: string, canonical: string | undefined, size: bigint][] = [
  ["10.96.1.2/16", "10.96.0.0/16", 65_536n],
  ["0.0.0.0/0", "0.0.0.0/0", 2n ** 32n],
  ["10.0.0.1/32", "10.0.0.1/32", 1n],
  ["fd00:10:96::1/112", "fd00:10:96::/112", 65_536n],
  ["::/0", "::/0", 2n ** 128n],
  ["10.96.0.0/33", undefined, 0n],
  ["fd00::/129", undefined, 0n],
  ["10.96.0.0", undefined, 0n],
  ["10.96.0.0/", undefined, 0n],
  ["/16", undefined, 0n],
];
for (const [text, canonical, size] of cidrs) {
  test(`CIDR ${JSON.stringify(text)}`, () => {
    const cidr = parseCidr(text);
    assert.is(cidr === undefined ? undefined : cidrText(cidr), canonical);
    if (cidr !== undefined) assert.is(cidr.size, size);
  });
}

test.run();
