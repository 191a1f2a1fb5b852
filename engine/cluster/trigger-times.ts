// When the changes of endpoints happened that wait for the kernel, as the EndpointSlice controller says it in the
// annotation endpoints.kubernetes.io/last-change-trigger-time: what kube-proxy's network_programming_duration is made of.
import { Service } from "./services";

/** What is kept at most, waiting or done: the rest goes unmeasured. */
const MOST: u32 = 4096;

/** The time is not part of any open batch. */
const WAITING: u32 = 0;

/** One change. */
@unmanaged
class Trigger {
  /** Milliseconds since 1970. */
  time: u64;
  family: u32;
  /** The Service whose endpoints have changed; 0: it has been forgotten since. */
  service: usize;
  /** The batch that brings it into the kernel, or WAITING. */
  batch: u32;
}

let measuring: bool = false;
let since: u64 = 0;
let triggers: usize = 0;
let count: u32 = 0;

/** Times of changes that the kernel has: rows of eight bytes. */
@unmanaged
class Done {
  times: usize = 0;
  count: u32 = 0;

  add(time: u64): void {
    if (this.count == MOST) return;
    store<u64>(this.times + ((<usize>this.count) << 3), time);
    this.count++;
  }
}

const doneIPv4 = new Done();
const doneIPv6 = new Done();

function doneOf(family: u32): Done {
  return family == 0 ? doneIPv4 : doneIPv6;
}

/** Changes that happened before that time are not measured, and none at all until this is called. */
export function measureChanges(sinceMs: u64): void {
  if (!measuring) {
    triggers = heap.alloc(<usize>MOST * offsetof<Trigger>());
    doneIPv4.times = heap.alloc((<usize>MOST) << 3);
    doneIPv6.times = heap.alloc((<usize>MOST) << 3);
  }
  measuring = true;
  since = sinceMs;
}

export function measuresChanges(): bool {
  return measuring;
}

function triggerAt(index: u32): Trigger {
  return changetype<Trigger>(triggers + <usize>index * offsetof<Trigger>());
}

export function noteTriggerTime(family: u32, service: Service, time: u64): void {
  if (time < since || count == MOST) return;
  const trigger = triggerAt(count++);
  trigger.time = time;
  trigger.family = family;
  trigger.service = changetype<usize>(service);
  trigger.batch = WAITING;
}

/** Batches of an earlier plan that are not closed were never sent. */
export function beginTriggerPlan(): void {
  for (let i: u32 = 0; i < count; i++) triggerAt(i).batch = WAITING;
}

/** The Service is about to be freed, and nothing of it waits any more. */
export function forgetServiceOfTriggers(service: Service): void {
  const address = changetype<usize>(service);
  for (let i: u32 = 0; i < count; i++) if (triggerAt(i).service == address) triggerAt(i).service = 0;
}

/** The plan has what the Service has come to: not while some of its ports wait for their portion (routing/portions.ts). */
function isPlanned(trigger: Trigger): bool {
  return trigger.service == 0 || changetype<Service>(trigger.service).postponed == 0;
}

/** What waits of the family and is planned becomes part of the kernel with that batch; 0: the kernel has it already. */
export function planTriggers(family: u32, batch: u32): void {
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const trigger = triggerAt(i);
    if (trigger.family == family && isPlanned(trigger)) {
      if (batch == 0) {
        doneOf(family).add(trigger.time);
        continue;
      }
      trigger.batch = batch;
    }
    keep(kept++, trigger);
  }
  count = kept;
}

function keep(index: u32, trigger: Trigger): void {
  memory.copy(changetype<usize>(triggerAt(index)), changetype<usize>(trigger), offsetof<Trigger>());
}

function settle(batch: u32): void {
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const trigger = triggerAt(i);
    if (trigger.batch == batch) doneOf(trigger.family).add(trigger.time);
    else keep(kept++, trigger);
  }
  count = kept;
}

/** The batch is closed: its changes are done, or wait again. */
export function closeTriggers(batch: u32, acknowledged: bool): void {
  if (acknowledged) {
    settle(batch);
    return;
  }
  for (let i: u32 = 0; i < count; i++) if (triggerAt(i).batch == batch) triggerAt(i).batch = WAITING;
}

/** Times of the family's changes that the kernel has, since `forgetDone`. */
export function doneCount(family: u32): u32 {
  return doneOf(family).count;
}

export function doneTimes(family: u32): usize {
  return doneOf(family).times;
}

export function forgetDone(family: u32): void {
  doneOf(family).count = 0;
}
