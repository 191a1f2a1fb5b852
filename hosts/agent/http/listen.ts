// Binds a server to an address, as a Go program would.
import type { Server } from "node:http";
import type { AddressInfo, ListenOptions } from "node:net";

/** The codes with which a kernel without IPv6 refuses an IPv6 socket. */
const NO_IPV6 = new Set(["EAFNOSUPPORT", "EADDRNOTAVAIL", "EPROTONOSUPPORT"]);

export function hasNoIPv6(error: unknown): boolean {
  return NO_IPV6.has((error as NodeJS.ErrnoException).code ?? "");
}

export function listen(server: Server, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options, () => {
      server.off("error", reject);
      // Later errors are those of accept(): out of file descriptors, for a moment.
      server.on("error", () => {});
      resolve();
    });
  });
}

/** An unspecified host, 0.0.0.0 as well, means both families. */
export async function listenDualStack(server: Server, host: string, port: number): Promise<void> {
  if (host !== "" && host !== "0.0.0.0" && host !== "::") return listen(server, { host, port });
  try {
    await listen(server, { host: "::", port, ipv6Only: false });
  } catch (error) {
    if (!hasNoIPv6(error)) throw error;
    await listen(server, { host: "0.0.0.0", port });
  }
}

/** The port of a server that listens. */
export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
