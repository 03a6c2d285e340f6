// The screen on the wall: who is called where, who waits.
import { byId, clock, english, giveUp, hear, make, showConnected, siteEvents, siteState } from './paihao.js';

const HERO_MS = 5000; // a call stays the big one at least so long
const RECENT = 7; // as many rows as the style gives them
const LISTED = 24;

let known = null; // keys of the calls already announced; null before the first state
const announcing = [];
let heroUntil = 0;
let timer = 0;

const key = call => `${call.number}/${call.counter}/${call.call}/${call.called_at}`;

function show(state) {
  document.title = `${state.name} · 叫号`;
  byId('site').textContent = state.name;
  const calls = state.calls;
  if (known === null || calls.length === 0) {
    known = new Set(calls.map(key));
    announcing.length = 0;
    hero(calls[0], false);
  } else {
    const fresh = calls.filter(call => !known.has(key(call))).reverse();
    known = new Set(calls.map(key));
    announcing.push(...fresh);
    announce();
  }
  byId('calls').replaceChildren(...(calls.length ? calls.slice(0, RECENT).map(recent) : [make('li', { class: 'none' }, '还没有叫号', english('Nobody has been called yet'))]));
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
    place.replaceChildren(make('p', { class: 'none' }, '请稍候', english('Please wait to be called')));
    return;
  }
  place.replaceChildren(
    make('p', { class: 'number' }, call.number),
    make('p', { class: 'to' }, make('span', { class: 'arrow', 'aria-hidden': 'true' }, '→'), make('span', { class: 'sr' }, '请到'), call.counter_name,
      call.call > 1 && make('em', {}, '再次叫号 ', english('called again'))));
  if (fresh) requestAnimationFrame(() => place.classList.add('fresh'));
}

function recent(call) {
  return make('li', {}, make('span', { class: 'number' }, call.number), make('span', { class: 'where' }, call.counter_name), make('time', {}, clock(call.called_at)));
}

function counter(one) {
  const state = !one.open ? ['暂停', 'Closed'] : ['空闲', 'Free'];
  return make('li', { class: one.open ? '' : 'closed' }, make('span', { class: 'where' }, one.name),
    one.serving ? make('span', { class: 'number' }, one.serving.number) : make('span', { class: 'idle' }, state[0], ' ', english(state[1])));
}

function queue(one) {
  return make('li', {},
    make('div', { class: 'name' }, make('strong', {}, one.name), make('span', {}, make('b', {}, String(one.waiting_count)), ' 人在等 ', english('waiting'))),
    make('ol', { class: 'numbers' }, one.waiting.slice(0, LISTED).map(ticket => make('li', {}, ticket.number)),
      one.waiting_count === 0 && make('li', { class: 'more' }, '无人排队')));
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

const tick = () => { byId('clock').textContent = clock(); };
tick();
setInterval(tick, 1000);
start();
