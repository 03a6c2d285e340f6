// Numbers as people type them: `50`, `a50` or letters of full width for `A050`.
/** @import { ConsoleTicketView } from '../../shared/types' */

/**
 * The prefix of a number, and its digits without leading zeros.
 * @param {string} number
 */
const partsOf = number => /^(.*?)0*(\d+)$/.exec(number)?.slice(1) || [number, ''];

/** @param {string} text */
export const normalizeNumber = text => text.normalize('NFKC').replace(/\s/g, '').toUpperCase();

/**
 * Tickets that a typed number means: the one with exactly this number, or else those with its digits,
 * and its letters where it has some.
 * @param {ConsoleTicketView[]} tickets
 * @param {string} typed
 */
export function ticketsOfNumber(tickets, typed) {
  const wanted = normalizeNumber(typed);
  const exact = tickets.filter(ticket => normalizeNumber(ticket.number) === wanted);
  if (exact.length > 0) return exact;
  const [prefix, digits] = partsOf(wanted);
  return tickets.filter(ticket => {
    const [ownPrefix, ownDigits] = partsOf(normalizeNumber(ticket.number));
    return digits && digits === ownDigits && (!prefix || prefix === ownPrefix);
  });
}

/**
 * Tells whether a ticket is found by a text: by its number, or by other words about it.
 * @param {ConsoleTicketView} ticket
 * @param {string} text
 * @param {string[]} words
 */
export function isFound(ticket, text, words) {
  const wanted = normalizeNumber(text);
  const texts = [ticket.number, ...words].map(normalizeNumber);
  return texts.some(one => one.includes(wanted)) || ticketsOfNumber([ticket], text).length > 0;
}
