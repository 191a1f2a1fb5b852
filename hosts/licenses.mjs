// The licenses of packages that are distributed with ours.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Directories of the packages (relative as the inputs are) that bundled files come from, sorted. */
export function packageDirectoriesOf(inputs) {
  const directories = inputs.map((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0]);
  return [...new Set(directories.filter((directory) => directory !== undefined))].sort();
}

/**
 * One text with name, version, license and the license's words of each package.
 * @throws {Error} if a package says no license at all: it must not be distributed then
 */
export function licenseTexts(directories) {
  return directories.map(licenseText).join(`\n${"-".repeat(80)}\n\n`);
}

function licenseText(directory) {
  const { name, version, license, author, homepage, repository } = JSON.parse(
    readFileSync(join(directory, "package.json"), "utf8"),
  );
  if (typeof license !== "string") throw new Error(`${name} ${version} names no license in ${directory}/package.json`);
  const files = readdirSync(directory)
    .filter((file) => /^(licen[cs]e|copying|notice)/i.test(file))
    .sort();
  const texts = files.map((file) => readFileSync(join(directory, file), "utf8").trim());
  const by = typeof author === "string" ? author : author?.name;
  const from = homepage ?? (typeof repository === "string" ? repository : repository?.url);
  const about = [`${name} ${version}`, `License: ${license}`, by && `Author: ${by}`, from && `Source: ${from}`];
  return `${about.filter(Boolean).join("\n")}\n\n${texts.join("\n\n")}\n`;
}
