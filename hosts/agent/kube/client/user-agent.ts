// How we name ourselves to API servers: audit logs and API priority tell clients apart by it.

/** Go's names, which clients of API servers use. */
const architectures: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386", ppc64: "ppc64le" };

/** For example `sluice/1.2.3 (linux/amd64)`. */
export function userAgent(version: string, platform = process.platform, architecture: string = process.arch): string {
  return `sluice/${version} (${platform}/${architectures[architecture] ?? architecture})`;
}
