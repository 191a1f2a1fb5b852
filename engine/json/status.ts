// Reads `Status` objects: how an API server says that something went wrong.
import { readOtherMember } from "./identity";
import { readInto } from "./metadata";
import { enterObject, moreMembers, readKey, stringIs } from "./scanner";
import { clearText, newText, Text } from "./scratch";
import { skipValue } from "./skip";
import { integer, openObject, readInteger } from "./values";

export const reasonText: Text = newText();
export const messageText: Text = newText();
export let statusCode: u32 = 0;
/** details.retryAfterSeconds; 0 if absent. */
export let retryAfterSeconds: u32 = 0;

function readNatural(): u32 {
  return readInteger() && integer > 0 ? <u32>integer : 0;
}

function readDetails(): void {
  retryAfterSeconds = 0;
  if (!openObject()) return;
  do {
    readKey();
    if (stringIs("retryAfterSeconds")) retryAfterSeconds = readNatural();
    else skipValue();
  } while (moreMembers());
}

/** At `{`: reads a Status. */
export function readStatus(): void {
  clearText(reasonText);
  clearText(messageText);
  statusCode = 0;
  retryAfterSeconds = 0;
  if (!enterObject()) return;
  do {
    readKey();
    if (stringIs("code")) statusCode = readNatural();
    else if (stringIs("reason")) readInto(reasonText);
    else if (stringIs("message")) readInto(messageText);
    else if (stringIs("details")) readDetails();
    else readOtherMember();
  } while (moreMembers());
}
