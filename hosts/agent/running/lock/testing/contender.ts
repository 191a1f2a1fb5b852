// A process that wants the node's lock, for which thirty seconds pass in one: prints its log, then "free". Ends then, unless it
// is told to keep the lock.
//   node --import tsx contender.ts [keep]

import { openLog } from "../../../log/log.ts";
import { systemClock } from "../../../time/clock.ts";
import { NodeLock } from "../node-lock.ts";

const { log } = openLog({ format: "json", verbosity: 0 }, { write: (line) => void console.log(line.trimEnd()) });
const lock = new NodeLock({ mode: "flat", log, clock: { ...systemClock, now: () => systemClock.now() * 30 } });
await lock.free;
console.log("free");
if (process.argv[2] === "keep") setInterval(() => {}, 1_000_000);
else await lock.close();
