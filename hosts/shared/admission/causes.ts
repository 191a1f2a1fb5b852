// What is wrong with an object, in the words of Kubernetes' field errors
// (staging/src/k8s.io/apimachinery/pkg/util/validation/field).

/** One of the causes in the Status of a 422, with the server's own field paths and words. */
export interface Cause {
  readonly reason:
    | "FieldValueDuplicate"
    | "FieldValueForbidden"
    | "FieldValueInvalid"
    | "FieldValueNotSupported"
    | "FieldValueRequired"
    | "FieldValueTooLong"
    | "FieldValueTooMany"
    /** No 422: the object cannot be decoded. */
    | "FieldValueTypeInvalid"
    /** No 422: a 500, which names no field. */
    | "InternalError";
  /** As `spec.ports[0].port`. */
  readonly field: string;
  readonly message: string;
  /** What to do, where the message does not tell it. */
  readonly hint?: string;
}

export class Causes {
  readonly list: Cause[] = [];

  invalid(field: string, value: unknown, why: string, hint?: string): void {
    const message = `Invalid value: ${JSON.stringify(value)}: ${why}`;
    this.list.push({ reason: "FieldValueInvalid", field, message, ...(hint === undefined ? {} : { hint }) });
  }

  /** One cause for each of the reasons. */
  allInvalid(field: string, value: unknown, reasons: Iterable<string>): void {
    for (const why of reasons) this.invalid(field, value, why);
  }

  required(field: string, why = ""): void {
    this.list.push({ reason: "FieldValueRequired", field, message: `Required value${why === "" ? "" : `: ${why}`}` });
  }

  forbidden(field: string, why: string): void {
    this.list.push({ reason: "FieldValueForbidden", field, message: `Forbidden: ${why}` });
  }

  duplicate(field: string, value: unknown): void {
    this.list.push({ reason: "FieldValueDuplicate", field, message: `Duplicate value: ${JSON.stringify(value)}` });
  }

  notSupported(field: string, value: unknown, supported: readonly string[]): void {
    const list = supported.map((each) => JSON.stringify(each)).join(", ");
    const message = `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}`;
    this.list.push({ reason: "FieldValueNotSupported", field, message });
  }

  tooMany(field: string, count: number, most: number): void {
    const message = `Too many: ${count}: must have at most ${most} items`;
    this.list.push({ reason: "FieldValueTooMany", field, message });
  }

  tooLong(field: string, most: number): void {
    const message = `Too long: may not be more than ${most} bytes`;
    this.list.push({ reason: "FieldValueTooLong", field, message });
  }
}
