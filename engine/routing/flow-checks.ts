// When flows have to be compared with the rules. UDP: once something of a UDP service port has reached the kernel, or has
// changed without any rule changing. Unanswered TCP: the same, where an endpoint has gone. Rules and flows are compared for
// what the kernel holds, not for what it should.
import { IPV4, IPV6, Protocol } from "../bytes/protocols";
import { forgetLookedFor, lookForGone } from "./gone-entry-points";
import { Key } from "./keys";
import { FamilyPort } from "./service-ports";

/** In the order of the contract's `enum checked-flows`. */
export namespace CheckedFlows {
  export const UDP: u32 = 0;
  export const UNANSWERED_TCP: u32 = 1;
}

/** The bit of a check. */
function bitOf(family: u32, flows: u32): u32 {
  return 1 << ((flows << 1) | family);
}

/** What went while no instance was there is looked for once. */
let due: u32 = bitOf(IPV4, CheckedFlows.UNANSWERED_TCP) | bitOf(IPV6, CheckedFlows.UNANSWERED_TCP);
let running: u32 = 0;
let interrupted: u32 = 0;

/** The kernel holds what it should of that service port. */
export function notePortSettled(port: FamilyPort): void {
  if (port.port.protocol == Protocol.UDP) {
    due |= bitOf(port.family, CheckedFlows.UDP);
  } else if (port.hasLostEndpoints && !port.stale) {
    port.hasLostEndpoints = false;
    due |= bitOf(port.family, CheckedFlows.UNANSWERED_TCP);
  }
}

/** The kernel holds what it should under that key. */
export function noteKeySettled(key: Key): void {
  if (<u32>key.protocol == Protocol.UDP) due |= bitOf(<u32>key.family, CheckedFlows.UDP);
}

/** There may be flows that contradict the rules. */
export function checkIsDue(family: u32, flows: u32): bool {
  return (due & bitOf(family, flows)) != 0;
}

export function beginCheck(family: u32, flows: u32): void {
  const bit = bitOf(family, flows);
  due &= ~bit;
  running |= bit;
  interrupted &= ~bit;
  if (flows == CheckedFlows.UDP) lookForGone(family);
}

/** The run has not been told of all stale flows: whatever it has seen, another one is due. */
export function interruptCheck(family: u32, flows: u32): void {
  interrupted |= bitOf(family, flows);
}

/** The same for all that is checked. */
export function interruptChecks(family: u32): void {
  interruptCheck(family, CheckedFlows.UDP);
  interruptCheck(family, CheckedFlows.UNANSWERED_TCP);
}

/** `complete`: all flows were seen, and the stale ones removed. */
export function endCheck(family: u32, flows: u32, complete: bool): void {
  const bit = bitOf(family, flows);
  if ((running & bit) == 0) return;
  running &= ~bit;
  if (!complete || (interrupted & bit) != 0) due |= bit;
  else if (flows == CheckedFlows.UDP) forgetLookedFor(family);
}
