// Each thing that Kubernetes' own validation was found to say of random objects. What the API server does around it, such as
// allocating, is in admission.test.ts.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { recorded } from "../../../fixtures/admission/answers.ts";
import { saidOf } from "../../../fixtures/admission/said.ts";

const test = suite("validation");

test("each complaint and each warning in its words, and no others", () => {
  const answers = recorded();
  assert.ok(answers.length > 150, `${answers.length}`);
  for (const { object, causes, warnings } of answers) {
    const expected = { causes: causes.map(({ field, message }) => `${field}: ${message}`).sort(), warnings };
    assert.equal(saidOf(object), expected, JSON.stringify(object).slice(0, 2000));
  }
});

test.run();
