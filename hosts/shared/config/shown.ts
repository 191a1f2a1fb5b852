// Values of a configuration as messages may show them: somebody may have pasted a secret into the wrong field.

/** What addresses, names, numbers and modes are made of; no URL, and nothing as long as a token. */
const harmless = /^[\w.:/,+@*\-[\] ]{0,43}$/;

/** The text in quotes, or `this text` where it may hold more than it should. */
export function shown(text: string): string {
  return harmless.test(text) && !text.includes("://") ? JSON.stringify(text) : "this text";
}
