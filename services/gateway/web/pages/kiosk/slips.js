// Numbers for people without WeChat: taken at the kiosk, to be photographed or printed.
import { siteId, fetchJson, newIdempotencyKey } from '../../shared/http.js';
import { createElement } from '../../shared/dom.js';

const STORAGE_KEY = 'paihao.kiosk';

/** `?print` in the address: this kiosk has a printer, which prints each slip at once. */
export const hasPrinter = new URLSearchParams(location.search).has('print');

document.head.append(
  createElement('link', { rel: 'stylesheet', href: new URL('slips.css', import.meta.url).href }),
);

/** @typedef {typeof import('./slips.js')} SlipTaker */

/**
 * Slip as the server gives it.
 * @typedef {object} Slip
 * @property {string} number
 * @property {string} queue
 * @property {number} [ahead]
 * @property {[number, number]} [minutes]
 * @property {number} taken_at
 * @property {string} [code] QR code of the ticket's page, as SVG
 */

/** Name of this kiosk: the server bounds its slips. A browser may keep nothing. */
function kioskName() {
  try {
    const stored = localStorage.getItem(STORAGE_KEY);
    if (stored) return stored;
    localStorage.setItem(STORAGE_KEY, newName);
  } catch {
    /* named anew at every start */
  }
  return newName;
}
const newName = newIdempotencyKey();

/**
 * Key of the request that has no answer yet: pressed again, it is the same one.
 * @type {{ queue: string, key: string } | null}
 */
let pending = null;

/**
 * Takes a number in a queue. Throws an `ApiError`.
 * @param {string} queue
 * @returns {Promise<Slip>}
 */
export async function takeSlip(queue) {
  if (pending?.queue !== queue) pending = { queue, key: newIdempotencyKey() };
  const path = `/api/v1/sites/${encodeURIComponent(siteId)}/queues/${encodeURIComponent(queue)}/slips`;
  try {
    const slip = await fetchJson(path, {
      method: 'POST',
      headers: { 'idempotency-key': pending.key },
      body: JSON.stringify({ kiosk: kioskName() }),
    });
    pending = null;
    return slip;
  } catch (error) {
    if (!error.retryable) pending = null;
    throw error;
  }
}
