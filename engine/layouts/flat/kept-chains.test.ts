// Chains of flat mode that stand ready, so that a Service's count of endpoints may change without making one.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { NftModel } from "../../../fixtures/kernel/nft-model.ts";
import {
  addresses,
  type Engine,
  join,
  makeEngine,
  makeService,
  makeSlice,
  put,
  render,
} from "../../../fixtures/support/engine-tests.ts";

const test = suite("layouts: kept chains");

const web = makeService("shop/web", { ip: "10.96.0.12" });
const slice = (count: number) => makeSlice("shop/web-1", "web", addresses(count));

class Kernel {
  readonly model = new NftModel();
  now = 0;

  /** What was written, line by line; deletions that rest included. */
  sync(engine: Engine): string[] {
    const lines: string[] = [];
    for (let i = 0; i < 3; i++) {
      for (const { id, data } of engine.plan(this.now)) {
        this.model.apply(join(data));
        lines.push(...join(data).split("\n"));
        engine.committed(id, this.now);
      }
      this.now += 2000;
    }
    return lines;
  }

  chains(): string[] {
    const chains = this.model.tables.get("ip sluice")?.chains.keys() ?? [];
    return [...chains].filter((name) => name.startsWith("lb-")).sort();
  }
}

function started(kept: number): { engine: Engine; kernel: Kernel } {
  const engine = makeEngine("flat");
  engine.keepChains(kept);
  put(engine, web, slice(2));
  const kernel = new Kernel();
  kernel.sync(engine);
  return { engine, kernel };
}

test("counts up to the limit make and delete no chains", () => {
  const { engine, kernel } = started(4);
  assert.equal(kernel.chains(), ["lb-1", "lb-2", "lb-3", "lb-4"]);
  for (const count of [3, 4, 1, 2]) {
    put(engine, slice(count));
    const lines = kernel.sync(engine);
    assert.ok(lines.length > 0);
    assert.equal(
      lines.filter((line) => / chain | rule /.test(line)),
      [],
    );
    assert.match(lines.join("\n"), `goto lb-${count}`);
  }
  assert.equal(kernel.chains(), ["lb-1", "lb-2", "lb-3", "lb-4"]);
});

test("a count beyond the limit has its chain while it is needed", () => {
  const { engine, kernel } = started(2);
  put(engine, slice(5));
  kernel.sync(engine);
  assert.equal(kernel.chains(), ["lb-1", "lb-2", "lb-5"]);
  put(engine, slice(1));
  kernel.sync(engine);
  assert.equal(kernel.chains(), ["lb-1", "lb-2"]);
});

test("a lower limit takes out what nobody needs", () => {
  const { engine, kernel } = started(4);
  engine.keepChains(0);
  put(engine, slice(3));
  kernel.sync(engine);
  assert.equal(kernel.chains(), ["lb-3"]);
});

test("the whole text has only what is needed", () => {
  const { engine } = started(4);
  const fresh = makeEngine("flat");
  put(fresh, web, slice(2));
  assert.is(render(engine), render(fresh));
});

test.run();
