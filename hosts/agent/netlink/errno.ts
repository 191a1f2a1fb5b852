// errno values of Linux (asm-generic: x86-64, arm64) that netlink and nf_tables answer with.
const NAMES: Readonly<Record<number, string>> = {
  1: "EPERM",
  2: "ENOENT",
  3: "ESRCH",
  4: "EINTR",
  5: "EIO",
  7: "E2BIG",
  9: "EBADF",
  11: "EAGAIN",
  12: "ENOMEM",
  13: "EACCES",
  14: "EFAULT",
  16: "EBUSY",
  17: "EEXIST",
  22: "EINVAL",
  23: "ENFILE",
  24: "EMFILE",
  27: "EFBIG",
  28: "ENOSPC",
  31: "EMLINK",
  34: "ERANGE",
  40: "ELOOP",
  75: "EOVERFLOW",
  85: "ERESTART",
  90: "EMSGSIZE",
  93: "EPROTONOSUPPORT",
  95: "EOPNOTSUPP",
  97: "EAFNOSUPPORT",
  98: "EADDRINUSE",
  99: "EADDRNOTAVAIL",
  104: "ECONNRESET",
  105: "ENOBUFS",
  110: "ETIMEDOUT",
  111: "ECONNREFUSED",
};

export const EPERM = 1;
export const ENOENT = 2;
export const EINTR = 4;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EBUSY = 16;
export const EEXIST = 17;
export const EINVAL = 22;
export const ENFILE = 23;
export const EMLINK = 31;
export const ERANGE = 34;
export const ELOOP = 40;
export const EOVERFLOW = 75;
export const ERESTART = 85;
export const EMSGSIZE = 90;
export const EPROTONOSUPPORT = 93;
export const EOPNOTSUPP = 95;
export const EAFNOSUPPORT = 97;
export const ENOBUFS = 105;

/** "ENOENT" of 2; "errno 200" of what has no name here. */
export function errnoName(errno: number): string {
  return NAMES[errno] ?? `errno ${errno}`;
}

/** A system call on the socket itself failed. `operation` is libc's name of it. */
export class NetlinkError extends Error {
  override readonly name = "NetlinkError";
  readonly operation: string;
  readonly errno: number;
  /** "EPERM" */
  readonly code: string;

  constructor(operation: string, errno: number, explanation = "") {
    super(`netlink ${operation}: ${errnoName(errno)}${explanation === "" ? "" : `: ${explanation}`}`);
    this.operation = operation;
    this.errno = errno;
    this.code = errnoName(errno);
  }
}
