// The code to scan: shows it, renews it, and shows the number that a scan gave.
import { ask, byId, clockAhead, giveUp, hear, lasting, make, own, showConnected, site, siteEvents, siteState, stayAwake, waiting } from './paihao.js';
import { leadAsAtFirst, onSwitch, put, putName, said, say, tongue, word } from './language.js';

const SHOWN_MS = 12000; // how long a number stays
const RENEW_MS = 15000; // a code is replaced so long before it ends
const LINGER_MS = 5000; // and still heard of so long after
const IDLE_MS = 90000; // untouched so long, it is the next person's

let seen = null; // the site as last heard
let queue = new URLSearchParams(location.search).get('queue');
const fixed = queue !== null;
let current = null; // the session whose code is shown
let former = null; // the one before, whose code somebody may just be scanning
let timer = 0;
let attempt = 0;

function show(view) {
  for (const name of ['choose', 'scan', 'taken']) byId(name).hidden = name !== view;
}

const queueSeen = () => seen.queues.find(one => one.id === queue);

function showSite(state) {
  seen = state;
  putName(byId('site'), state.name);
  title();
  showQueues();
  const one = queueSeen();
  if (!one) return;
  putName(byId('queue'), one.name);
  byId('waiting').replaceChildren(...waiting(one));
  byId('back').hidden = fixed || state.queues.length < 2;
}

function title() {
  if (seen) document.title = `${seen.name} · ${word('kiosk.title')}`;
}

/** The buttons stay where they are under a finger; only what they say changes. */
function showQueues() {
  const buttons = byId('queues');
  for (const one of seen.queues) {
    let button = [...buttons.children].find(button => button.value === one.id);
    if (!button) {
      button = make('button', { type: 'button', class: 'queue', value: one.id, onclick: () => choose(one.id) },
        make('strong', { lang: tongue(one.name) }, one.name), make('span', { class: 'state' }));
      buttons.append(button);
    }
    button.disabled = one.open === false;
    button.lastChild.replaceChildren(...(one.open === false ? [said('kiosk.closed')] : waiting(one)));
  }
}

function choose(id) {
  queue = id;
  showSite(seen);
  show('scan');
  renew();
}

function backToQueues() {
  clearTimeout(timer);
  forget(current);
  forget(former);
  current = null;
  queue = null;
  show('choose');
  byId('queues').querySelector('button:enabled')?.focus();
}

/** Every session that is heard holds a connection, of which a browser has only a few. */
function forget(session) {
  if (!session) return;
  clearTimeout(session.leaving);
  session.stop();
}

function leave(session) {
  forget(former);
  former = session;
  if (session) session.leaving = setTimeout(session.stop, Math.max(0, session.ends - Date.now()) + LINGER_MS);
}

/** Makes a new session and shows its code; the former one is still heard of until it ends. */
async function renew() {
  clearTimeout(timer);
  const wanted = queue;
  let opened;
  try {
    opened = await ask('/api/v1/scan-sessions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ purpose: 'ticket', site, queue: wanted }),
    });
  } catch (refusal) {
    if (wanted === queue) noCode(refusal);
    return;
  }
  if (wanted !== queue) return;
  attempt = 0;
  leave(current);
  const session = { uuid: opened.uuid, ends: opened.expires_at + clockAhead };
  session.stop = hear(opened.events, {
    scanned: () => session === current && byId('scan').classList.add('scanned'),
    ticket: ticket => taken(session, ticket),
    expired: () => session === current && renew(),
  }, (_, refused) => refused && (session === current ? renew() : forget(session)));
  current = session;
  byId('scan').classList.remove('scanned', 'broken');
  const picture = byId('code');
  picture.onerror = () => session === current && noCode(own('odd', 'kiosk.undrawn'));
  picture.src = opened.qr_svg;
  picture.hidden = false;
  byId('trouble').hidden = true;
  byId('phone').hidden = !opened.scan_link;
  if (opened.scan_link) byId('phone').href = opened.scan_link;
  const lasts = session.ends - Date.now();
  timer = setTimeout(renew, Math.max(5000, lasts - Math.min(RENEW_MS, lasts / 4)));
}

/** Says why there is no code, and tries again. A code that still works stays. */
function noCode(refusal) {
  attempt += 1;
  const works = current && current.ends > Date.now() + 2000 && refusal.code;
  if (!works) {
    byId('code').hidden = true;
    byId('phone').hidden = true;
    byId('scan').classList.add('broken');
    byId('trouble').hidden = false;
    byId('trouble').replaceChildren(put(make('strong'), refusal.pair), said('retrying'));
  }
  clearTimeout(timer);
  timer = setTimeout(renew, Math.min(20000, 1500 * 2 ** Math.min(attempt, 4)));
}

function taken(session, ticket) {
  if (session.taken) return;
  session.taken = true;
  forget(session);
  if (session === current) current = null;
  const one = seen.queues.find(one => one.id === ticket.queue);
  byId('number').textContent = ticket.number;
  putName(byId('of'), one ? one.name : '');
  const { ahead, minutes } = ticket;
  say(byId('ahead'), ahead === 0 ? 'kiosk.first' : 'kiosk.ahead', { count: ahead });
  byId('minutes').replaceChildren(...(minutes ? [lasting('kiosk.minutes', minutes)] : []));
  byId('minutes').hidden = !minutes;
  show('taken');
  byId('taken').classList.remove('counting');
  requestAnimationFrame(() => byId('taken').classList.add('counting'));
  renew();
  clearTimeout(taken.timer);
  taken.timer = setTimeout(next, SHOWN_MS);
}

function next() {
  clearTimeout(taken.timer);
  if (byId('taken').hidden) return;
  show('scan');
  untouched();
}

/** Whoever leaves in the middle leaves a kiosk that begins anew, in its own language. */
function untouched() {
  clearTimeout(untouched.timer);
  untouched.timer = setTimeout(() => {
    leadAsAtFirst();
    const chosen = !fixed && seen && seen.queues.length > 1 && !byId('scan').hidden;
    if (chosen) backToQueues();
  }, IDLE_MS);
}

async function start() {
  try {
    showSite(await siteState());
  } catch (refusal) {
    if (!refusal.passing) return giveUp(refusal);
    showConnected(false);
    return setTimeout(start, 3000);
  }
  showConnected(true);
  if (queue !== null && !queueSeen()) return giveUp(own('unknown', 'kiosk.no-queue', 404));
  if (queue === null && seen.queues.length === 1) queue = seen.queues[0].id;
  hear(siteEvents(), { site: showSite }, showConnected);
  if (queue === null) return show('choose');
  choose(queue);
}

byId('back').addEventListener('click', backToQueues);
byId('next').addEventListener('click', next);
for (const touch of ['pointerdown', 'keydown']) document.addEventListener(touch, untouched);
// A finger that rests on a tablet means nothing else.
document.addEventListener('contextmenu', event => event.preventDefault());
onSwitch(title);
stayAwake();
document.addEventListener('visibilitychange', () => {
  // Timers of a page that nobody looks at run late.
  if (!document.hidden && queue !== null && (!current || current.ends < Date.now() + RENEW_MS)) renew();
});
start();
