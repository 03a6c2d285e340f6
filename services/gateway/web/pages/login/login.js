// Logging in: shows a code, hears how the phone takes it, and goes where one was going.
import './login-words.js';
import { ask, byId, clockAhead, hear, own, showConnected } from './paihao.js';
import { onSwitch, pair, put, putName, say, word } from './language.js';

const RENEWED = 6; // codes that are shown to nobody before somebody has to ask for one
const query = new URLSearchParams(location.search);
const client = location.pathname === '/login/authorize';
const first = new URLSearchParams(location.hash.slice(1)).get('first');

let current = null;
let shown = 0;
let timer = 0;

/** Where one was going: a page of this server, or the first one there is. */
function goal() {
  const to = new URL(query.get('to') || (first ? '/me' : '/'), location.origin);
  return to.origin === location.origin ? to.pathname + to.search : '/';
}

function state(name, key, texts) {
  byId('login').dataset.state = name;
  put(byId('said'), texts || pair(key));
  byId('again').hidden = name !== 'over';
  if (name === 'over') byId('phone').hidden = true;
}

/** What a code leads to that nobody shows any more is not heard. */
function leave() {
  clearTimeout(timer);
  if (current) current.stop();
  current = null;
}

function over(key, texts) {
  leave();
  state('over', key, texts);
  if (!byId('again').hidden) byId('again').focus({ preventScroll: true });
}

async function begin() {
  leave();
  shown += 1;
  const wanted = client ? { authorize: location.search.slice(1) } : first ? { first } : {};
  let opened;
  try {
    opened = await ask('/api/v1/logins', { method: 'POST', body: JSON.stringify(wanted) });
  } catch (refusal) {
    showConnected(refusal.code !== 'offline');
    over('login.over', refusal.pair);
    if (refusal.passing) timer = setTimeout(begin, 5000);
    return;
  }
  showConnected(true);
  const session = { stop: () => {}, redeem: opened.redeem };
  current = session;
  putName(byId('target'), opened.target);
  const picture = byId('code');
  picture.onerror = () => session === current && over('kiosk.undrawn');
  picture.src = opened.qr_svg;
  picture.hidden = false;
  byId('phone').hidden = !opened.scan_link;
  if (opened.scan_link) byId('phone').href = opened.scan_link;
  byId('cancel').hidden = !opened.cancel;
  if (opened.cancel) byId('cancel').href = opened.cancel;
  state('waiting', 'login.scan');
  session.stop = hear(opened.events, {
    pending: () => state('waiting', 'login.scan'),
    scanned: () => { shown = 0; state('scanned', 'login.confirm'); },
    approved: () => enter(session),
    refused: problem => session === current && over('login.over', [problem.title, problem.title_en]),
    expired: () => session === current && renew(),
  }, (connected, refused) => {
    if (session !== current) return;
    showConnected(connected || refused);
    if (refused) renew();
  });
  const lasts = opened.expires_at + clockAhead - Date.now();
  timer = setTimeout(() => byId('login').dataset.state === 'waiting' && renew(), Math.max(5000, lasts - 5000));
}

/** A new code, unless nobody is there. */
function renew() {
  if (shown < RENEWED) begin();
  else over('login.idle');
}

async function enter(session) {
  if (session !== current || session.entering) return;
  session.entering = true;
  state('in', 'login.in');
  try {
    const { redirect } = await ask(session.redeem, { method: 'POST' });
    leave();
    location.replace(redirect || goal());
  } catch (refusal) {
    over('login.over', refusal.pair);
  }
}

byId('again').addEventListener('click', () => { shown = 0; begin(); });
byId('sign-in').addEventListener('submit', async event => {
  event.preventDefault();
  const key = byId('key').value.trim();
  byId('key').value = '';
  try {
    await ask('/api/v1/me/sessions', { method: 'POST', headers: { authorization: `Bearer ${key}` } });
    leave();
    location.replace(goal());
  } catch (refusal) {
    put(byId('key-said'), refusal.status === 401 ? pair('login.key.wrong') : refusal.pair);
  }
});
byId('with-key').hidden = client;
onSwitch(() => { document.title = word('login.title'); });
document.title = word('login.title');
say(byId('said'), 'login.scan');
begin().catch(() => over('login.over', own('odd', 'unreadable').pair));
