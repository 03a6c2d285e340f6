// What is asked before something is done at the console: a reason, a place, a number.
import { clock, make, now, site } from './paihao.js';
import { has, pair, put, said, say, tongue } from './language.js';
import { ask, dismiss } from './dialog.js';
import { marks, minutes, wait } from './rows.js';
import { look } from './wish.js';

/** A reason: one of the usual ones, or one's own words. */
function reasons(kind) {
  const usual = [1, 2, 3].map(i => ({ value: pair(`console.why.${kind}.${i}`)[0], label: pair(`console.why.${kind}.${i}`) }));
  return [
    { kind: 'choice', name: 'usual', label: pair('console.why'), options: usual },
    { kind: 'text', name: 'own', label: pair('console.why.own'), optional: true },
  ];
}

const reasonOf = ({ usual, own }) => (own || '').trim() || usual || '';
const reasonWanted = given => (reasonOf(given) ? null : pair('console.why.wanted'));

/** Asks for a reason. */
async function why(kind, title, more = {}) {
  const { fields = [], ...rest } = more;
  const given = await ask({ title, fields: [...reasons(kind), ...fields], confirm: pair(`console.${kind}`), problem: reasonWanted, ...rest });
  return given && { ...given, reason: reasonOf(given) };
}

const names = (world, but) => world.desk().queues.filter(queue => queue.id !== but).map(queue => ({ value: queue.id, label: queue.name, note: pair('waiting', { count: queue.waiting_count }) }));

async function hold(world) {
  const { number } = world.current();
  const given = await why('hold', pair('console.hold.title', { number }), { fields: [{ kind: 'check', name: 'affinity', label: pair('console.hold.here'), value: true }] });
  if (given) await world.counterAct('hold', 'suspend', { number, reason: given.reason, affinity: given.affinity });
}

async function transfer(world) {
  const { number, queue } = world.current();
  const options = names(world, queue);
  const given = await ask({
    title: pair('console.transfer.title', { number }),
    fields: [{ kind: 'choice', name: 'queue', label: pair('console.transfer.to'), options, value: options[0].value, wide: true }],
    confirm: pair('console.transfer'),
  });
  if (given) await world.act('transfer', `tickets/${number}/transfer`, { queue: given.queue });
}

/** Calls somebody out of turn: whoever was missed needs no reason. */
async function callNow(world, ticket) {
  const { number, state } = ticket;
  if (state === 'missed') return world.counterAct('call', 'call', { number });
  const given = await why('call', pair('console.call.title', { number }));
  return given && world.counterAct('call', 'call', { number, reason: given.reason });
}

async function call(world) {
  const missed = world.desk().tickets.filter(ticket => ticket.state === 'missed' && world.own(ticket.queue));
  const can = [...missed, ...world.waiting()];
  const meant = ({ number }) => can.find(ticket => ticket.number === (number || '').trim().toUpperCase());
  const given = await ask({
    title: pair('console.call'),
    body: [said('console.call.how', {}, 'p')],
    fields: [{ kind: 'text', name: 'number', label: pair('console.call.number') }],
    confirm: pair('console.next-step'),
    problem: values => (meant(values) ? null : pair('console.call.nobody')),
  });
  if (given) await callNow(world, meant(given));
}

async function undo(world) {
  const ends = world.undoable();
  const options = ends.map((end, i) => ({ value: String(i), label: pair(`console.undo.${end.state}`, end), note: pair(`console.undo.to.${end.to}`, { time: clock(end.at) }) }));
  const given = await ask({
    title: pair('console.undo.title'),
    fields: [{ kind: 'choice', name: 'end', label: pair('console.undo.what'), options, value: '0', wide: true }],
    confirm: pair('console.undo'),
  });
  if (!given) return;
  const { number, act } = ends[Number(given.end)];
  if (act) await world.counterAct('undo', act, { number });
  else await world.act('undo', `tickets/${number}/undo`);
}

async function take(world) {
  const options = world.desk().queues.filter(queue => world.own(queue.id) || world.desk().you.manages)
    .map(queue => ({ value: queue.id, label: queue.name, note: pair(`console.queue.${queue.state}`) }));
  const given = await ask({
    title: pair('console.take.title'),
    fields: [
      { kind: 'choice', name: 'queue', label: pair('console.take.for'), options, value: options[0].value, wide: true },
      { kind: 'check', name: 'first', label: pair('console.take.first'), value: false },
    ],
    confirm: pair('console.take'),
  });
  if (!given) return;
  const done = await world.act('take', `queues/${given.queue}/tickets`, given.first ? { class: 2 } : undefined);
  if (done) await slip(done.number);
}

const slipOf = number => `/slip/${encodeURIComponent(site)}/${encodeURIComponent(number)}`;

async function slip(number) {
  const wanted = await ask({
    title: pair('console.done.take', { number }),
    body: [make('p', { class: 'number' }, number), said('console.slip.why', {}, 'p')],
    confirm: pair('console.slip.print'),
  });
  if (wanted) window.open(`${slipOf(number)}#print`, '_blank');
}

async function queues(world) {
  const { you, queues: all } = world.desk();
  const row = queue => make('li', {},
    make('strong', { lang: tongue(queue.name) }, queue.name), make('div', { class: 'acts' }, ['open', 'pause', 'halt', 'close', 'clear'].map(act => {
      const button = make('button', { type: 'button', class: act === 'clear' ? 'danger' : '', 'aria-pressed': act === 'clear' ? null : String(SET[act] === queue.set),
        disabled: !you.manages || SET[act] === queue.set || (act === 'clear' && queue.waiting_count + queue.held_count + queue.missed_count === 0),
        onclick: () => { dismiss(); setTimeout(() => change(world, queue, act)); } });
      return say(button, `console.queue.do.${act}`);
    })));
  await ask({ title: pair('console.queues'), body: [you.manages ? '' : said('console.queue.manager', {}, 'p'), make('ul', { class: 'set' }, all.map(row))] });
}

const SET = { open: 'open', pause: 'paused', halt: 'halted', close: 'closed' };

async function change(world, queue, act) {
  const given = await ask({
    title: pair(`console.queue.sure.${act}`),
    body: [make('p', {}, make('strong', { lang: tongue(queue.name) }, queue.name)), said(`console.queue.means.${act}`, { count: queue.waiting_count + queue.held_count + queue.missed_count }, 'p')],
    fields: act === 'clear' ? [{ kind: 'check', name: 'sure', label: pair('console.queue.sure') }] : [],
    confirm: pair(`console.queue.do.${act}`),
    danger: act === 'clear',
    problem: values => (act === 'clear' && !values.sure ? pair('console.queue.tick') : null),
  });
  if (given) await world.act(act === 'clear' ? 'clear' : 'queue', `queues/${queue.id}/${act}`);
}

/** All that is known of a ticket, and all that may be done with it. */
async function ticket(world, number) {
  const one = world.ticketOf(number);
  if (!one) return;
  const counter = world.desk().counters.find(seen => seen.id === world.mine());
  const free = counter.state === 'open' && !counter.serving;
  const then = next => () => { dismiss(); setTimeout(next); };
  const simple = (name, path, body) => then(() => world.act(name, `tickets/${number}/${path}`, body));
  const suspended = one.hold?.why === 'suspended';
  const acts = {
    waiting: [
      ['call', then(() => callNow(world, one)), free],
      ['park', then(() => park(world, one)), true],
      ['first', then(() => first(world, one)), true],
      ['arrived', simple('arrived', 'arrived'), !one.arrived],
      ['people', then(() => party(world, one)), true],
      ['remove', then(() => remove(world, one)), true],
    ],
    missed: [['return', simple('return', 'return'), true], ['call', then(() => callNow(world, one)), free], ['remove', then(() => remove(world, one)), true]],
    held: [
      suspended ? ['here', then(() => world.counterAct('here', 'resume-here', { number })), free] : ['resume', simple('resume', 'resume'), true],
      ['remove', then(() => remove(world, one)), true],
    ],
  }[one.state] || [];
  const messages = make('ul', { class: 'messages', 'aria-live': 'polite' });
  if (one.wechat) notices(number, messages);
  await ask({
    title: `${number} · ${world.queueName(one.queue)}`,
    body: [
      make('p', { class: 'facts' }, wait(one), marks(one)),
      said('console.taken', { time: clock(one.taken_at), low: one.told?.minutes[0] ?? '–', high: one.told?.minutes[1] ?? '–' }, 'p'),
      one.hold?.reason ? make('p', {}, make('span', { lang: tongue(one.hold.reason) }, one.hold.reason), ' ', said('console.held.since', { count: minutes(now() - one.since) })) : '',
      make('div', { class: 'acts' }, acts.map(([act, run, may]) => say(make('button', { type: 'button', class: act === 'remove' ? 'danger' : '', disabled: !may, onclick: run }), `console.${act}`))),
      one.wechat ? messages : make('p', {}, make('a', { href: slipOf(number), target: '_blank' }, said('console.slip.again'))),
    ],
  });
}

/** What became of the messages to somebody. */
async function notices(number, list) {
  try {
    const { notices: all } = await look(`tickets/${number}/notices`);
    list.replaceChildren(...all.map(one => make('li', {}, said(`console.notice.${one.notice}`), said(`console.fate.${one.fate}`, {}, 'strong'),
      make('time', {}, clock(one.since || one.at || now())), one.why && make('code', { translate: 'no' }, one.why))));
    if (all.length === 0) list.replaceChildren(make('li', {}, said('console.notices.none')));
  } catch (refusal) {
    list.replaceChildren(make('li', {}, put(make('span'), refusal.pair)));
  }
}

async function park(world, { number }) {
  const given = await why('park', pair('console.park.title', { number }), { fields: [{ kind: 'number', name: 'minutes', label: pair('console.park.minutes'), min: 1, max: 600, optional: true }] });
  if (given) await world.act('park', `tickets/${number}/hold`, { reason: given.reason, ...(given.minutes && { minutes: Number(given.minutes) }) });
}

async function first(world, { number }) {
  const given = await why('first', pair('console.first.title', { number }));
  if (given) await world.act('first', `tickets/${number}/priority`, { class: 2, reason: given.reason });
}

async function remove(world, { number }) {
  const given = await why('remove', pair('console.remove.title', { number }), { danger: true });
  if (given) await world.act('remove', `tickets/${number}/remove`, { reason: given.reason });
}

async function party(world, { number, party: people }) {
  const given = await ask({
    title: pair('console.party.title', { number }),
    fields: [{ kind: 'number', name: 'people', label: pair('console.party.count'), value: people, min: 1, max: 99 }],
    confirm: pair('console.party.save'),
    problem: values => (Number(values.people) >= 1 ? null : pair('console.party.wanted')),
  });
  if (given) await world.act('party', `tickets/${number}/party`, { people: Number(given.people) });
}

/** Every key and what it does. */
async function help(keys) {
  const rows = [...Object.entries(keys), ['v', 'sound'], ['l', 'line'], ['↑ ↓', 'rows'], ['Esc', 'cancel']];
  await ask({
    title: pair('console.help'),
    body: [make('dl', { class: 'keys' }, rows.flatMap(([key, act]) => [make('dt', {}, make('kbd', { translate: 'no' }, key.length === 1 ? key.toUpperCase() : key)), make('dd', {}, said(has(`console.key.${act}`) ? `console.key.${act}` : `console.${act}`))]))],
  });
}

export const dialogs = { hold, transfer, call, undo, take, queues, ticket, help };
