// Makes a part of a batch for a dry run. If the kernel refuses a batch and does not say which message, parts of it are tried until
// it is known whose messages it refuses.

import { viewOf } from "../../netlink/messages/attributes.ts";
import { readMessages } from "../../netlink/messages/messages.ts";
import {
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFT_MSG_DELCHAIN,
  NFT_MSG_DELFLOWTABLE,
  NFT_MSG_DELOBJ,
  NFT_MSG_DELRULE,
  NFT_MSG_DELSET,
  NFT_MSG_DELSETELEM,
  NLM_F_ACK,
} from "../../netlink/messages/uapi.ts";

function isControl(type: number): boolean {
  return type === NFNL_MSG_BATCH_BEGIN || type === NFNL_MSG_BATCH_END;
}

const REMOVALS = [
  NFT_MSG_DELCHAIN,
  NFT_MSG_DELRULE,
  NFT_MSG_DELSET,
  NFT_MSG_DELSETELEM,
  NFT_MSG_DELOBJ,
  NFT_MSG_DELFLOWTABLE,
];

function isRemoval(type: number): boolean {
  return REMOVALS.includes(type);
}

/** Sequence numbers of a batch's messages, without those that begin and end it. */
export function sequencesOf(batch: Uint8Array): number[] {
  return Array.from(readMessages(batch)).flatMap(({ type, sequence }) => (isControl(type) ? [] : [sequence]));
}

/**
 * The batch with the messages that `wanted` says alone, for a dry run of `sendBatch`: numbered anew, and without an end.
 * Undefined: there are none.
 */
export function partOf(
  batch: Uint8Array,
  wanted: (sequence: number, removes: boolean) => boolean,
): Uint8Array | undefined {
  const part = new Uint8Array(batch.length);
  const view = viewOf(part);
  let length = 0;
  let last = 0;
  let number = 0;
  for (const { type, sequence, flags, bytes } of readMessages(batch)) {
    if (type === NFNL_MSG_BATCH_END || (type !== NFNL_MSG_BATCH_BEGIN && !wanted(sequence, isRemoval(type)))) continue;
    last = length;
    part.set(bytes, length);
    view.setUint16(length + 6, flags & ~NLM_F_ACK, true);
    view.setUint32(length + 8, number++, true);
    length += (bytes.length + 3) & ~3;
  }
  if (number < 2) return undefined;
  view.setUint16(last + 6, view.getUint16(last + 6, true) | NLM_F_ACK, true);
  return part.subarray(0, length);
}
