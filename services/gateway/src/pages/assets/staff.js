// The counter's page: call the next, finish, missed.
import { Refusal, ask, byId, clock, giveUp, hear, make, showConnected, site, siteEvents, siteState } from './paihao.js';
import { onSwitch, pair, put, putName, said, say, tongue, word } from './language.js';

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
  title();
  putName(byId('site'), state.name);
  route();
}

function title() {
  if (seen) document.title = `${seen.name} · ${word('staff.title')}`;
}

function draw() {
  byId('counters').replaceChildren(...seen.counters.map(counter =>
    make('button', { type: 'button', class: 'queue', onclick: () => take(counter.id) }, make('strong', { lang: tongue(counter.name) }, counter.name),
      stateOf(counter))));
  const counter = counterSeen();
  if (!counter) return;
  if (unsure && unsure.standing !== standing(counter)) unsure = null;
  putName(byId('counter'), counter.name);
  const served = counter.serving;
  byId('desk').dataset.state = served ? 'serving' : counter.open ? 'free' : 'closed';
  byId('number').replaceChildren(served ? served.number : said(counter.open ? 'staff.free' : 'staff.shut'));
  byId('about').replaceChildren(...(served
    ? [named(served.queue), ' · ', said('staff.called-at', { time: clock(served.called_at) })]
    : [said(counter.open ? 'staff.nobody-here' : 'staff.shut-here')]));
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
  const hint = !counter.open ? 'staff.hint.open' : served ? 'staff.hint.finish' : waiting === 0 ? 'staff.hint.nobody' : 'waiting';
  say(byId('next-hint'), hint, { count: waiting });
  byId('queues').replaceChildren(...seen.queues.map(queue => row(queue, own.has(queue.id))));
}

const enable = (id, on) => { byId(id).disabled = busy || !on; };

function named(id) {
  const { name } = seen.queues.find(queue => queue.id === id) || { name: id };
  return make('span', { lang: tongue(name) }, name);
}

function stateOf(counter) {
  if (counter.serving) return said('staff.serving', { number: counter.serving.number });
  return said(counter.open ? 'staff.free' : 'staff.shut');
}

function row(queue, own) {
  const more = queue.waiting_count - Math.min(LISTED, queue.waiting.length);
  return make('li', { class: own ? 'card' : 'card other' },
    make('div', { class: 'name' }, make('strong', { lang: tongue(queue.name) }, queue.name), said('waiting', { count: queue.waiting_count })),
    make('ol', { class: 'numbers' }, queue.waiting.slice(0, LISTED).map(ticket => make('li', {}, ticket.number)), more > 0 && make('li', { class: 'more' }, `+${more}`)),
    queue.last_called && make('p', { class: 'soft' }, said('staff.last', { number: queue.last_called })));
}

function take(id) {
  mine = id;
  sessionStorage.setItem(COUNTER, id);
  tell();
  route();
}

function change() {
  mine = null;
  sessionStorage.removeItem(COUNTER);
  tell();
  route();
}

/** A sentence below the buttons: what was done, or why it was not. */
function tell(kind = '', texts = null, detail = null) {
  const place = byId('said');
  place.className = kind;
  place.replaceChildren(...(texts ? [put(make('strong'), texts)] : []), ...(detail ? [detail] : []));
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
    tell('done', pair(`staff.done.${action}`, { number: done.number || '' }));
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
      tell('waiting', pair('retrying'));
      await new Promise(resolve => setTimeout(resolve, 800 * attempt));
    }
  }
}

function refused(refusal) {
  if (refusal.status === 401 || refusal.status === 403) {
    sessionStorage.removeItem(KEY);
    byId('key').value = '';
    put(byId('key-said'), refusal.status === 401 ? pair('staff.key.wrong') : refusal.pair);
    route();
    return;
  }
  const again = refusal.passing ? said('staff.again') : refusal.detail && make('span', { lang: tongue(refusal.detail) || 'en' }, refusal.detail);
  if (again) again.classList.add('detail');
  tell('refused', refusal.pair, again);
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
  put(byId('key-said'), ['', '']);
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

onSwitch(title);
keyFromAddress();
start();
