// The console's lists: who waits and how long against what they were told, who is away, the queues
// and the other counters. What stays, stays under the finger: rows are changed, not made anew.
import { byId, clock, make, now } from './paihao.js';
import { said, say, tongue } from './language.js';

const FRESH_MS = 6000; // a call stands out so long
const SOON = 0.75; // of what was told

/** Brings a list's children up to date, each known by its key. */
function sync(list, items, key, draw) {
  const known = new Map([...list.children].map(row => [row.dataset.key, row]));
  const rows = items.map(item => {
    const row = known.get(key(item)) || make('li', { 'data-key': key(item) });
    draw(row, item);
    return row;
  });
  const same = rows.length === list.children.length && rows.every((row, i) => row === list.children[i]);
  if (!same) list.replaceChildren(...rows);
}

export const minutes = ms => Math.max(0, Math.floor(ms / 60000));

/** Minutes and seconds, for what runs. */
export const running = ms => `${Math.floor(Math.abs(ms) / 60000)}:${String(Math.floor(Math.abs(ms) / 1000) % 60).padStart(2, '0')}`;

/** How a wait stands against what was told: in time, soon, late, or nothing was told. */
function standing({ told, taken_at: taken }) {
  if (!told) return 'untold';
  if (now() >= told.by) return 'late';
  return now() >= taken + (told.by - taken) * SOON ? 'soon' : 'fine';
}

/** How long somebody has waited, in the colour and the word of how that stands. */
export function wait(ticket) {
  const how = standing(ticket);
  const chip = make('span', { class: `wait ${how}` }, said('console.minutes', { count: minutes(now() - ticket.taken_at) }, 'b'));
  if (how !== 'untold') chip.append(said(`console.wait.${how}`, { time: clock(ticket.told.by) }));
  return chip;
}

const badge = (key, values, kind = '') => {
  const element = said(key, values);
  element.className = `badge ${kind}`;
  return element;
};

/** What is known of somebody beside how long they wait. */
export function marks(ticket) {
  const { message } = ticket;
  const failed = message && ['failed', 'not_delivered', 'unknown'].includes(message.fate);
  return [
    ticket.class !== undefined && badge('console.class', { class: ticket.class }, ticket.class < 5 ? 'first' : ''),
    ticket.misses > 0 && badge('console.misses', { count: ticket.misses }),
    ticket.arrived && badge('console.arrived', {}, 'here'),
    ticket.party && badge('console.party', { count: ticket.party }),
    !ticket.wechat && badge('console.paper'),
    failed && badge('console.untold', {}, 'trouble'),
  ].filter(Boolean);
}

function row(open, detail) {
  return (element, ticket) => {
    let button = element.querySelector('.row');
    if (!button) {
      button = make('button', { type: 'button', class: 'row', onclick: () => open(ticket.number) });
      element.prepend(button);
    }
    button.replaceChildren(make('b', { class: 'number' }, ticket.number), detail(ticket), make('span', { class: 'marks' }, marks(ticket)));
    return button;
  };
}

const none = key => make('li', { class: 'none', 'data-key': '' }, said(key));

/** Who waits in the queues of a counter; the others' are counted beside the queues. */
export function drawLine(tickets, open) {
  const list = byId('waiting');
  sync(list, tickets, ticket => ticket.number, row(open, wait));
  if (tickets.length === 0) list.replaceChildren(none('console.nobody'));
}

/** Who was missed, and who is held, each with the one act that brings them back. */
export function drawAway(tickets, open, back) {
  const until = ({ until: end }) => (end ? said('console.until', { time: clock(end) }) : said('console.open-end'));
  for (const [state, act] of [['missed', 'return'], ['held', 'resume']]) {
    const those = tickets.filter(ticket => ticket.state === state);
    byId(`aside-${state}`).hidden = those.length === 0;
    const drawn = row(open, ticket => make('span', { class: 'away' }, ticket.hold && said(`console.held.${ticket.hold.why}`), until(ticket)));
    sync(byId(`${state}-list`), those, ticket => ticket.number, (element, ticket) => {
      drawn(element, ticket);
      const how = ticket.hold?.why === 'suspended' ? 'here' : act;
      if (element.querySelector(`.back[value=${how}]`)) return;
      element.querySelector('.back')?.remove();
      element.append(make('button', { type: 'button', class: 'back', value: how, onclick: () => back(ticket.number, how) }, said(`console.${how}`)));
    });
  }
}

/** Every queue: how it stands, and how many wait. */
export function drawQueues(queues, own) {
  sync(byId('queue-list'), queues, queue => queue.id, (element, queue) => {
    element.className = own(queue.id) ? 'own' : '';
    const state = said(`console.queue.${queue.state}`);
    state.className = `badge ${queue.state === 'open' ? 'here' : 'trouble'}`;
    const minutes = queue.waiting_count > 0 && queue.minutes;
    element.replaceChildren(make('strong', { lang: tongue(queue.name) }, queue.name), state,
      said('waiting', { count: queue.waiting_count }), minutes ? said('console.now', { low: minutes[0], high: minutes[1] }) : '');
  });
}

/** Every counter: who is there, and whom it called a moment ago. */
export function drawCounters(counters, calls, mine) {
  sync(byId('counter-list'), counters, counter => counter.id, (element, counter) => {
    const fresh = calls.some(call => call.counter === counter.id && call.number === counter.serving && now() - call.called_at < FRESH_MS);
    element.className = fresh ? 'fresh' : '';
    element.replaceChildren(make('strong', { lang: tongue(counter.name) }, counter.name),
      make('span', { class: 'login', translate: 'no' }, counter.login || ''),
      counter.id === mine ? said('console.you') : '', stateOf(counter));
  });
}

/** Whom a counter has, or why nobody. */
export function stateOf(counter) {
  if (counter.serving) return make('b', { class: 'number' }, counter.serving);
  return said(`console.counter.${counter.state}`);
}

/** The counters to choose from. */
export function drawChoice(counters, take) {
  byId('counters').replaceChildren(...counters.map(counter =>
    make('button', { type: 'button', class: 'queue', onclick: () => take(counter.id) }, make('strong', { lang: tongue(counter.name) }, counter.name), stateOf(counter),
      counter.login && make('span', { class: 'login', translate: 'no' }, counter.login))));
}

/** Whom the counter has, large, with all that is known of them. */
export function drawCurrent(counter, ticket, queueName) {
  const state = ticket ? ticket.state : counter.state;
  byId('desk').dataset.state = state;
  const number = byId('number');
  const [was, is] = [number.textContent, ticket ? ticket.number : null];
  if (is === null) say(number, `console.counter.${counter.state}`);
  else if (was !== is) {
    delete number.dataset.zh;
    delete number.dataset.en;
    number.replaceChildren(is);
  }
  say(byId('state'), ticket ? `console.state.${state}` : `console.here.${counter.state}`, { count: ticket?.calls });
  byId('facts').replaceChildren(...(ticket ? [make('span', { lang: tongue(queueName) }, queueName), wait(ticket), ...marks(ticket)] : []));
  const message = ticket?.message;
  byId('message').replaceChildren(...(message ? [said('console.message'), said(`console.fate.${message.fate}`, {}, 'strong')] : []));
  byId('message').className = message && ['failed', 'not_delivered', 'unknown'].includes(message.fate) ? 'bad' : '';
  drawTimer(ticket);
}

/** What runs: until when somebody is expected, or since when they are served. */
export function drawTimer(ticket) {
  const timer = byId('timer');
  if (!ticket) timer.replaceChildren();
  else if (ticket.state === 'serving') say(timer, 'console.timer.serving', { time: running(now() - ticket.since) });
  else if (ticket.until > now()) say(timer, 'console.timer.called', { time: running(ticket.until - now()) });
  else say(timer, 'console.timer.over', { time: running(now() - ticket.until) });
}

