// What attempts leave behind for the next one. recovery.test.ts has what follows which failure.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ManualClock } from "../../time/testing/manual-clock.ts";
import { ApiError, ConnectionError } from "../client/api-error.ts";
import { AttemptHistory } from "./attempt-history.ts";
import { ShortWatchError } from "./recovery.ts";
import { services } from "./resources.ts";
import { SilenceError } from "./watchdog.ts";

const test = suite("reflector: history of attempts");

const HOUR = 3_600_000;
const status = (code: number) => new ApiError(code, "", "", 0);
const broken = new ConnectionError("h", new Error("other side closed"));
const silent = new SilenceError("the watch", 180_000);

function history() {
  const clock = new ManualClock();
  return { clock, attempts: new AttemptHistory(services, clock) };
}

test("what the server does not offer is left out for an hour", () => {
  const { clock, attempts } = history();
  assert.equal([attempts.mayStream, attempts.resource.fieldSelector], [true, services.fieldSelector]);
  attempts.failed(status(400), "streaming list", "");
  attempts.failed(status(400), "list", "0");
  assert.equal([attempts.mayStream, attempts.resource.fieldSelector], [false, undefined]);
  attempts.completed();
  clock.pass(HOUR - 1);
  assert.equal([attempts.mayStream, attempts.resource.fieldSelector], [false, undefined]);
  clock.pass(1);
  assert.equal([attempts.mayStream, attempts.resource.fieldSelector], [true, services.fieldSelector]);
});

test("a stream that broke is followed by one ordinary list; an expired page by one without pages, of the newest state", () => {
  const { attempts } = history();
  attempts.failed(broken, "streaming list", "");
  assert.is(attempts.mayStream, false);
  attempts.failed(status(410), "list", "7");
  assert.equal([attempts.isPaged, attempts.resourceVersionUnavailable], [false, true]);
  attempts.completed();
  assert.equal([attempts.mayStream, attempts.isPaged, attempts.resourceVersionUnavailable], [true, true, false]);
});

test("after a watch was lost the server is asked where it is, but not after it has refused or ended one", () => {
  for (const [error, isLost] of [
    [broken, true],
    [status(500), true],
    [status(410), false],
    [new ShortWatchError(""), false],
  ] as const) {
    const { attempts } = history();
    attempts.failed(error, "watch", "");
    assert.is(attempts.lostWatch, isLost, `${error}`);
    attempts.confirmed();
    assert.is(attempts.lostWatch, false);
  }
  const { attempts } = history();
  attempts.failed(broken, "list", "");
  assert.is(attempts.lostWatch, false, "of a list nothing is lost");
});

test("the second 401 in a row waits, and an answer in between makes it the first again", () => {
  const { attempts } = history();
  const waits = () => attempts.failed(status(401), "watch", "").wait;
  assert.equal([waits(), waits()], ["none", "backoff"]);
  attempts.answered();
  assert.is(waits(), "none");
});

test("server errors for a minute end a watch, counted from the last answer", () => {
  const { clock, attempts } = history();
  const next = () => attempts.failed(status(503), "watch", "").next;
  assert.is(next(), "watch");
  clock.pass(59_000);
  attempts.answered();
  assert.is(next(), "watch");
  clock.pass(59_999);
  assert.is(next(), "watch");
  clock.pass(1);
  assert.is(next(), "list");
});

test("the second silent watch in a row ends in a list, and a byte in between makes it the first again", () => {
  const { attempts } = history();
  const next = () => {
    attempts.watchOpened();
    return attempts.failed(silent, "watch", "").next;
  };
  assert.equal([next(), next()], ["watch", "list"]);
  attempts.heard();
  assert.is(next(), "watch");
});

test("the third short watch with events is too many, and the first without", () => {
  const { attempts } = history();
  attempts.watchEnded(999, 1);
  attempts.watchEnded(999, 1);
  attempts.watchEnded(1_000, 0);
  attempts.watchEnded(999, 1);
  attempts.watchEnded(999, 1);
  assert.throws(
    () => attempts.watchEnded(999, 1),
    (error: unknown) => error instanceof ShortWatchError,
  );
  assert.throws(
    () => history().attempts.watchEnded(999, 0),
    (error: unknown) => error instanceof ShortWatchError,
  );
});

test("the first 404 makes a resource absent that was never listed, the fifth in a row one that was", () => {
  const { attempts } = history();
  assert.is(attempts.notFound(false), true);
  attempts.becameAbsent();
  assert.equal([attempts.absent, attempts.mayStream, attempts.notFound(true)], [true, false, true]);
  attempts.completed();
  attempts.answered();
  const answers = [1, 2, 3, 4, 5].map(() => attempts.notFound(true));
  assert.equal(answers, [false, false, false, false, true]);
  attempts.answered();
  assert.is(attempts.notFound(true), false);
});

test.run();
