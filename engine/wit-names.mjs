// asc transform: gives the exports of a component's main.ts (WIT_SOURCE names its contract) the names that the component model's canonical ABI wants.
//   engine__end_list            -> sluice:engine/engine@0.1.0#end-list
//   cabi_post_engine__end_list  -> cabi_post_sluice:engine/engine@0.1.0#end-list
import { readFileSync } from "node:fs";
import { Transform } from "assemblyscript/transform";

const wit = readFileSync(new URL(`../${process.env.WIT_SOURCE ?? "engine/engine.wit"}`, import.meta.url), "utf8");
const [, packageName, version] = /^package ([^@\s]+)@([^;\s]+);/m.exec(wit);
const POST = "cabi_post_";

function witName(name) {
  const post = name.startsWith(POST) ? POST : "";
  const [iface, func] = name.slice(post.length).split("__");
  if (!func) return name;
  return `${post}${packageName}/${iface}@${version}#${func.replaceAll("_", "-")}`;
}

export default class WitNames extends Transform {
  afterCompile(module) {
    const { binaryen } = this;
    const exports = Array.from({ length: module.getNumExports() }, (_, i) =>
      binaryen.getExportInfo(module.getExportByIndex(i)),
    );
    for (const { kind, name, value } of exports) {
      if (kind !== binaryen.ExternalFunction || witName(name) === name) continue;
      module.removeExport(name);
      module.addFunctionExport(value, witName(name));
    }
  }
}
