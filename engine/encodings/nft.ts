// The encoding that nftables layouts write through at the moment.
import { NftEncoding } from "./nft-encoding";
import { NftNetlink } from "./nft-netlink";
import { NftText } from "./nft-text";

const asText = new NftText();
const asNetlink = new NftNetlink();

export let nft: NftEncoding = asText;

/** Whether what follows is written as nfnetlink batches or as nft's command language. */
export function encodeAsNetlink(netlink: bool): void {
  if (netlink) nft = asNetlink;
  else nft = asText;
}
