// Address families as nfnetlink numbers them.
import type { Family } from "../../../shared/contract.ts";
import { NFPROTO_IPV4, NFPROTO_IPV6 } from "./uapi.ts";

/** nfgenmsg's number of a family. */
export const NFPROTO: Readonly<Record<Family, number>> = { ipv4: NFPROTO_IPV4, ipv6: NFPROTO_IPV6 };
