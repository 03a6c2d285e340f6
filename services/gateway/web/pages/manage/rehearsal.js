// Begin and end of a rehearsal: the service starts again, and the page waits for it.
import { authHeaders, isAccessError } from '../../shared/credentials.js';
import { createElement } from '../../shared/dom.js';
import { fetchJson } from '../../shared/http.js';
import { textElement } from '../../shared/language.js';

export const REHEARSAL = '/api/v1/rehearsal';
const LOOK_INTERVAL_MS = 700; // while the service starts again

/**
 * @typedef {object} Rehearsal
 * @property {'unavailable' | 'ready' | 'running'} state
 * @property {string} [phones]
 */

/** @param {number} ms */
const pause = ms => new Promise(done => setTimeout(done, ms));

/**
 * Waits until the service has started again, and opens the page of all sites.
 * @param {Rehearsal['state']} wanted
 */
async function untilStarted(wanted) {
  for (;;) {
    await pause(LOOK_INTERVAL_MS);
    const options = { headers: authHeaders() };
    /** @type {Rehearsal | null} */
    const rehearsal = await fetchJson(REHEARSAL, options).catch(error => {
      if (isAccessError(error)) location.assign('/manage');
      return null;
    });
    if (rehearsal?.state === wanted) break;
  }
  location.assign('/manage');
}

/**
 * Begins a rehearsal.
 * @param {(path: string, options: object) => Promise<any>} request
 */
export async function beginRehearsal(request) {
  await request(REHEARSAL, { method: 'POST' });
  await untilStarted('running');
}

/**
 * Ends the rehearsal.
 * @param {(path: string, options: object) => Promise<any>} request
 * @param {boolean} keepsSettings
 */
export async function endRehearsal(request, keepsSettings) {
  await request(`${REHEARSAL}?keep_settings=${keepsSettings}`, { method: 'DELETE' });
  await untilStarted('ready');
}

/** Adds to the strip of a rehearsal the ways that a manager of every site has. */
export function completeStrip() {
  const strip = document.querySelector('.rehearsal');
  if (!strip || strip.querySelector('a')) return;
  const phones = createElement('a', { href: '/phones', target: '_blank', rel: 'noopener' });
  phones.append(textElement('manage.phones'));
  const end = createElement('a', { href: '/manage' });
  end.append(textElement('manage.rehearsal-end'));
  strip.append(phones, ...(location.pathname === '/manage' ? [] : [end]));
}
