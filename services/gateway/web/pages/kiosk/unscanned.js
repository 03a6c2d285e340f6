// Codes that nobody has scanned yet: a kiosk shows them again, and has no others made.
import { siteId } from '../../shared/http.js';

const STORAGE_KEY = `paihao-kiosk-codes/${siteId}`;
const MIN_REMAINING_MS = 60000; // a code is shown again only if it works for so long

/**
 * Code of a queue.
 * @typedef {object} UnscannedCode
 * @property {string} uuid
 * @property {number} expiresAt by this machine's clock
 */

/** @type {Record<string, UnscannedCode>} the codes by queue, where a browser stores nothing */
let held = {};

/** @returns {Record<string, UnscannedCode>} */
function storedCodes() {
  try {
    return JSON.parse(sessionStorage.getItem(STORAGE_KEY) || '{}');
  } catch {
    return held;
  }
}

/** @param {Record<string, UnscannedCode>} codes */
function storeCodes(codes) {
  held = codes;
  try {
    sessionStorage.setItem(STORAGE_KEY, JSON.stringify(codes));
  } catch {
    /* a browser without storage */
  }
}

/**
 * The uuid of a queue's code that can be shown again.
 * @param {string} queue
 * @returns {string | undefined}
 */
export function unscannedCode(queue) {
  const code = storedCodes()[queue];
  return code && code.expiresAt > Date.now() + MIN_REMAINING_MS ? code.uuid : undefined;
}

/**
 * @param {string} queue
 * @param {UnscannedCode} code
 */
export function rememberCode(queue, code) {
  storeCodes({ ...storedCodes(), [queue]: code });
}

/** @param {string} queue */
export function forgetCode(queue) {
  const codes = storedCodes();
  delete codes[queue];
  storeCodes(codes);
}
