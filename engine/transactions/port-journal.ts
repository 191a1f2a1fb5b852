// Service ports in the journal: what is planned of one becomes what is committed.
import { Vector } from "../bytes/memory";
import { notePortSettled } from "../routing/flow-checks";
import { markStale } from "../routing/refresh";
import { FamilyPort } from "../routing/service-ports";
import { journal } from "./batches";
import { routingKind } from "./journal";
import { notePlannedService } from "./planned-services";

/** Service ports that have been committed and may be gone: to be looked at by `forgetGone`. */
export const settledPorts = new Vector();

function nothing(port: FamilyPort): void {}

let committed: (port: FamilyPort) => void = nothing;

/** Says what a layout has to do when a service port is committed. */
export function whenPortCommits(call: (port: FamilyPort) => void): void {
  committed = call;
}

function noSnapshot(port: FamilyPort, snapshot: usize): void {}

let freed: (port: FamilyPort, snapshot: usize) => void = noSnapshot;

/** Says what a layout has to do when what was held or planned of a service port is freed. */
export function whenSnapshotIsFreed(call: (port: FamilyPort, snapshot: usize) => void): void {
  freed = call;
}

/** `snapshot`: it may be 0. */
export function freeSnapshot(port: FamilyPort, snapshot: usize): void {
  if (snapshot == 0) return;
  freed(port, snapshot);
  heap.free(snapshot);
}

function commitPort(object: usize, _now: u64): void {
  const port = changetype<FamilyPort>(object);
  freeSnapshot(port, port.committed);
  port.committed = port.planned;
  port.planned = 0;
  port.open = false;
  committed(port);
  notePortSettled(port);
  settledPorts.push(<u32>object);
}

function failPort(object: usize, _now: u64): void {
  const port = changetype<FamilyPort>(object);
  dropPlanned(port);
  port.open = false;
  markStale(port);
}

const PORT = routingKind(commitPort, failPort);

/** The service port is on its way to that snapshot. */
export function holdPlanned(port: FamilyPort, snapshot: usize): void {
  if (port.planned != snapshot) freeSnapshot(port, port.planned);
  port.planned = snapshot;
}

/** It is not, after all. */
export function dropPlanned(port: FamilyPort): void {
  freeSnapshot(port, port.planned);
  port.planned = 0;
}

/** The batch being written takes the service port to that snapshot (0: nothing of it is left). */
export function journalPort(port: FamilyPort, snapshot: usize): void {
  holdPlanned(port, snapshot);
  port.open = true;
  notePlannedService(port.port.service, port.family);
  journal(PORT, changetype<usize>(port));
}
