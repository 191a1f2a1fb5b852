// Real UDP in the namespace of a test: pods that answer with their name, and clients that keep their source port.
import { execFileSync } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";

/** Gives the loopback interface these addresses, and routes these networks to it. */
export function setUpAddresses(addresses: readonly string[], networks: readonly string[]): void {
  const ip = (...words: string[]): void => void execFileSync("ip", words);
  ip("link", "set", "lo", "up");
  for (const address of addresses) ip("addr", "add", `${address}/32`, "dev", "lo");
  for (const network of networks) ip("route", "add", network, "dev", "lo");
}

const open: Socket[] = [];

async function bound(address: string, port: number): Promise<Socket> {
  const socket = createSocket("udp4");
  open.push(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(port, address, resolve);
  });
  return socket;
}

/** Answers each datagram with `name`. Returns what stops it. */
export async function startPod(name: string, address: string, port: number): Promise<() => Promise<void>> {
  const socket = await bound(address, port);
  socket.on("message", (_, { address: from, port: fromPort }) => socket.send(name, fromPort, from));
  return () => close(socket);
}

/** How long an answer may take before it is taken for none, in milliseconds. */
const PATIENCE = 250;

export interface Client {
  /** Who answers one datagram; "nobody" if no answer comes. */
  ask(address: string, port: number): Promise<string>;
}

/** All datagrams of a client leave from one port, so conntrack takes those to one destination for one flow. */
export async function startClient(address: string): Promise<Client> {
  const socket = await bound(address, 0);
  return {
    ask: (to, port) =>
      new Promise((resolve) => {
        const finish = (answer: string): void => {
          clearTimeout(timer);
          socket.off("message", listen);
          socket.off("error", refused);
          resolve(answer);
        };
        const listen = (bytes: Buffer): void => finish(bytes.toString());
        const refused = (): void => finish("nobody");
        const timer = setTimeout(refused, PATIENCE);
        socket.on("message", listen);
        socket.on("error", refused);
        socket.send("who?", port, to, (error) => {
          if (error !== null) refused();
        });
      }),
  };
}

function close(socket: Socket): Promise<void> {
  open.splice(open.indexOf(socket), 1);
  return new Promise((resolve) => socket.close(() => resolve()));
}

export async function closeAll(): Promise<void> {
  for (const socket of [...open]) await close(socket);
}
