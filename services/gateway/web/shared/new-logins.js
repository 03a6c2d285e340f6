// Notice of a login in another browser by the same person, who may end it.
import { authHeaders, holdsKey } from './credentials.js';
import { createElement } from './dom.js';
import { formatTime } from './format.js';
import { fetchJson } from './http.js';
import { textElement } from './language.js';

const CHECK_INTERVAL_MS = 60000;
const SESSIONS = '/api/v1/me/sessions';

/**
 * Session of a browser.
 * @typedef {{ id: string, current: boolean, begun_at: number, browser: string, address: string }} Session
 */

/** Ids of the sessions that the person has seen and kept. */
const kept = new Set();

/**
 * @param {string} key
 * @param {() => unknown} action
 */
function button(key, action) {
  const element = textElement(key, {}, 'button');
  Object.assign(element, { type: 'button' });
  element.addEventListener('click', action);
  return element;
}

/** @param {Session} session */
function notice({ id, begun_at: begun, browser, address }) {
  const values = { time: formatTime(begun), browser, address };
  const element = createElement(
    'div',
    { class: 'new-login', role: 'alert' },
    textElement('new-login.what', values, 'span'),
    button('new-login.mine', () => {
      kept.add(id);
      element.remove();
    }),
    button('new-login.end', async () => {
      const path = `${SESSIONS}/${encodeURIComponent(id)}`;
      await fetchJson(path, { method: 'DELETE', headers: authHeaders() });
      element.remove();
    }),
  );
  return element;
}

async function check() {
  if (document.hidden || holdsKey()) return;
  /** @type {Session[]} */
  const sessions = await fetchJson(SESSIONS, { headers: authHeaders() }).catch(() => []);
  const own = sessions.find(session => session.current);
  const others = sessions.filter(session => own && session.begun_at > own.begun_at);
  document.querySelector('.new-login')?.remove();
  const newest = others.find(session => !kept.has(session.id));
  if (newest) document.body.append(notice(newest));
}

/** Shows logins that begin after the one of this browser, as long as the page is open. */
export function watchLogins() {
  check();
  setInterval(check, CHECK_INTERVAL_MS);
  document.addEventListener('visibilitychange', check);
}
