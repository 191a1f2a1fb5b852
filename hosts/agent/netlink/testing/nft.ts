// The nft binary as a second witness of what the kernel holds.
import { spawnSync } from "node:child_process";

export function nft(script: string): void {
  const done = spawnSync("nft", ["-f", "-"], { input: script, encoding: "utf8" });
  if (done.status !== 0) throw new Error(`nft: ${done.stderr}`);
}

/** One object of `nft -j list`: { chain: {…} }, { rule: {…} }… */
export type NftObject = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export function nftList(...what: string[]): NftObject[] {
  const done = spawnSync("nft", ["-j", "list", ...what], { encoding: "utf8", maxBuffer: 1 << 30 });
  if (done.status !== 0) throw new Error(`nft: ${done.stderr}`);
  return (JSON.parse(done.stdout) as { nftables: NftObject[] }).nftables;
}
