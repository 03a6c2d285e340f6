// The counter's page: call the next, finish, missed.
import { Refusal, ask, byId, clock, english, giveUp, hear, make, showConnected, site, siteEvents, siteState } from './paihao.js';

const KEY = `paihao-staff-key/${site}`;
const COUNTER = `paihao-staff-counter/${site}`;
const PAUSE_MS = 1500; // after a call, before the next one can be made
const TRIES = 3; // of one wish whose outcome is unknown
const LISTED = 14;

let seen = null;
let mine = sessionStorage.getItem(COUNTER);
let busy = false;
let calledAt = 0;
let unsure = null; // a wish of which nobody knows whether it was heard

/** In a demo the address brings the key; it must not stay there. */
function keyFromAddress() {
  const key = new URLSearchParams(location.hash.slice(1)).get('key');
  if (!key) return;
  sessionStorage.setItem(KEY, key);
  history.replaceState(null, '', location.pathname + location.search);
}

function show(view) {
  for (const name of ['sign-in', 'choose', 'desk']) byId(name).hidden = name !== view;
  byId('sign-out').hidden = view === 'sign-in';
}

function route() {
  if (!sessionStorage.getItem(KEY)) {
    show('sign-in');
    byId('key').focus();
    return;
  }
  if (!seen) return;
  if (!seen.counters.some(counter => counter.id === mine)) mine = null;
  show(mine ? 'desk' : 'choose');
  draw();
}

/** What of a counter changes when a wish for it was carried out. */
const standing = counter => `${counter.open}/${counter.serving ? counter.serving.number : ''}`;

const counterSeen = () => seen.counters.find(counter => counter.id === mine);

function showSite(state) {
  seen = state;
  document.title = `${state.name} · 叫号台`;
  byId('site').textContent = state.name;
  route();
}

function draw() {
  byId('counters').replaceChildren(...seen.counters.map(counter =>
    make('button', { type: 'button', class: 'queue', onclick: () => take(counter.id) }, make('strong', {}, counter.name),
      make('span', {}, stateOf(counter)))));
  const counter = counterSeen();
  if (!counter) return;
  if (unsure && unsure.standing !== standing(counter)) unsure = null;
  byId('counter').textContent = counter.name;
  const served = counter.serving;
  byId('desk').dataset.state = served ? 'serving' : counter.open ? 'free' : 'closed';
  byId('number').textContent = served ? served.number : counter.open ? '空闲' : '未开窗';
  byId('about').replaceChildren(...(served
    ? [nameOf(served.queue), ' · ', `${clock(served.called_at)} 叫号 `, english(`called at ${clock(served.called_at)}`)]
    : counter.open ? [english('Nobody at this counter')] : [english('This counter is closed')]));
  const own = new Set(counter.queues || seen.queues.map(queue => queue.id));
  const waiting = seen.queues.filter(queue => own.has(queue.id)).reduce((sum, queue) => sum + queue.waiting_count, 0);
  const paused = Date.now() < calledAt + PAUSE_MS;
  enable('call-next', counter.open && !served && waiting > 0 && !paused);
  enable('finish', Boolean(served));
  enable('missed', Boolean(served));
  byId('open').hidden = counter.open;
  byId('close').hidden = !counter.open;
  byId('close').disabled = busy || Boolean(served);
  byId('open').disabled = busy;
  byId('next-hint').textContent = !counter.open ? '先开窗 Open first' : served ? '先完成或过号 Finish first' : waiting === 0 ? '没有人排队 Nobody is waiting' : `${waiting} 人在等 waiting`;
  byId('queues').replaceChildren(...seen.queues.map(queue => row(queue, own.has(queue.id))));
}

const enable = (id, on) => { byId(id).disabled = busy || !on; };
const nameOf = id => (seen.queues.find(queue => queue.id === id) || { name: id }).name;

function stateOf(counter) {
  if (counter.serving) return [`正在办理 ${counter.serving.number} `, english('Serving')];
  return counter.open ? ['空闲 ', english('Free')] : ['未开窗 ', english('Closed')];
}

function row(queue, own) {
  const more = queue.waiting_count - Math.min(LISTED, queue.waiting.length);
  return make('li', { class: own ? 'card' : 'card other' },
    make('div', { class: 'name' }, make('strong', {}, queue.name), make('span', {}, make('b', {}, String(queue.waiting_count)), ' 人在等 ', english('waiting'))),
    make('ol', { class: 'numbers' }, queue.waiting.slice(0, LISTED).map(ticket => make('li', {}, ticket.number)), more > 0 && make('li', { class: 'more' }, `+${more}`)),
    queue.last_called && make('p', { class: 'soft' }, `上一个叫号 ${queue.last_called} `, english('last called')));
}

function take(id) {
  mine = id;
  sessionStorage.setItem(COUNTER, id);
  say();
  route();
}

function change() {
  mine = null;
  sessionStorage.removeItem(COUNTER);
  say();
  route();
}

/** A sentence below the buttons: what was done, or why it was not. */
function say(kind, title = '', more = '', detail = '') {
  const said = byId('said');
  said.className = kind || '';
  said.replaceChildren(make('strong', {}, title), more ? english(more) : '', detail && detail !== title ? make('span', { class: 'detail' }, detail) : '');
}

/**
 * Carries out one press. A wish whose answer got lost is asked again under the same key, now or at
 * the next press of the same button, so that it is done once.
 */
async function act(action) {
  if (busy) return;
  const served = counterSeen().serving;
  const body = served && ['finish', 'missed'].includes(action) ? JSON.stringify({ number: served.number }) : undefined;
  const path = `/api/v1/sites/${encodeURIComponent(site)}/counters/${encodeURIComponent(mine)}/${action}`;
  const same = unsure && unsure.path === path && unsure.body === body;
  const wish = same ? unsure : { path, body, standing: standing(counterSeen()), key: crypto.randomUUID ? crypto.randomUUID() : makeshiftUuid() };
  busy = true;
  byId('desk').setAttribute('aria-busy', 'true');
  draw();
  try {
    const done = await persistently(wish);
    unsure = null;
    if (action === 'call-next') calledAt = Date.now();
    say('done', ...DONE[action](done));
    // The event may take a moment more; until then a second press would look right.
    seen = await siteState().catch(() => seen);
  } catch (refusal) {
    unsure = refusal.passing ? wish : null;
    refused(refusal);
  } finally {
    busy = false;
    byId('desk').removeAttribute('aria-busy');
    draw();
    setTimeout(draw, PAUSE_MS + 50);
  }
}

const DONE = {
  'call-next': done => [`已叫 ${done.number || ''}`, 'Called'],
  finish: done => [`${done.number || ''} 已完成`, 'Finished'],
  missed: done => [`${done.number || ''} 已过号`, 'Marked as missed'],
  open: () => ['已开窗', 'The counter is open'],
  close: () => ['已关窗', 'The counter is closed'],
};

async function persistently(wish) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask(wish.path, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${sessionStorage.getItem(KEY)}`,
          'idempotency-key': wish.key,
          ...(wish.body && { 'content-type': 'application/json' }),
        },
        body: wish.body,
      });
    } catch (refusal) {
      if (!refusal.passing || attempt === TRIES) throw refusal;
      say('waiting', '正在重试…', 'Trying again…');
      await new Promise(resolve => setTimeout(resolve, 800 * attempt));
    }
  }
}

function refused(refusal) {
  if (refusal.status === 401 || refusal.status === 403) {
    sessionStorage.removeItem(KEY);
    byId('key').value = '';
    const [why, more] = refusal.status === 401 ? ['密钥不对，请再输入', 'The key is not right'] : [refusal.title, refusal.english];
    byId('key-said').replaceChildren(make('strong', {}, why), ' ', english(more));
    route();
    return;
  }
  const again = refusal.passing ? '再按一次同一个按钮即可，不会重复。 Press the same button again; it will be done once.' : refusal.detail;
  say('refused', refusal.title, refusal.english, again);
}

/** `crypto.randomUUID` exists on https and on this machine only; a hall's PC may use plain http. */
function makeshiftUuid() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');
}

const BUTTONS = { n: 'call-next', f: 'finish', m: 'missed' };

for (const id of ['call-next', 'finish', 'missed', 'open', 'close']) byId(id).addEventListener('click', () => act(id));
document.addEventListener('keydown', event => {
  const typing = document.activeElement?.matches('input, textarea, select');
  if (typing || event.repeat || event.ctrlKey || event.metaKey || event.altKey || byId('desk').hidden) return;
  const button = byId(BUTTONS[event.key.toLowerCase()] || 'none');
  if (button && !button.disabled) {
    event.preventDefault();
    button.click();
  }
});
byId('change').addEventListener('click', change);
byId('sign-in').addEventListener('submit', event => {
  event.preventDefault();
  const key = byId('key').value.trim();
  if (!key) return;
  sessionStorage.setItem(KEY, key);
  byId('key').value = '';
  byId('key-said').replaceChildren();
  route();
});
byId('sign-out').addEventListener('click', () => {
  sessionStorage.removeItem(KEY);
  route();
});

async function start() {
  route();
  try {
    showSite(await siteState());
  } catch (refusal) {
    if (refusal instanceof Refusal && !refusal.passing) return giveUp(refusal);
    showConnected(false);
    return setTimeout(start, 3000);
  }
  hear(siteEvents(), { site: showSite }, showConnected);
}

keyFromAddress();
start();
