// The code to scan: shows it, renews it, and shows the number that a scan gave.
import { ask, byId, clockAhead, english, giveUp, hear, make, showConnected, site, siteEvents, siteState } from './paihao.js';

const SHOWN_MS = 12000; // how long a number stays
const RENEW_MS = 15000; // a code is replaced so long before it ends
const LINGER_MS = 5000; // and still heard of so long after

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

function waitingText(one) {
  return one.waiting_count === 0 ? ['现在没有人在等', 'Nobody is waiting'] : [`${one.waiting_count} 人在等`, `${one.waiting_count} waiting`];
}

function showSite(state) {
  seen = state;
  byId('site').textContent = state.name;
  document.title = `${state.name} · 取号`;
  byId('queues').replaceChildren(...state.queues.map(one => {
    const [text, more] = one.open === false ? ['现在不取号', 'Closed now'] : waitingText(one);
    return make('button', { type: 'button', class: 'queue', disabled: one.open === false, onclick: () => choose(one.id) },
      make('strong', {}, one.name), make('span', {}, text, ' ', english(more)));
  }));
  const one = queueSeen();
  if (!one) return;
  const [text, more] = waitingText(one);
  byId('queue').textContent = one.name;
  byId('waiting').replaceChildren(text, ' ', english(more));
  byId('back').hidden = fixed || state.queues.length < 2;
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
  picture.onerror = () => session === current && noCode({ title: '二维码没有画出来', english: 'The code could not be drawn' });
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
    byId('trouble').replaceChildren(make('strong', {}, refusal.title), english(refusal.english),
      make('span', {}, '正在重试… ', english('Trying again…')));
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
  byId('of').textContent = one ? one.name : '';
  const { ahead, minutes } = ticket;
  byId('ahead').replaceChildren(ahead === 0 ? '前面没有人 ' : `前面 ${ahead} 位 `,
    english(ahead === 0 ? 'You are next' : `${ahead} ahead of you`));
  byId('minutes').replaceChildren(...estimate(minutes));
  byId('minutes').hidden = !minutes;
  show('taken');
  byId('taken').classList.remove('counting');
  requestAnimationFrame(() => byId('taken').classList.add('counting'));
  renew();
  clearTimeout(taken.timer);
  taken.timer = setTimeout(next, SHOWN_MS);
}

function estimate(minutes) {
  if (!minutes) return [];
  const [low, high] = minutes;
  if (high <= 5) return ['预计不到 5 分钟 ', english('less than 5 minutes')];
  if (low > 60) return ['预计 60 分钟以上 ', english('more than an hour')];
  return [`预计 ${low}–${high} 分钟 `, english(`about ${low}–${high} minutes`)];
}

function next() {
  clearTimeout(taken.timer);
  if (!byId('taken').hidden) show('scan');
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
  if (queue !== null && !queueSeen()) return giveUp({ title: '没有这个业务', english: 'There is no such queue' });
  if (queue === null && seen.queues.length === 1) queue = seen.queues[0].id;
  hear(siteEvents(), { site: showSite }, showConnected);
  if (queue === null) return show('choose');
  choose(queue);
}

byId('back').addEventListener('click', backToQueues);
byId('next').addEventListener('click', next);
document.addEventListener('visibilitychange', () => {
  // Timers of a page that nobody looks at run late.
  if (!document.hidden && queue !== null && (!current || current.ends < Date.now() + RENEW_MS)) renew();
});
start();
