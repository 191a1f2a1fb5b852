// SHA256SUMS of the packages in a directory, as `sha256sum --check` reads it.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Of all packages that lie there: those of nodes and that of npm are made one after the other. */
export function writeChecksums(directory) {
  const packages = readdirSync(directory).filter((file) => /^sluice-.*\.(tar\.gz|tgz)$/.test(file));
  const sums = packages.sort().map((file) => {
    const sum = createHash("sha256").update(readFileSync(join(directory, file)));
    return `${sum.digest("hex")}  ${file}\n`;
  });
  writeFileSync(join(directory, "SHA256SUMS"), sums.join(""));
}
