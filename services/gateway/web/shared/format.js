// Times, ranges of minutes and counts as they are written on pages.
/** @import { QueueView } from './types' */
import { serverNow } from './http.js';
import { textElement } from './language.js';

/** @param {string} [timeZone] */
const timeFormat = timeZone =>
  new Intl.DateTimeFormat('en-GB', {
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZone,
  });
let format = timeFormat();
/** @type {string | undefined} */
let formatZone;

/**
 * Shows times in a site's time zone from now on, wherever this machine is.
 * @param {{ zone?: string }} site
 */
export function useTimeZone({ zone }) {
  if (formatZone === zone) return;
  formatZone = zone;
  try {
    format = timeFormat(zone);
  } catch {
    /* a browser that does not know the zone */
  }
}

/** Hours and minutes of a moment in milliseconds. */
export const formatTime = (at = serverNow()) => format.format(at);

/** @param {number} number */
const twoDigits = number => String(number).padStart(2, '0');

/**
 * Day and minute of a moment by this machine's clock, the same in both languages.
 * @param {number} at
 */
export function formatDateTime(at) {
  const date = new Date(at);
  const day = `${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`;
  return `${day} ${twoDigits(date.getHours())}:${twoDigits(date.getMinutes())}`;
}

/**
 * The number of people who wait in a queue, and the wait now where the server knows it.
 * @param {QueueView} queue
 */
export function waitingElements({ waiting_count: count, minutes }) {
  if (count === 0) return [textElement('waiting.none')];
  return [textElement('waiting', { count }), ...(minutes ? [minutesElement('wait', minutes)] : [])];
}

/**
 * A range of minutes in the words under a key.
 * @param {string} key
 * @param {[number, number]} range
 */
export function minutesElement(key, [low, high]) {
  if (high <= 5) return textElement(`${key}.short`);
  if (low >= 60) return textElement(`${key}.long`);
  return textElement(key, { low, high });
}
