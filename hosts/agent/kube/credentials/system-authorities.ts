// The certificate authorities that this machine trusts, where Go programs look for them.
import { readFileSync } from "node:fs";

const bundles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** PEM; undefined where there is no such file: Node's own list then counts. */
export function systemAuthorities(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const named = environment.SSL_CERT_FILE;
  for (const path of named === undefined || named === "" ? bundles : [named]) {
    try {
      return readFileSync(path, "utf8");
    } catch {
      // Not on this distribution.
    }
  }
  return undefined;
}
