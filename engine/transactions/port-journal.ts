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

function commitPort(object: usize, _now: u64): void {
  const port = changetype<FamilyPort>(object);
  if (port.committed != 0) heap.free(port.committed);
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
  if (port.planned != 0 && port.planned != snapshot) heap.free(port.planned);
  port.planned = snapshot;
}

/** It is not, after all. */
export function dropPlanned(port: FamilyPort): void {
  if (port.planned != 0) heap.free(port.planned);
  port.planned = 0;
}

/** The batch being written takes the service port to that snapshot (0: nothing of it is left). */
export function journalPort(port: FamilyPort, snapshot: usize): void {
  holdPlanned(port, snapshot);
  port.open = true;
  notePlannedService(port.port.service, port.family);
  journal(PORT, changetype<usize>(port));
}
