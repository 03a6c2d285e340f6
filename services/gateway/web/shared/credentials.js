// Credentials of staff: the session of this browser, or an API key that this window holds.
/** @import { ApiError } from './http.js' */
import { fetchJson, redirectToLogin, siteId, switchUserLink } from './http.js';
import { translations } from './language.js';
import { showFatalError } from './page.js';

const STORAGE_KEY = `paihao-staff-key/${siteId}`;
/** @type {string | null} the key where a browser stores nothing */
let heldKey = null;

function storedKey() {
  try {
    return sessionStorage.getItem(STORAGE_KEY);
  } catch {
    return heldKey;
  }
}

/** Tells whether this window acts by a key, and not by the browser's session. */
export const holdsKey = () => storedKey() !== null;

/** @param {string | null} key */
function storeKey(key) {
  heldKey = key;
  try {
    if (key === null) sessionStorage.removeItem(STORAGE_KEY);
    else sessionStorage.setItem(STORAGE_KEY, key);
  } catch {
    /* a browser without storage */
  }
}

/**
 * Somebody who acts here.
 * @typedef {{ id: string, name: string }} Person
 */

/**
 * The holder of a key, and whoever the browser is logged in as beside it; `null` if it is nobody's.
 * @param {string} key
 * @returns {Promise<Person & { browser?: Person } | null>}
 */
const holderOf = key =>
  fetchJson('/api/v1/me', { headers: { authorization: `Bearer ${key}` } }).catch(() => null);

/**
 * Moves a demo's key from the address into this window; it must not stay in the address. Anybody can
 * make such a link, so whoever is somebody else here already is asked first.
 */
export async function storeKeyFromAddress() {
  const key = new URLSearchParams(location.hash.slice(1)).get('key');
  if (!key) return;
  history.replaceState(null, '', location.pathname + location.search);
  const stored = storedKey();
  if (key === stored) return;
  const next = await holderOf(key);
  if (!next) return;
  const present = stored === null ? next.browser : await holderOf(stored);
  if (present && present.id !== next.id && !isChangeWanted(present, next)) return;
  storeKey(key);
}

/**
 * @param {Person} present
 * @param {Person} next
 */
function isChangeWanted(present, next) {
  const names = { present: present.name, next: next.name };
  return confirm(translations('key-link.change', names).join('\n\n'));
}

/**
 * Tells whether an error is about the person who sent the request.
 * @param {{ code: string }} error
 */
export const isAccessError = ({ code }) => ['unauthorised', 'not_your_site'].includes(code);

/**
 * Sends a person without access to log in, or says that they work elsewhere.
 * @param {ApiError} error
 */
export function handleAccessError(error) {
  storeKey(null);
  if (error.code === 'unauthorised') redirectToLogin();
  else showFatalError(error, switchUserLink());
}

/** Ends the session, or forgets the key, and goes to the login page. */
export async function signOut() {
  if (storedKey() === null) {
    await fetchJson('/api/v1/me/sessions/current', { method: 'DELETE' }).catch(() => {});
  }
  storeKey(null);
  redirectToLogin();
}

/**
 * Headers of a request by staff; a session's cookie goes with it by itself.
 * @returns {Record<string, string>}
 */
export function authHeaders() {
  const key = storedKey();
  return { 'x-paihao-page': '1', ...(key !== null && { authorization: `Bearer ${key}` }) };
}
