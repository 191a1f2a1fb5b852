// The secrets that this process has read, so that none of them is shown. They may turn up anywhere: a proxy's page may repeat
// the headers of a request, and an error may quote its input.

/** Shorter ones are words that mean something else, too. */
const SHORTEST = 6;
/** A secret is recognised by so many characters of its beginning, in case the text was cut off. */
const BEGINNING = 12;
/** Tokens are replaced again and again. The oldest are no longer valid. */
const MOST_KNOWN = 64;

const known = new Set<string>();

/** From now on `hideSecrets` hides it, also as it stands in URLs and in JSON. */
export function keepSecret(secret: string | undefined): void {
  const text = secret?.trim() ?? "";
  if (text.length < SHORTEST) return;
  // As it is comes first: the other forms may begin like it.
  const forms = new Set([text, inUrl(text), JSON.stringify(text).slice(1, -1)]);
  for (const form of forms) known.delete(form);
  for (const form of forms) known.add(form);
  for (const oldest of known) {
    if (known.size <= MOST_KNOWN) break;
    known.delete(oldest);
  }
}

/** User and password of a URL, the header that is made of them, and its query. */
export function keepSecretsOf({ username, password, search }: URL): void {
  for (const part of [username, password]) {
    keepSecret(part);
    keepSecret(plain(part));
  }
  if (password !== "") keepSecret(Buffer.from(`${plain(username)}:${plain(password)}`).toString("base64"));
  keepSecret(search.slice(1));
}

/** The text without secrets that are known, nor with beginnings of them. */
export function hideSecrets(text: string): string {
  let hidden = text;
  for (const secret of known) {
    const beginning = secret.slice(0, BEGINNING);
    for (let at = hidden.indexOf(beginning); at !== -1; at = hidden.indexOf(beginning, at + 1)) {
      let end = at + beginning.length;
      while (end < hidden.length && end - at < secret.length && hidden[end] === secret[end - at]) end++;
      hidden = `${hidden.slice(0, at)}(hidden)${hidden.slice(end)}`;
    }
  }
  return hidden;
}

/** Half a surrogate pair can't stand in a URL. */
function inUrl(text: string): string {
  try {
    return encodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Percent signs that encode nothing stay. */
function plain(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
