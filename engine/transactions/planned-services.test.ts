import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  commitAll,
  type Engine,
  type Mode,
  makeEngine,
  makeService,
  makeSlice,
  put,
  remove,
} from "../../fixtures/support/engine-tests.ts";

const test = suite("transactions: planned services");
const names = (engine: Engine, family: "ipv4" | "ipv6" = "ipv4") =>
  engine.plannedServices(family).map(({ namespace, name }) => `${namespace}/${name}`);

for (const mode of ["iptables", "nftables", "flat"] as Mode[]) {
  test(`${mode}: the Services that a plan writes or removes are named, five at most`, () => {
    const engine = makeEngine(mode);
    const services = Array.from({ length: 7 }, (_, i) => makeService(`shop/s${i}`, { ip: `10.96.0.${i + 1}` }));
    put(engine, ...services);
    let now = commitAll(engine, 0);
    assert.equal(names(engine), ["shop/s0", "shop/s1", "shop/s2", "shop/s3", "shop/s4"]);
    assert.equal(names(engine, "ipv6"), []);

    put(engine, makeSlice("shop/s5-1", "s5", ["10.0.0.1"]));
    now = commitAll(engine, now);
    assert.equal(names(engine), ["shop/s5"]);

    remove(engine, makeService("shop/s6"));
    now = commitAll(engine, now);
    assert.equal(names(engine), ["shop/s6"]);

    commitAll(engine, now);
    assert.equal(names(engine), []);
  });
}

test.run();
