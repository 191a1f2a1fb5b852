// Run by a test with a low limit of open files: what becomes of a child process when none is left, and afterwards.
import { closeSync, openSync } from "node:fs";
import { commandRunner } from "../commands/run-command.ts";

const run = commandRunner();
const held: number[] = [];
let refused = "";
while (refused === "") {
  try {
    held.push(openSync("/dev/null", "r"));
  } catch (error) {
    refused = (error as NodeJS.ErrnoException).code ?? "";
  }
}
const starved = run("true", []);
for (const fd of held) closeSync(fd);
console.log(JSON.stringify([refused, await starved, await run("true", [])]));
