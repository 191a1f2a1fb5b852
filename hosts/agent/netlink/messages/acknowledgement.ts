// NLMSG_ERROR: the kernel's acknowledgement (error 0) or refusal of one message, with its extended part.
import { align4, readAttributes, readHostU32, readString, viewOf } from "./attributes.ts";
import type { Message } from "./messages.ts";
import * as uapi from "./uapi.ts";

export interface Acknowledgement {
  /** Of the message that it answers. */
  readonly sequence: number;
  /** 0: accepted; else a positive errno. */
  readonly errno: number;
  /** In the kernel's words; absent in most cases. */
  readonly kernelMessage: string | undefined;
  /** Where in the message the offending attribute starts. */
  readonly offset: number | undefined;
  readonly missingType: number | undefined;
  /** Where the nest starts in which that attribute is missing; undefined for the message itself. */
  readonly missingNest: number | undefined;
}

/** struct nlmsgerr: i32 error, then the header of the message it answers. */
const ERROR_HEADER = uapi.NLMSG_HEADER + 4 + uapi.NLMSG_HEADER;

/** Undefined when the message is not NLMSG_ERROR or is cut off. */
export function readAcknowledgement(message: Message): Acknowledgement | undefined {
  if (message.type !== uapi.NLMSG_ERROR || message.bytes.length < ERROR_HEADER) return undefined;
  const view = viewOf(message.bytes);
  const errno = -view.getInt32(uapi.NLMSG_HEADER, true);
  const answered = uapi.NLMSG_HEADER + 4;
  let attributes: Map<number, Uint8Array> | undefined;
  if ((message.flags & uapi.NLM_F_ACK_TLVS) !== 0) {
    // NLM_F_CAPPED: only the header of the refused message came back.
    const whole =
      errno === 0 || (message.flags & uapi.NLM_F_CAPPED) !== 0 ? uapi.NLMSG_HEADER : view.getUint32(answered, true);
    const start = answered + align4(whole);
    attributes = new Map();
    for (const attribute of readAttributes(message.bytes, start)) attributes.set(attribute.type, attribute.payload);
  }
  return {
    sequence: view.getUint32(answered + 8, true),
    errno,
    kernelMessage: readString(attributes?.get(uapi.NLMSGERR_ATTR_MSG)),
    offset: readHostU32(attributes?.get(uapi.NLMSGERR_ATTR_OFFS)),
    missingType: readHostU32(attributes?.get(uapi.NLMSGERR_ATTR_MISS_TYPE)),
    missingNest: readHostU32(attributes?.get(uapi.NLMSGERR_ATTR_MISS_NEST)),
  };
}

/** The error of an NLMSG_DONE, as a positive errno. Only there the kernel tells that a dump has ended early. */
export function dumpError(message: Message): number {
  return message.bytes.length < uapi.NLMSG_HEADER + 4 ? 0 : -viewOf(message.bytes).getInt32(uapi.NLMSG_HEADER, true);
}
