import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { NodeView } from "../shared/contract.ts";
import { listenAddresses } from "./node-port-addresses.ts";

const test = suite("node port addresses");

const node: NodeView = {
  name: "node-a",
  known: true,
  deleting: false,
  toBeDeleted: false,
  hasPodCidrs: true,
  zone: "",
  primaryFamily: "ipv4",
  ipv4: "192.0.2.1",
  ipv6: "::1",
};
const interfaces = ["127.0.0.1", "192.0.2.1", "10.1.0.7", "::1", "fd00::1", "fe80::1"];

test("nothing listed: every address in iptables mode, the primary ones in the nftables modes", () => {
  assert.equal(listenAddresses("iptables", [], interfaces, node), { ipv4: undefined, ipv6: undefined });
  assert.equal(listenAddresses("flat", [], interfaces, node), { ipv4: ["192.0.2.1"], ipv6: undefined });
  const both = { ...node, ipv6: "fd00::1" };
  assert.equal(listenAddresses("nftables", [], interfaces, both), { ipv4: ["192.0.2.1"], ipv6: ["fd00::1"] });
});

test("CIDRs: the addresses of interfaces in them; a family without any is not restricted", () => {
  const { ipv4, ipv6 } = listenAddresses("iptables", ["10.0.0.0/8", "192.0.2.0/24"], interfaces, node);
  assert.equal(ipv4, ["192.0.2.1", "10.1.0.7"]);
  assert.is(ipv6, undefined);
  assert.equal(listenAddresses("flat", ["fd00::/8"], interfaces, node), { ipv4: undefined, ipv6: ["fd00::1"] });
});

test("a zero CIDR and `all` are every address; `localhost` and `primary` add theirs", () => {
  assert.is(listenAddresses("flat", ["10.0.0.0/8", "0.0.0.0/0"], interfaces, node).ipv4, undefined);
  assert.equal(listenAddresses("flat", ["primary", "all"], interfaces, node), { ipv4: undefined, ipv6: undefined });
  assert.equal(listenAddresses("flat", ["localhost", "primary"], interfaces, node), {
    ipv4: ["127.0.0.1", "192.0.2.1"],
    ipv6: ["::1"],
  });
});

test("a listed CIDR that no interface is in: no address at all", () => {
  assert.equal(listenAddresses("iptables", ["198.51.100.0/24"], interfaces, node).ipv4, []);
});

test.run();
