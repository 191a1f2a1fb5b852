// The expressions that our layouts use, one function each, for the feature probe and for tests.
import type { AttributeWriter } from "../messages/attributes.ts";
import { type ExpressionWriter, writeValue, writeVerdict } from "../messages/batch-writer.ts";
import * as uapi from "../messages/uapi.ts";

/** Number of the n-th 4-byte register. */
const register = (n: number): number => uapi.NFT_REG32_00 + n;

export function expression(name: string, content: (w: AttributeWriter) => void): ExpressionWriter {
  return (w) => {
    w.string(uapi.NFTA_EXPR.NAME, name);
    w.nest(uapi.NFTA_EXPR.DATA, () => content(w));
  };
}

/** @param base 1 network header, 2 transport header */
export const payload = (into: number, base: number, offset: number, length: number): ExpressionWriter =>
  expression("payload", (w) => {
    w.u32(uapi.NFTA_PAYLOAD.DREG, register(into));
    w.u32(uapi.NFTA_PAYLOAD.BASE, base);
    w.u32(uapi.NFTA_PAYLOAD.OFFSET, offset);
    w.u32(uapi.NFTA_PAYLOAD.LEN, length);
  });

/** @param key NFT_META_MARK 3, NFT_META_L4PROTO 16 */
export const meta = (into: number, key: number): ExpressionWriter =>
  expression("meta", (w) => {
    w.u32(uapi.NFTA_META.DREG, register(into));
    w.u32(uapi.NFTA_META.KEY, key);
  });

export const setMeta = (key: number, from: number): ExpressionWriter =>
  expression("meta", (w) => {
    w.u32(uapi.NFTA_META.KEY, key);
    w.u32(uapi.NFTA_META.SREG, register(from));
  });

/** @param key NFT_CT_STATE 0, NFT_CT_STATUS 2 */
export const ct = (into: number, key: number): ExpressionWriter =>
  expression("ct", (w) => {
    w.u32(uapi.NFTA_CT.DREG, register(into));
    w.u32(uapi.NFTA_CT.KEY, key);
  });

export const numgenRandom = (into: number, modulus: number): ExpressionWriter =>
  expression("numgen", (w) => {
    w.u32(uapi.NFTA_NG.DREG, register(into));
    w.u32(uapi.NFTA_NG.MODULUS, modulus);
    w.u32(uapi.NFTA_NG.TYPE, 1);
    w.u32(uapi.NFTA_NG.OFFSET, 0);
  });

/** Is the address local? @param flags NFTA_FIB_F_SADDR 1, NFTA_FIB_F_DADDR 2 */
export const fibAddressType = (into: number, flags: number): ExpressionWriter =>
  expression("fib", (w) => {
    w.u32(uapi.NFTA_FIB.DREG, register(into));
    w.u32(uapi.NFTA_FIB.RESULT, 3);
    w.u32(uapi.NFTA_FIB.FLAGS, flags);
  });

export const bitwise = (at: number, mask: Uint8Array, xor: Uint8Array): ExpressionWriter =>
  expression("bitwise", (w) => {
    w.u32(uapi.NFTA_BITWISE.SREG, register(at));
    w.u32(uapi.NFTA_BITWISE.DREG, register(at));
    w.u32(uapi.NFTA_BITWISE.LEN, mask.length);
    writeValue(w, uapi.NFTA_BITWISE.MASK, mask);
    writeValue(w, uapi.NFTA_BITWISE.XOR, xor);
  });

/** @param operation NFT_CMP_EQ 0, NFT_CMP_NEQ 1 */
export const compare = (from: number, operation: number, value: Uint8Array): ExpressionWriter =>
  expression("cmp", (w) => {
    w.u32(uapi.NFTA_CMP.SREG, register(from));
    w.u32(uapi.NFTA_CMP.OP, operation);
    writeValue(w, uapi.NFTA_CMP.DATA, value);
  });

/** @param into register of the data, or "verdict" for a verdict map, or undefined for a set */
export const lookup = (set: string, from: number, into?: number | "verdict"): ExpressionWriter =>
  expression("lookup", (w) => {
    w.string(uapi.NFTA_LOOKUP.SET, set);
    w.u32(uapi.NFTA_LOOKUP.SREG, register(from));
    if (into !== undefined) w.u32(uapi.NFTA_LOOKUP.DREG, into === "verdict" ? uapi.NFT_REG_VERDICT : register(into));
  });

/** dnat to an address and a port in registers */
export const dnat = (family: number, address: number, port: number): ExpressionWriter =>
  expression("nat", (w) => {
    w.u32(uapi.NFTA_NAT.TYPE, 1);
    w.u32(uapi.NFTA_NAT.FAMILY, family);
    w.u32(uapi.NFTA_NAT.REG_ADDR_MIN, register(address));
    w.u32(uapi.NFTA_NAT.REG_ADDR_MAX, register(address));
    w.u32(uapi.NFTA_NAT.REG_PROTO_MIN, register(port));
    w.u32(uapi.NFTA_NAT.REG_PROTO_MAX, register(port));
  });

/** NF_NAT_RANGE_PROTO_RANDOM_FULLY */
const FULLY_RANDOM = 1 << 4;

export const masqueradeFullyRandom = (): ExpressionWriter =>
  expression("masq", (w) => w.u32(uapi.NFTA_MASQ.FLAGS, FULLY_RANDOM));

/** Port unreachable. @param code 3 in IPv4, 4 in IPv6 */
export const reject = (code: number): ExpressionWriter =>
  expression("reject", (w) => {
    w.u32(uapi.NFTA_REJECT.TYPE, 0);
    w.u8(uapi.NFTA_REJECT.ICMP_CODE, code);
  });

/** Adds the key to a set, or renews its timeout. */
export const updateSet = (set: string, key: number, milliseconds: bigint): ExpressionWriter =>
  expression("dynset", (w) => {
    w.string(uapi.NFTA_DYNSET.SET_NAME, set);
    w.u32(uapi.NFTA_DYNSET.OP, 1);
    w.u32(uapi.NFTA_DYNSET.SREG_KEY, register(key));
    w.u64(uapi.NFTA_DYNSET.TIMEOUT, milliseconds);
  });

export const jump = (chain: string): ExpressionWriter =>
  expression("immediate", (w) => {
    w.u32(uapi.NFTA_IMMEDIATE.DREG, uapi.NFT_REG_VERDICT);
    writeVerdict(w, uapi.NFTA_IMMEDIATE.DATA, uapi.NFT_JUMP, chain);
  });
