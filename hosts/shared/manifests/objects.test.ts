// The objects of an input are the same as values and as places, however the documents stand.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { jsonInput } from "./input.ts";
import { objectsOf } from "./objects.ts";
import { objectsIn } from "./scan.ts";

const test = suite("objects");

const object = (name: string, more = "") => `{"kind":"K","metadata":{"name":"${name}"}${more}}`;
const inputOf = (text: string) => jsonInput("f", new TextEncoder().encode(text));
const valuesIn = (text: string) => [...objectsOf(inputOf(text))].map(({ name }) => name);
const placesIn = (text: string) => [...objectsIn(new TextEncoder().encode(text))].map(({ name }) => name);

for (const [how, text, names] of [
  ["one", object("a"), "a"],
  ["one, over several lines", JSON.stringify(JSON.parse(object("a")), null, 2), "a"],
  ["a list", `{"kind":"List","items":[${object("a")},\n${object("b")}]}`, "a b"],
  ["one on each line", `${object("a")}\n${object("b")}\n\n${object("c")}\n`, "a b c"],
  ["two on a line", `${object("a")} ${object("b")}\n${object("c")}`, "a b c"],
  ["two on a later line", `${object("a")}\n${object("b")} ${object("c")}\n${object("d")}`, "a b c d"],
  ["over several lines behind one on a line", `${object("a")}\n{"kind":"K",\n"metadata":{"name":"b"}}\n`, "a b"],
  ["broken at the end", `${object("a")}\n${object("b")}\n{"kind":`, "a b"],
  ["with a newline in a text", `${object("a", ',"x":"\\n{}"')}\n${object("b")}`, "a b"],
  ["two metadata", `{"kind":"K","metadata":{"name":"a"},"metadata":{}}\n${object("b")}`, "b"],
  ["two metadata, the last no object", `{"metadata":{"name":"a"},"metadata":7}\n${object("b")}`, "b"],
  ["two items", `{"kind":"List","items":[${object("a")}],"items":7,"metadata":{"name":"l"}}\n${object("b")}`, "l b"],
  ["two kinds", `{"kind":"List","kind":7,"items":[${object("a")}],"metadata":{"name":"l"}}\n${object("b")}`, "l b"],
  ["two objects of an event", `{"object":${object("a")},"object":7,"metadata":{"name":"e"}}\n${object("b")}`, "e b"],
  ["a kind that is no text, in a typed list", `{"kind":"KList","items":[{"kind":7,"metadata":{"name":"a"}}]}`, "a"],
  ["a name that is no text", `{"kind":"K","metadata":{"name":"a","name":7}}\n${object("b")}`, "b"],
  ["events", `{"type":"ADDED","object":${object("a")}}\n{"type":"ADDED","object":${object("b")}}`, "a b"],
] as const) {
  test(how, () => {
    assert.is(valuesIn(text).join(" "), names);
    assert.is(placesIn(text).join(" "), names);
  });
}

test.run();
