// `protocol` of a Service's or slice's port.
import { Severity } from "../abi/problems";
import { Protocol } from "../bytes/protocols";
import { valueProblem } from "./report";
import { stringAt, stringIs, stringLength, valueAt } from "./scanner";
import { readText } from "./values";

/** What an absent or empty protocol means. */
export const DEFAULT_PROTOCOL: u32 = Protocol.TCP;

/** Reads the value of the key `protocol`; another than the three is an error. */
export function readProtocol(): u32 {
  if (!readText() || stringLength == 0) return DEFAULT_PROTOCOL;
  if (stringIs("TCP")) return Protocol.TCP;
  if (stringIs("UDP")) return Protocol.UDP;
  if (stringIs("SCTP")) return Protocol.SCTP;
  valueProblem(
    Severity.ERROR,
    "invalid-protocol",
    valueAt,
    stringAt,
    stringLength,
    " is no protocol",
    "write TCP, UDP or SCTP",
  );
  return DEFAULT_PROTOCOL;
}
