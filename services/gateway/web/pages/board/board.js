// The screen on the wall: who is called where, who waits.
import { byId, clock, clocksOf, giveUp, hear, make, now, showConnected, siteEvents, siteState, stayAwake } from './paihao.js';
import { onSwitch, putName, said, tongue, word } from './language.js';
import { speak } from './loud.js';

const HERO_MS = 5000; // a call stays the big one at least so long
const RECENT = 5; // as many rows as the style gives them
const LISTED = 24;
const STALE_MS = 180000; // a call that was missed longer ago is shown among the recent ones only

let seen = null; // the site as last heard
let known = null; // keys of the calls already announced; null before the first state
const announcing = [];
let heroUntil = 0;
let timer = 0;

const key = call => `${call.number}/${call.counter}/${call.call}/${call.called_at}`;

function show(state) {
  seen = state;
  clocksOf(state);
  tick();
  title();
  putName(byId('site'), state.name);
  const calls = state.calls;
  if (known === null || calls.length === 0) {
    known = new Set(calls.map(key));
    announcing.length = 0;
    hero(calls[0], false);
  } else {
    const fresh = calls.filter(call => !known.has(key(call))).reverse();
    known = new Set(calls.map(key));
    const worth = fresh.filter(call => now() - call.called_at < STALE_MS);
    announcing.push(...worth);
    worth.forEach(call => speak(call, state));
    announce();
  }
  byId('calls').replaceChildren(...(calls.length ? calls.slice(0, RECENT).map(recent) : [none('board.none', 'li')]));
  byId('counters').replaceChildren(...state.counters.map(counter));
  byId('queues').replaceChildren(...state.queues.map(queue));
}

/** One call after the other, so that none is lost when two are called at once. */
function announce() {
  clearTimeout(timer);
  const wait = heroUntil - Date.now();
  if (announcing.length === 0) return;
  if (wait > 0) {
    timer = setTimeout(announce, wait);
    return;
  }
  hero(announcing.shift(), true);
  heroUntil = Date.now() + HERO_MS;
  timer = setTimeout(announce, HERO_MS);
}

function hero(call, fresh) {
  const place = byId('hero');
  place.classList.toggle('quiet', !call);
  place.classList.remove('fresh');
  if (!call) {
    place.replaceChildren(none('board.quiet', 'p'));
    return;
  }
  place.replaceChildren(
    make('p', { class: 'number' }, call.number),
    make('p', { class: 'to' }, make('span', { class: 'arrow', 'aria-hidden': 'true' }, '→'), make('span', { class: 'sr' }, said('board.go')), named(call.counter_name),
      call.call > 1 && said('board.again', {}, 'em')));
  if (fresh) requestAnimationFrame(() => place.classList.add('fresh'));
}

function none(key, tag) {
  const element = said(key, {}, tag);
  element.className = 'none';
  return element;
}

function recent(call) {
  return make('li', {}, make('span', { class: 'number' }, call.number), named(call.counter_name, 'where'), make('time', {}, clock(call.called_at)));
}

function counter(one) {
  const idle = said(one.open ? 'board.free' : 'board.closed');
  idle.className = 'idle';
  return make('li', { class: one.open ? '' : 'closed' }, named(one.name, 'where'),
    one.serving ? make('span', { class: 'number' }, one.serving.number) : idle);
}

function queue(one) {
  return make('li', {},
    make('div', { class: 'name' }, make('strong', { lang: tongue(one.name) }, one.name), said('waiting', { count: one.waiting_count })),
    make('ol', { class: 'numbers' }, one.waiting.slice(0, LISTED).map(ticket => make('li', {}, ticket.number)),
      one.waiting_count === 0 && make('li', { class: 'more' }, said('board.nobody'))));
}

function named(name, kind) {
  return make('span', { lang: tongue(name), class: kind }, name);
}

function title() {
  if (seen) document.title = `${seen.name} · ${word('board.title')}`;
}

function tick() {
  if (seen) byId('clock').textContent = clock();
}

async function start() {
  try {
    show(await siteState());
  } catch (refusal) {
    if (!refusal.passing) return giveUp(refusal);
    showConnected(false);
    return setTimeout(start, 3000);
  }
  hear(siteEvents(), { site: show }, showConnected);
}

onSwitch(title);
stayAwake();
setInterval(tick, 1000);
start();
