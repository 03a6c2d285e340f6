// Where somebody works at a counter: whom it has, what may be done, and the line.
import './console-words.js';
import { Refusal, ask, byId, clock, clocksOf, giveUp, hear, make, now, showConnected, site, siteState } from './paihao.js';
import { has, onSwitch, pair, put, putName, said, say, tongue, word } from './language.js';
import { drawAway, drawChoice, drawCounters, drawCurrent, drawLine, drawQueues, drawTimer } from './rows.js';
import { at, look, seen as settled, wish } from './wish.js';
import { headers, isAboutWho, signOut, takeFromAddress, turnedAway } from './key.js';
import { asking, dismiss } from './dialog.js';
import { listen, ring, turn } from './chime.js';
import { dialogs } from './acts.js';

const KEPT = `paihao-console-counter/${site}`;
const PAUSE_MS = 1500; // after a call, before the next one can be made

let desk = null; // the site as last heard
let mine = remembered();
let busy = false;
let calledAt = 0;
let stop = null; // hearing
let heardAt = 0;

function remembered() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; // a browser that keeps nothing
  }
}

const counterSeen = () => desk.counters.find(counter => counter.id === mine);
const ticketOf = number => desk.tickets.find(ticket => ticket.number === number);
const current = () => ticketOf(counterSeen().serving);
const own = queue => counterSeen().queues.includes(queue);
const waiting = () => desk.tickets.filter(ticket => ticket.state === 'waiting' && own(ticket.queue));
const waitingCount = () => desk.queues.filter(queue => own(queue.id)).reduce((sum, queue) => sum + queue.waiting_count, 0);
const queueName = id => desk.queues.find(queue => queue.id === id)?.name || id;

/** What of the site changes when a wish was carried out. */
const standing = () => JSON.stringify([counterSeen(), desk.queues.map(queue => [queue.taken, queue.set]), desk.tickets.length]);

function show(view) {
  for (const name of ['choose', 'desk']) byId(name).hidden = name !== view;
  for (const name of ['sign-out', 'help']) byId(name).hidden = false;
}

function route() {
  if (!stop) stop = hear(at('desk/events'), { desk: showDesk }, connected, { headers, always: true });
  if (!desk) return;
  if (!mayChoose().some(counter => counter.id === mine)) mine = null;
  show(mine ? 'desk' : 'choose');
  draw();
}

const mayChoose = () => desk.counters.filter(counter => !desk.you.counters || desk.you.counters.includes(counter.id));

function connected(is, refusal) {
  if (refusal && isAboutWho(refusal)) return leave(refusal);
  if (refusal && !refusal.passing) return giveUp(refusal);
  if (!is && heardAt) say(byId('offline'), 'console.offline', { time: clock(heardAt) });
  showConnected(is);
}

function showDesk(state) {
  if (!desk) listen();
  const before = desk && mine && counterSeen() ? waitingCount() : null;
  const newest = state.calls[0];
  const other = desk && newest && newest.counter !== mine && newest.called_at > (desk.calls[0]?.called_at || 0);
  desk = state;
  heardAt = now();
  clocksOf(state);
  putName(byId('site'), state.name);
  route();
  if (!mine) return;
  settled(standing());
  if (before === 0 && waitingCount() > 0 && counterSeen().state !== 'offline') {
    ring();
    tell('news', pair('console.joined', { number: waiting().at(-1)?.number || '' }));
  } else if (other && !busy) {
    tell('news', pair('console.called-there', { number: newest.number }), named(newest.counter_name));
  }
}

function title() {
  if (!desk) return;
  const counter = mine && counterSeen();
  document.title = `${counter ? `(${waitingCount()}) ${counter.name} · ` : ''}${word('console.title')} · ${desk.name}`;
}

/** Which acts make sense now; the server has the last word. */
function possible() {
  const [counter, ticket] = [counterSeen(), current()];
  const [open, is] = [counter.state === 'open', state => ticket?.state === state];
  const last = undoable()[0];
  return {
    next: open && !is('called') && waitingCount() > 0 && now() > calledAt + PAUSE_MS,
    start: is('called'),
    recall: is('called') && ticket.recall_from !== undefined && now() >= ticket.recall_from,
    finish: Boolean(ticket),
    missed: is('called'),
    hold: is('serving'),
    transfer: Boolean(ticket) && desk.queues.length > 1,
    call: open && !ticket,
    undo: Boolean(last),
    take: desk.queues.some(queue => own(queue.id)),
    open: counter.state !== 'open',
    break: open && !ticket,
    close: counter.state !== 'offline' && !ticket,
  };
}

/** What may be taken back here, the latest first: this counter's, and what the asker did. */
function undoable() {
  const ticket = current();
  const call = ticket?.put_back_until > now() ? [{ number: ticket.number, state: 'called', to: 'waiting', act: 'put-back', at: ticket.since }] : [];
  const ends = desk.ended.filter(end => (end.own || end.counter === mine) && (!end.until || end.until > now()));
  return [...call, ...ends];
}

const hint = (id, key, values) => (key ? say(byId(id), key, values) : (delete byId(id).dataset.zh, byId(id).replaceChildren()));

function draw() {
  title();
  if (!mine) {
    drawChoice(mayChoose(), take);
    return;
  }
  const [counter, ticket] = [counterSeen(), current()];
  putName(byId('counter'), counter.name);
  drawCurrent(counter, ticket, ticket && queueName(ticket.queue));
  drawLine(waiting(), number => dialogs.ticket(world, number));
  drawAway(desk.tickets.filter(one => own(one.queue)), number => dialogs.ticket(world, number), back);
  drawQueues(desk.queues, own);
  drawCounters(desk.counters, desk.calls, mine);
  drawButtons();
}

function drawButtons() {
  const [counter, ticket, can] = [counterSeen(), current(), possible()];
  for (const [id, may] of Object.entries(can)) byId(id).disabled = busy || !may;
  byId('open').hidden = counter.state === 'open';
  byId('break').hidden = counter.state !== 'open';
  byId('close').hidden = counter.state === 'offline';
  const count = waitingCount();
  hint('next-hint', counter.state !== 'open' ? 'console.hint.open' : ticket?.state === 'called' ? 'console.hint.called' : count === 0 ? 'console.hint.nobody'
    : ticket ? 'console.hint.finishes' : 'waiting', { count, number: ticket?.number });
  const wait = ticket?.recall_from - now();
  hint('recall-hint', ticket?.state !== 'called' ? null : ticket.recall_from === undefined ? 'console.hint.often' : wait > 0 ? 'console.hint.seconds' : null,
    { count: Math.ceil(wait / 1000) });
  const last = undoable()[0];
  hint('undo-hint', last && `console.undo.${last.state}`, last);
}

/** What somebody else wrote. */
const named = text => make('span', { lang: tongue(text) || 'en' }, text);

/** A sentence where the eyes are: what was done, or why it was not, and what to do. */
function tell(kind = '', texts = null, detail = null) {
  const place = byId('said');
  place.className = kind;
  place.replaceChildren(...(texts ? [put(make('strong'), texts)] : []), ...(detail ? [detail] : []));
}

function leave(refusal) {
  stop();
  showConnected(true);
  if (asking()) dismiss();
  turnedAway(refusal);
}

function refused(refusal) {
  if (isAboutWho(refusal)) return leave(refusal);
  const key = refusal.passing ? 'console.again' : `console.do.${refusal.code}`;
  const advice = has(key) ? said(key) : refusal.detail ? named(refusal.detail) : null;
  advice?.classList.add('detail');
  tell('refused', refusal.pair, advice);
}

/** Carries out one press. Answers what was done, or null. */
async function act(name, path, body) {
  if (busy) return null;
  busy = true;
  const before = desk.position;
  byId('desk').setAttribute('aria-busy', 'true');
  drawButtons();
  try {
    const done = await wish(path, body, standing(), () => tell('waiting', pair('retrying')));
    if (name === 'next') {
      calledAt = now();
      setTimeout(() => { if (desk && mine) drawButtons(); }, PAUSE_MS + 20);
    }
    tell('done', pair(`console.done.${name}`, { number: done.number || '', count: done.count ?? '' }));
    // The event may take a moment more; until then a second press would look right.
    const state = desk.position === before ? await look('desk').catch(() => null) : null;
    if (state && state.position >= desk.position) desk = state;
    return done;
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    refused(refusal);
    return null;
  } finally {
    busy = false;
    byId('desk').removeAttribute('aria-busy');
    if (desk && mine) draw();
  }
}

const counterAct = (name, path, body) => act(name, `counters/${mine}/${path}`, body);
const served = () => ({ number: current().number });
const back = (number, how) => (how === 'here' ? counterAct('here', 'resume-here', { number }) : act(how, `tickets/${number}/${how}`));

/** What the dialogs know and may do. */
const world = { act, counterAct, served, current, undoable, waiting, own, ticketOf, queueName, mine: () => mine, desk: () => desk };

const ACTS = {
  next: () => counterAct('next', 'call-next'),
  start: () => counterAct('start', 'start', served()),
  recall: () => counterAct('recall', 'recall', served()),
  finish: () => counterAct('finish', 'finish', served()),
  missed: () => counterAct('missed', 'missed', served()),
  open: () => counterAct('open', 'open'),
  break: () => counterAct('break', 'break'),
  close: () => counterAct('close', 'close'),
  hold: () => dialogs.hold(world),
  transfer: () => dialogs.transfer(world),
  call: () => dialogs.call(world),
  undo: () => dialogs.undo(world),
  take: () => dialogs.take(world),
  queues: () => dialogs.queues(world),
  help: () => dialogs.help(KEYS),
};

const KEYS = { n: 'next', s: 'start', r: 'recall', f: 'finish', m: 'missed', h: 'hold', t: 'transfer', c: 'call', u: 'undo', k: 'take', q: 'queues', o: 'open', b: 'break', x: 'close', '?': 'help' };

function take(id) {
  mine = id;
  try {
    localStorage.setItem(KEPT, id);
  } catch { /* a browser that keeps nothing */ }
  tell();
  route();
  byId('next').focus();
}

function change() {
  mine = null;
  tell();
  route();
  byId('counters').querySelector('button')?.focus();
}

for (const [id, run] of Object.entries(ACTS)) byId(id).addEventListener('click', run);
byId('change').addEventListener('click', change);
document.addEventListener('keydown', event => {
  const typing = document.activeElement?.matches('input, textarea, select');
  if (typing || asking() || event.repeat || event.ctrlKey || event.metaKey || event.altKey || byId('desk').hidden) return;
  const key = event.key.toLowerCase();
  const button = KEYS[key] && byId(KEYS[key]);
  if (key === 'v') turn();
  else if (key === 'l') document.querySelector('.line .row')?.focus();
  else if (button && !button.disabled && !button.hidden) button.click();
  else return;
  event.preventDefault();
});
document.addEventListener('keydown', event => {
  const rows = [...document.querySelectorAll('.line .row')];
  const place = rows.indexOf(document.activeElement);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (place < 0 || !step) return;
  event.preventDefault();
  rows[place + step]?.focus();
});
byId('sign-out').addEventListener('click', signOut);

onSwitch(title);
setInterval(() => {
  if (!desk || !mine || byId('desk').hidden) return;
  drawTimer(current());
  drawButtons();
}, 1000);
setInterval(() => { if (desk && mine && !byId('desk').hidden) draw(); }, 10000);
takeFromAddress();
route();
