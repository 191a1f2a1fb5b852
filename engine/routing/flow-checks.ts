// When UDP flows have to be compared with the rules: once something of a UDP service port has reached the kernel, or has
// changed without any rule changing. Rules and flows are compared for what the kernel holds, not for what it should.
import { Protocol } from "../cluster/records";
import { forgetLookedFor, lookForGone } from "./gone-entry-points";
import { Key } from "./ownership";
import { FamilyPort } from "./service-ports";

let due: u32 = 0; // a bit per family
let running: u32 = 0;
let interrupted: u32 = 0;

/** The kernel holds what it should of that service port. */
export function notePortSettled(port: FamilyPort): void {
  if (port.port.protocol == Protocol.UDP) due |= 1 << port.family;
}

/** The kernel holds what it should under that key. */
export function noteKeySettled(key: Key): void {
  if (<u32>key.protocol == Protocol.UDP) due |= 1 << (<u32>key.family);
}

/** There may be flows that contradict the rules. */
export function checkIsDue(family: u32): bool {
  return (due & (1 << family)) != 0;
}

export function beginCheck(family: u32): void {
  due &= ~(1 << family);
  running |= 1 << family;
  interrupted &= ~(1 << family);
  lookForGone(family);
}

/** The run has not been told of all stale flows: whatever it has seen, another one is due. */
export function interruptCheck(family: u32): void {
  interrupted |= 1 << family;
}

/** `complete`: all flows were seen, and the stale ones removed. */
export function endCheck(family: u32, complete: bool): void {
  if ((running & (1 << family)) == 0) return;
  running &= ~(1 << family);
  if (complete && (interrupted & (1 << family)) == 0) forgetLookedFor(family);
  else due |= 1 << family;
}
