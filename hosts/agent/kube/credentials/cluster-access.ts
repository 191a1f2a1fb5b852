// Where the API server is and how to get in: what kubeconfigs and service accounts come down to.
import type { Credentials } from "./credentials.ts";
import type { TlsMaterial } from "./tls-material.ts";

export interface ClusterAccess {
  /** Where this was found, for people: a file and its context, or the service account. */
  readonly source: string;
  /** May have a path, which goes in front of all others. */
  readonly server: URL;
  readonly tls: TlsMaterial;
  readonly credentials: Credentials;
  /** http, https or socks5; undefined: straight to the server. */
  readonly proxy: URL | undefined;
}
