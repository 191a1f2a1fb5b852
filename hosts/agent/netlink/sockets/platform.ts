// Where the netlink sender can run. Everything it puts into memory for libc is little-endian and laid out as on 64-bit
// Linux; constants such as SOCK_NONBLOCK and SO_SNDBUFFORCE have other values on mips, sparc and alpha.
import { endianness } from "node:os";

export interface Platform {
  readonly platform: string;
  readonly arch: string;
  readonly endianness: "LE" | "BE";
}

export type UnsupportedPlatformCode = "not-linux" | "big-endian" | "architecture";

/** This machine cannot run the sender. Nothing was opened. */
export class UnsupportedPlatformError extends Error {
  override readonly name = "UnsupportedPlatformError";
  readonly code: UnsupportedPlatformCode;

  constructor(code: UnsupportedPlatformCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Node's names of the architectures whose layouts and constants are right. */
const ARCHITECTURES: readonly string[] = ["x64", "arm64"];

export function thisPlatform(): Platform {
  return { platform: process.platform, arch: process.arch, endianness: endianness() };
}

/** @throws {UnsupportedPlatformError} */
export function checkPlatform(host: Platform = thisPlatform()): void {
  if (host.platform !== "linux") {
    throw new UnsupportedPlatformError(
      "not-linux",
      `kernel rules can only be written on Linux, and this is ${host.platform}; use \`sluice render\` here`,
    );
  }
  if (host.endianness !== "LE") {
    throw new UnsupportedPlatformError(
      "big-endian",
      `big-endian machines (${host.arch}) are not supported: the engine writes netlink in little-endian`,
    );
  }
  if (!ARCHITECTURES.includes(host.arch)) {
    throw new UnsupportedPlatformError(
      "architecture",
      `Linux on ${host.arch} is not supported: netlink is written for ${ARCHITECTURES.join(" and ")}`,
    );
  }
}
