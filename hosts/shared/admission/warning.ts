/** A Warning header of the API server's answer. */
export interface Warning {
  readonly field: string;
  /** As the server says it, mostly with the field's name in it. */
  readonly text: string;
  /** What to do, where the text does not tell it. */
  readonly hint?: string;
}
