// errno values of Linux (asm-generic: x86-64, arm64) that netlink and nf_tables answer with.
const NUMBERS = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  EFBIG: 27,
  ENOSPC: 28,
  EMLINK: 31,
  ERANGE: 34,
  ELOOP: 40,
  EOVERFLOW: 75,
  ERESTART: 85,
  EMSGSIZE: 90,
  EPROTONOSUPPORT: 93,
  EOPNOTSUPP: 95,
  EAFNOSUPPORT: 97,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ECONNRESET: 104,
  ENOBUFS: 105,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
} as const;

export const {
  EPERM,
  ENOENT,
  EINTR,
  EBADF,
  EAGAIN,
  ENOMEM,
  EACCES,
  EBUSY,
  EEXIST,
  EINVAL,
  ENFILE,
  EMLINK,
  ERANGE,
  ELOOP,
  EOVERFLOW,
  ERESTART,
  EMSGSIZE,
  EPROTONOSUPPORT,
  EOPNOTSUPP,
  EAFNOSUPPORT,
  EADDRINUSE,
  ENOBUFS,
  ETIMEDOUT,
  ECONNREFUSED,
} = NUMBERS;

const NAMES = new Map<number, string>(Object.entries(NUMBERS).map(([name, number]) => [number, name]));

/** "ENOENT" of 2; "errno 200" of what has no name here. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
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
