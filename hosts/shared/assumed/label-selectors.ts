// Label selectors as the API server and the controllers match them (apimachinery, labels/selector.go).
import { type Fields, fieldsOf, listOf, textOf } from "../manifests/objects.ts";
import { textsOf } from "./objects.ts";

export type Labels = Readonly<Record<string, string>>;

/** A Service's selector: all of its labels. */
export function matchesLabels(wanted: Labels, labels: Labels): boolean {
  return Object.entries(wanted).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
}

/** A LabelSelector: matchLabels and matchExpressions. Empty: everything. */
export function matchesSelector(selector: Fields, labels: Labels): boolean {
  return (
    matchesLabels(textsOf(selector.matchLabels), labels) &&
    listOf(selector.matchExpressions).every((each) => matchesExpression(fieldsOf(each), labels))
  );
}

/** `{key, operator, values}` of a LabelSelector or of a Node selector, which also compares numbers. */
export function matchesExpression(expression: Fields, labels: Labels): boolean {
  const value = Object.hasOwn(labels, textOf(expression.key)) ? labels[textOf(expression.key)] : undefined;
  const values = listOf(expression.values).map(textOf);
  switch (expression.operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
    case "Lt": {
      const [number, bound] = [Number(value ?? Number.NaN), Number(values[0] ?? Number.NaN)];
      return expression.operator === "Gt" ? number > bound : number < bound;
    }
    default:
      return false;
  }
}
