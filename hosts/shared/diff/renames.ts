// Services that have another name now, and are the same otherwise.

/** What a Service is by, but for its name. */
export interface ServiceContent {
  /** `namespace/name` */
  readonly service: string;
  /** The same text for the same content: selector, ports, type and the addresses that were chosen. Empty: nothing to tell it by. */
  readonly content: string;
}

/** Base's name → head's. Paired is only what is alone with its content on both sides, in one namespace. */
export function renamedServices(gone: readonly ServiceContent[], come: readonly ServiceContent[]): Map<string, string> {
  const [before, after] = [byContent(gone), byContent(come)];
  const renamed = new Map<string, string>();
  for (const [content, olds] of before) {
    const news = after.get(content) ?? [];
    const [old, now] = [olds[0], news[0]];
    if (old !== undefined && now !== undefined && olds.length === 1 && news.length === 1) renamed.set(old, now);
  }
  return renamed;
}

function byContent(services: readonly ServiceContent[]): Map<string, string[]> {
  const result = new Map<string, string[]>();
  for (const { service, content } of services) {
    if (content === "") continue;
    const key = `${service.slice(0, service.indexOf("/"))} ${content}`;
    result.set(key, [...(result.get(key) ?? []), service]);
  }
  return result;
}
