// Login page: shows a code, follows its scan and confirmation, and goes on to the page that was asked for.
/** @import { Texts } from '../../shared/types' */
import './words.js';
import { pageError, clockOffset, fetchJson, ownAddress } from '../../shared/http.js';
import { subscribe } from '../../shared/sse.js';
import { byId } from '../../shared/dom.js';
import { toAsciiDigits } from '../../shared/format.js';
import { showConnection } from '../../shared/page.js';
import {
  translations,
  translation,
  setTextPair,
  setText,
  setName,
  onLanguageChange,
} from '../../shared/language.js';

const MAX_UNATTENDED_CODES = 6; // codes without a scan, before a person has to ask for one
const query = new URLSearchParams(location.search);
const isClientLogin = location.pathname === '/login/authorize';
const firstManagerToken = new URLSearchParams(location.hash.slice(1)).get('first');

/**
 * Login session: a code and the events of its scan.
 * @typedef {{ stop: () => void, confirm: string, redeem: string, entering?: boolean }} Session
 */

/** @type {Session | null} */
let currentSession = null;
let codesShown = 0;
let renewTimer = 0;

/** Address to go to: the page of this server that was asked for, or the first one. */
const destination = () => ownAddress(query.get('to') || (firstManagerToken ? '/me' : '/'));

/**
 * @param {'waiting' | 'scanned' | 'in' | 'over'} name
 * @param {string} key
 * @param {Texts} [texts] in place of the key's
 */
function showState(name, key, texts) {
  byId('login').dataset.state = name;
  setTextPair(byId('said'), texts || translations(key));
  byId('again').hidden = name !== 'over';
  if (name !== 'scanned') byId('digits-form').hidden = true;
  if (name === 'over') byId('phone').hidden = true;
}

/** Ends the subscription of a code that is no longer shown. */
function endSession() {
  clearTimeout(renewTimer);
  if (currentSession) currentSession.stop();
  currentSession = null;
}

/**
 * @param {string} key
 * @param {Texts} [texts]
 */
function showEnd(key, texts) {
  endSession();
  showState('over', key, texts);
  if (!byId('again').hidden) byId('again').focus({ preventScroll: true });
}

/** Leaves the way without a scan alone. */
function showBrowserOnly() {
  byId('login').dataset.state = 'browser';
  setTextPair(byId('said'), ['', '']);
  byId('again').hidden = true;
  byId('first-here').focus({ preventScroll: true });
}

async function startLogin() {
  endSession();
  codesShown += 1;
  const request = isClientLogin
    ? { authorize: location.search.slice(1) }
    : firstManagerToken
      ? { first: firstManagerToken }
      : {};
  let login;
  try {
    login = await fetchJson('/api/v1/logins', { method: 'POST', body: JSON.stringify(request) });
  } catch (error) {
    showConnection(error.code !== 'offline');
    showEnd('login.over', error.texts);
    // On an empty machine there is nothing to scan, and that is no error.
    if (firstManagerToken && error.code === 'unknown_account') showBrowserOnly();
    if (error.retryable) renewTimer = setTimeout(startLogin, 5000);
    return;
  }
  showConnection(true);
  /** @type {Session} */
  const session = { stop: () => {}, confirm: login.confirm_digits, redeem: login.redeem };
  currentSession = session;
  setName(byId('target'), login.target);
  const picture = byId('code');
  picture.onerror = () => session === currentSession && showEnd('kiosk.undrawn');
  picture.src = login.qr_svg;
  picture.hidden = false;
  byId('phone').hidden = !login.scan_link;
  if (login.scan_link) byId('phone').href = login.scan_link;
  byId('unionid').hidden = !login.unionid;
  byId('cancel').hidden = !login.cancel;
  if (login.cancel) byId('cancel').href = login.cancel;
  showState('waiting', 'login.scan');
  session.stop = subscribe(
    login.events,
    {
      pending: () => showState('waiting', 'login.scan'),
      scanned: ({ digits }) => {
        codesShown = 0;
        showState('scanned', digits ? 'login.digits.asked' : 'login.confirm');
        // A wrong entry is told as a scan again.
        if (!digits || !byId('digits-form').hidden) return;
        setTextPair(byId('digits-said'), ['', '']);
        byId('digits').value = '';
        byId('digits-form').hidden = false;
        byId('digits').focus({ preventScroll: true });
      },
      approved: () => redeem(session),
      refused: problem =>
        session === currentSession && showEnd('login.over', [problem.title, problem.title_en]),
      expired: () => session === currentSession && renewCode(),
    },
    (connected, refusal) => {
      if (session !== currentSession) return;
      showConnection(connected || Boolean(refusal));
      if (refusal) renewCode();
    },
  );
  const lifetime = login.expires_at + clockOffset - Date.now();
  renewTimer = setTimeout(
    () => byId('login').dataset.state === 'waiting' && renewCode(),
    Math.max(5000, lifetime - 5000),
  );
}

/** Shows a new code, unless nobody scanned the last ones. */
function renewCode() {
  if (codesShown < MAX_UNATTENDED_CODES) startLogin();
  else showEnd('login.idle');
}

byId('digits-form').addEventListener('submit', async event => {
  event.preventDefault();
  const session = currentSession;
  if (!session) return;
  const digits = toAsciiDigits(byId('digits').value);
  byId('digits').value = '';
  try {
    await fetchJson(session.confirm, { method: 'POST', body: JSON.stringify({ digits }) });
  } catch (error) {
    if (session === currentSession) setTextPair(byId('digits-said'), error.texts);
  }
});

/** @param {Session} session */
async function redeem(session) {
  if (session !== currentSession || session.entering) return;
  session.entering = true;
  showState('in', 'login.in');
  try {
    const { redirect } = await fetchJson(session.redeem, { method: 'POST' });
    endSession();
    location.replace(redirect || destination());
  } catch (error) {
    showEnd('login.over', error.texts);
  }
}

byId('again').addEventListener('click', () => {
  codesShown = 0;
  startLogin();
});
byId('first-here').addEventListener('click', async () => {
  try {
    await fetchJson('/api/v1/first-manager', {
      method: 'POST',
      body: JSON.stringify({ code: firstManagerToken }),
    });
    endSession();
    location.replace('/manage');
  } catch (error) {
    setTextPair(byId('first-said'), error.texts);
  }
});
byId('first').hidden = !firstManagerToken || isClientLogin;
byId('sign-in').addEventListener('submit', async event => {
  event.preventDefault();
  const key = byId('key').value.trim();
  byId('key').value = '';
  try {
    await fetchJson('/api/v1/me/sessions', {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
    });
    endSession();
    location.replace(destination());
  } catch (error) {
    setTextPair(
      byId('key-said'),
      error.status === 401 ? translations('login.key.wrong') : error.texts,
    );
  }
});
byId('with-key').hidden = isClientLogin;
onLanguageChange(() => {
  document.title = translation('login.title');
});
document.title = translation('login.title');
setText(byId('said'), 'login.scan');
startLogin().catch(() => showEnd('login.over', pageError('odd', 'unreadable').texts));
