// Comparing resourceVersions: decimal digits of any length, comparable since Kubernetes 1.35 (KEP-5504).

/** False where either is no such number: nothing can then be said. */
export function isOlder(version: string, than: string): boolean {
  if (!/^[1-9]\d*$/.test(version) || !/^[1-9]\d*$/.test(than)) return false;
  return version.length === than.length ? version < than : version.length < than.length;
}
