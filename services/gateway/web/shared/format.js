// Times, ranges of minutes and counts as they are written on pages.
/** @import { Hours, QueueView, Values } from './types' */
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
/** @param {string} [timeZone] */
const monthDayFormat = timeZone =>
  new Intl.DateTimeFormat('en-GB', { month: '2-digit', day: '2-digit', timeZone });
let format = timeFormat();
let dayFormat = monthDayFormat();
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
    [format, dayFormat] = [timeFormat(zone), monthDayFormat(zone)];
  } catch {
    /* a browser that does not know the zone */
  }
}

/** Hours and minutes of a moment in milliseconds. */
export const formatTime = (at = serverNow()) => format.format(at);

/**
 * Day and minute of a moment in the site's time zone, the same in both languages.
 * @param {number} at
 */
export function formatDateTime(at) {
  const parts = Object.fromEntries(
    dayFormat.formatToParts(at).map(({ type, value }) => [type, value]),
  );
  return `${parts.month}-${parts.day} ${formatTime(at)}`;
}

/**
 * Opening hours of a queue, today and tomorrow.
 * @param {Hours} hours
 */
export function hoursElement(hours) {
  const [today, tomorrow] = [hours.today, hours.tomorrow].map(intervals =>
    intervals.map(([from, to]) => `${formatTime(from)}–${endOfDay(formatTime(to))}`).join(' '),
  );
  if (today && tomorrow) return textElement('hours', { today, tomorrow });
  if (today) return textElement('hours.today', { today });
  return tomorrow ? textElement('hours.tomorrow', { tomorrow }) : textElement('hours.none');
}

/** @param {string} time the end of an interval */
const endOfDay = time => (time === '00:00' ? '24:00' : time);

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
 * @param {Values} [values] that the words have beside it
 */
export function minutesElement(key, [low, high], values) {
  if (high <= 5) return textElement(`${key}.short`, values);
  if (low >= 60) return textElement(`${key}.long`, values);
  return textElement(key, { ...values, low, high });
}

/**
 * Digits of a text in the form that a server compares, whatever keyboard they were typed with.
 * @param {string} text
 */
export const toAsciiDigits = text =>
  text
    .replace(/[０-９]/g, digit => String.fromCharCode(digit.charCodeAt(0) - 0xfee0))
    .replace(/\D/g, '');
