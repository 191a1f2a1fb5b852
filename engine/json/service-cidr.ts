// Reads ServiceCIDRs (networking.k8s.io) into ServiceCIDRRecords.
import { sizeOf } from "../bytes/sizes";
import { ServiceCIDRRecord } from "../cluster/records";
import { deleteServiceCIDR, keepServiceCIDR, storeServiceCIDR } from "../cluster/store";
import { readOtherMember } from "./identity";
import { checkNames, nameText, readMetadata, resetMetadata } from "./metadata";
import { accepted, Outcome } from "./outcome";
import { checkRanges, RANGE_SIZE } from "./ranges";
import { dropObjectProblems, objectErrors } from "./report";
import { enterObject, moreMembers, readKey, stringIs } from "./scanner";
import { recordRoom, Scratch } from "./scratch";
import { skipValue } from "./skip";
import { newTexts, readTexts } from "./texts";
import { openObject } from "./values";

const HEADER_SIZE: usize = offsetof<ServiceCIDRRecord>();

const cidrs = newTexts();
const ranges = new Scratch(RANGE_SIZE);

export function releaseServiceCIDRs(): void {
  cidrs.release();
  ranges.release();
}

function readSpec(): void {
  cidrs.clear();
  if (!openObject()) return;
  do {
    readKey();
    if (stringIs("cidrs")) readTexts(cidrs);
    else skipValue();
  } while (moreMembers());
}

/** At `{`: reads a ServiceCIDR into the scratch lists. */
export function readServiceCIDR(): void {
  resetMetadata();
  cidrs.clear();
  if (!enterObject()) return;
  do {
    readKey();
    if (stringIs("metadata")) readMetadata();
    else if (stringIs("spec")) readSpec();
    else readOtherMember();
  } while (moreMembers());
}

/** Stores or deletes the ServiceCIDR that was read. */
export function commitServiceCIDR(deleted: bool): u32 {
  if (deleted) {
    dropObjectProblems();
    if (!checkNames(false)) return Outcome.REFUSED;
    return accepted(deleteServiceCIDR(nameText.bytes, nameText.length));
  }
  checkRanges(cidrs, ranges);
  if (!checkNames(false) || objectErrors > 0) {
    if (nameText.length != 0) keepServiceCIDR(nameText.bytes, nameText.length);
    return Outcome.REFUSED;
  }
  const rangesSize = sizeOf(ranges.length, RANGE_SIZE);
  const record = recordRoom(HEADER_SIZE + rangesSize);
  const header = changetype<ServiceCIDRRecord>(record);
  header.size = <u32>(HEADER_SIZE + rangesSize);
  header.rangeCount = ranges.length;
  memory.copy(record + HEADER_SIZE, ranges.data, rangesSize);
  return accepted(storeServiceCIDR(nameText.bytes, nameText.length, record));
}
