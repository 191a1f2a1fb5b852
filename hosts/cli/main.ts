#!/usr/bin/env node
// The command. Nothing is imported before the runtime is known to be new enough: an older one would stop at syntax.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major > 20 || (major === 20 && minor >= 19)) {
  await import("./process.ts");
} else {
  process.stderr.write(`sluice: Node.js 20.19 or newer is needed, and this is ${process.version}\n`);
  process.exitCode = 1;
}

export {};
