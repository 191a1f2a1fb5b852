import { test } from "uvu";
import * as assert from "uvu/assert";
import { Random, seedFromEnvironment } from "../../../fixtures/random/random.ts";
import { type Block, blockOf, contains } from "./address-block.ts";
import { AddressMap } from "./address-map.ts";

/** All of them in their new form, in order. */
const mapped = (texts: readonly string[]) => {
  const map = new AddressMap(texts);
  return texts.map((text) => map.get(text));
};

test("a range keeps its size, and what lies in it goes with it", () => {
  assert.equal(mapped(["10.96.0.0/16", "10.96.0.1", "10.96.3.7", "192.168.1.9", "fd00:10:96::/112", "fd00:10:96::a"]), [
    "10.0.0.0/16",
    "10.0.0.1",
    "10.0.0.2",
    "10.1.0.0",
    "fd00::/112",
    "fd00::1",
  ]);
});

test("an address is known in whatever form it is written", () => {
  const map = new AddressMap(["192.168.001.009", "FD00:0:0::A", "10.1.2.3/8", " 172.20.0.0/16 "]);
  for (const [text, same] of [
    ["192.168.001.009", "192.168.1.9"],
    ["FD00:0:0::A", "fd00::a"],
    ["10.1.2.3/8", "10.0.0.0/8"],
    [" 172.20.0.0/16 ", "172.20.0.0/16"],
  ] as const) {
    assert.ok(map.get(text), text);
    assert.is(map.get(text), map.get(same));
  }
  assert.is(map.get("192.168.1.10"), undefined, "it was not given");
  for (const text of ["", "web", "10.0.0.256", "10.0.0.0/33", "1.2.3", "fe80::1%eth0", "::/129", "1.2.3.4/8/8"]) {
    assert.is(blockOf(text), undefined, text);
  }
});

test("what means the same everywhere stays, and so do the ranges of everything", () => {
  const texts = ["127.0.0.1", "127.0.0.0/8", "0.0.0.0/0", "::/0", "169.254.20.10", "224.0.0.1", "::1", "fe80::1", "::ffff:1.2.3.4", "0.0.0.0/1", "fc00::/7"]; // biome-ignore format: a table
  assert.equal(
    mapped(texts),
    texts.map((text) => text.replace("::ffff:1.2.3.4", "::ffff:102:304")),
  );
});

test("where all addresses of a range are taken, all of the new one are", () => {
  const all = Array.from({ length: 256 }, (_, i) => `192.168.7.${i}`);
  const [range = "", ...rest] = mapped(["192.168.7.0/24", ...all]) as string[];
  assert.is(new Set(rest).size, 256);
  const outer = blockOf(range) as Block;
  for (const address of rest) assert.ok(contains(outer, blockOf(address) as Block), `${address} in ${range}`);
});

function randomBlock(random: Random): string {
  // A few bytes to choose from, so that ranges meet.
  const byte = () => random.pick([0, 1, 10, 96, 127, 128, 169, 192, 224, 254, 255]);
  if (random.chance(0.5)) {
    const address = [byte(), byte(), byte(), byte()].join(".");
    return random.chance(0.5) ? address : `${address}/${random.below(33)}`;
  }
  const group = () => random.pick(["0", "1", "fd00", "fe80", "2001", "ffff", "80"]);
  const address = Array.from({ length: 8 }, group).join(":");
  return random.chance(0.5) ? address : `${address}/${random.below(129)}`;
}

test("of any two, one lies in the other exactly if it did before, and no old address that moves is a new one", () => {
  const seed = seedFromEnvironment();
  for (let run = 0; run < 60; run++) {
    const random = new Random((seed + run * 7919) >>> 0);
    const texts = random.some(2, 40, () => randomBlock(random));
    const map = new AddressMap(texts);
    const pairs = texts.map((text) => [blockOf(text), blockOf(map.get(text) ?? "")] as [Block, Block]);
    const olds = new Set(pairs.map(([old]) => `${old.base}/${old.length}`));
    for (const [old, now] of pairs) {
      assert.equal([now.bits, now.length], [old.bits, old.length], `seed ${seed}, run ${run}`);
      const isInShort = pairs.some(([other]) => other.length > 0 && other.length < 8 && contains(other, old));
      if (now.base !== old.base && !isInShort) {
        assert.not.ok(olds.has(`${now.base}/${now.length}`), `seed ${seed}, run ${run}: an old address is a new one`);
      }
      for (const [other, otherNow] of pairs) {
        if (other.bits !== old.bits) continue;
        const text = `seed ${seed}, run ${run}: ${texts.join(" ")}`;
        assert.is(contains(now, otherNow), contains(old, other), text);
      }
    }
    const another = new AddressMap(random.shuffled(texts));
    for (const text of texts) assert.is(another.get(text), map.get(text), "their order does not matter");
  }
});

test.run();
