// Page of one's logins: the browsers with a session, and the buttons that end them.
import './words.js';
import { redirectToLogin, fetchJson } from '../../shared/http.js';
import { byId, createElement } from '../../shared/dom.js';
import { formatDateTime } from '../../shared/format.js';
import { showConnection } from '../../shared/page.js';
import {
  translation,
  setTextPair,
  setText,
  textElement,
  setName,
  onLanguageChange,
} from '../../shared/language.js';
import { watchLogins } from '../../shared/new-logins.js';

/** @type {{ name: string, role: string } | null} */
let user = null;

/**
 * Sends a request, and shows the error when it fails.
 * @param {string} path
 * @param {{ method?: string }} [options]
 */
async function request(path, options) {
  try {
    return await fetchJson(path, options);
  } catch (error) {
    if (error.status === 401) return redirectToLogin();
    setTextPair(byId('said'), error.texts);
    throw error;
  }
}

async function renderSessions() {
  const sessions = await request('/api/v1/me/sessions');
  byId('others').hidden = sessions.length < 2;
  byId('sessions').replaceChildren(
    ...sessions.map(session =>
      createElement(
        'li',
        {},
        createElement(
          'div',
          {},
          createElement('strong', { lang: 'en' }, `${session.browser} · ${session.address}`),
          createElement(
            'p',
            {},
            textElement(session.current ? 'me.here' : 'me.since', {
              begun: formatDateTime(session.begun_at),
              seen: formatDateTime(session.seen_at),
            }),
          ),
        ),
        !session.current &&
          createElement(
            'button',
            { class: 'ghost', type: 'button', onclick: () => endSession(session.id) },
            textElement('me.end'),
          ),
      ),
    ),
  );
}

async function endSession(id) {
  await request(`/api/v1/me/sessions/${id}`, { method: 'DELETE' });
  await renderSessions();
}

function renderTitle() {
  document.title = translation('me.title');
}

async function start() {
  try {
    user = await fetchJson('/api/v1/me');
  } catch (error) {
    if (error.status === 401) return redirectToLogin();
    showConnection(false);
    return setTimeout(start, 3000);
  }
  showConnection(true);
  setName(byId('who'), user.name);
  setText(byId('role'), `me.is.${user.role}`);
  renderTitle();
  await renderSessions();
  byId('manage').hidden = user.role !== 'manager';
}

byId('others').addEventListener('click', async () => {
  await request('/api/v1/me/sessions', { method: 'DELETE' });
  await renderSessions();
});
byId('sign-out').addEventListener('click', async () => {
  await request('/api/v1/me/sessions/current', { method: 'DELETE' });
  redirectToLogin();
});
onLanguageChange(renderTitle);
start();
watchLogins();
