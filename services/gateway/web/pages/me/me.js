// Where one is logged in, and out again.
import './login-words.js';
import { ask, byId, make, showConnected, stamp, toLogin } from './paihao.js';
import { onSwitch, put, putName, said, say, word } from './language.js';

let me = null;

/** Carries something out, and says why not. */
async function act(path, options) {
  try {
    return await ask(path, options);
  } catch (refusal) {
    if (refusal.status === 401) return toLogin();
    put(byId('said'), refusal.pair);
    throw refusal;
  }
}

async function sessions() {
  const listed = await act('/api/v1/me/sessions');
  byId('others').hidden = listed.length < 2;
  byId('sessions').replaceChildren(...listed.map(session => make('li', {},
    make('div', {}, make('strong', { lang: 'en' }, `${session.browser} · ${session.address}`),
      make('p', {}, said(session.current ? 'me.here' : 'me.since', { begun: stamp(session.begun_at), seen: stamp(session.seen_at) }))),
    !session.current && make('button', { class: 'ghost', type: 'button', onclick: () => end(session.id) }, said('me.end')))));
}

async function end(id) {
  await act(`/api/v1/me/sessions/${id}`, { method: 'DELETE' });
  await sessions();
}

function title() {
  document.title = word('me.title');
}

async function start() {
  try {
    me = await ask('/api/v1/me');
  } catch (refusal) {
    if (refusal.status === 401) return toLogin();
    showConnected(false);
    return setTimeout(start, 3000);
  }
  showConnected(true);
  putName(byId('who'), me.name);
  say(byId('role'), `me.is.${me.role}`);
  title();
  await sessions();
  byId('manage').hidden = me.role !== 'manager';
}

byId('others').addEventListener('click', async () => { await act('/api/v1/me/sessions', { method: 'DELETE' }); await sessions(); });
byId('sign-out').addEventListener('click', async () => { await act('/api/v1/me/sessions/current', { method: 'DELETE' }); toLogin(); });
onSwitch(title);
start();
