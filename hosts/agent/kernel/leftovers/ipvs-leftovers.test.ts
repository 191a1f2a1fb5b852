// No kernel here has IPVS: what is shown is which commands are run, against a fake that answers as they do.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CommandResult } from "../commands/run-command.ts";
import { findIpvs, type IpvsHost, removeIpsets, removeIpvsServers } from "./ipvs-leftovers.ts";

const test = suite("leftovers of mode ipvs");

const interfaces = [
  { ifname: "lo", addr_info: [{ local: "127.0.0.1" }] },
  { ifname: "eth0", addr_info: [{ local: "192.0.2.10" }, { local: "2001:db8::10" }] },
  { ifname: "kube-ipvs0", addr_info: [{ local: "10.96.0.1" }, { local: "10.96.0.10" }, { local: "fd00:96::a" }] },
];

const saved = `-A -t 10.96.0.1:443 -s rr
-a -t 10.96.0.1:443 -r 192.0.2.10:6443 -m -w 1
-A -u 10.96.0.10:53 -s rr -p 10800
-A --sctp-service 10.96.0.10:9 -s rr
-A -t [fd00:96::a]:443 -s rr
-A -t 192.0.2.10:31080 -s rr
-A -t 192.0.2.10:80 -s wlc
-A -t 198.51.100.7:31080 -s rr
-A -f 7 -s rr
`;

/** A machine with these commands; what is run is noted. */
function fakeHost(answers: Record<string, string | number>, devices = " eth0: 1 2\nkube-ipvs0: 0 0\n") {
  const ran: string[] = [];
  const host: IpvsHost = {
    read: (path) => (path === "/proc/net/dev" ? devices : undefined),
    run: async (command, args, options): Promise<CommandResult> => {
      const words = [command, ...args].join(" ");
      const answer = answers[words] ?? answers[command];
      if (answer === undefined) return { outcome: "missing" };
      ran.push(words);
      const stdout = typeof answer === "string" ? answer : "";
      if (options?.onLine !== undefined) for (const line of stdout.split("\n")) options.onLine(line);
      return { outcome: "exited", code: typeof answer === "number" ? answer : 0, stdout, stderr: "it said no" };
    },
  };
  return { host, ran };
}

test("kube-ipvs0 and ipsets of kube-proxy are found, others not", async () => {
  const sets = "KUBE-CLUSTER-IP\ncali40s\nKUBE-LOOP-BACK\n";
  const { host } = fakeHost({ ipset: sets });
  assert.equal(await findIpvs(host), { interface: true, sets: ["KUBE-CLUSTER-IP", "KUBE-LOOP-BACK"] });
  assert.equal(await findIpvs(fakeHost({}, " eth0: 1 2\n").host), { interface: false, sets: [] });
});

test("virtual servers at kube-ipvs0's addresses and at node ports are removed, then the interface; no others", async () => {
  const { host, ran } = fakeHost({
    "ip -json address show": JSON.stringify(interfaces),
    "ipvsadm --save --numeric": saved,
    ipvsadm: "",
    ip: "",
  });
  await removeIpvsServers(host);
  assert.equal(ran.slice(2), [
    "ipvsadm -D -t 10.96.0.1:443",
    "ipvsadm -D -u 10.96.0.10:53",
    "ipvsadm -D --sctp-service 10.96.0.10:9",
    "ipvsadm -D -t [fd00:96::a]:443",
    "ipvsadm -D -t 192.0.2.10:31080",
    "ip link delete dev kube-ipvs0",
  ]);
});

test("a command that is missing or fails is an error that says which, and what to do", async () => {
  const failure = async (work: Promise<void>) => {
    try {
      await work;
    } catch (error) {
      return (error as Error).message;
    }
    return "none";
  };
  const { host } = fakeHost({ "ip -json address show": JSON.stringify(interfaces), ipset: 1 });
  assert.match(await failure(removeIpvsServers(host)), "ipvsadm is not on the path");
  assert.is(
    await failure(removeIpsets(host, ["KUBE-CLUSTER-IP"])),
    "ipset destroy KUBE-CLUSTER-IP failed (exit code 1): it said no",
  );
});

test.run();
