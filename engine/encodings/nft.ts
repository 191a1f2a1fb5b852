// The encoding that nftables layouts write through at the moment.
import { NftEncoding } from "./nft-encoding";
import { NftText } from "./nft-text";

const text = new NftText();

export let nft: NftEncoding = text;

/** What follows is written as nft's command language. */
export function encodeAsText(): void {
  nft = text;
}
