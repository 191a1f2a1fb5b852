// Characters that do something to a terminal or a reader other than being seen.

/**
 * Controls (C0, DEL, C1 with its one-byte escapes), line and paragraph separators, what changes the direction of writing or has
 * no width, lone halves of surrogate pairs.
 */
export const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
