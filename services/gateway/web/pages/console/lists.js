// Lists of the console: tickets that wait, tickets that are away, queues and counters. Rows are updated
// in place, so that none moves under a finger.
/** @import { CallView, ConsoleCounterView, ConsoleQueueView, ConsoleTicketView, Values } from '../../shared/types' */
import { serverNow } from '../../shared/http.js';
import { byId, createElement } from '../../shared/dom.js';
import { formatTime, minutesElement } from '../../shared/format.js';
import { setText, textElement, languageOf } from '../../shared/language.js';

const RECENT_CALL_MS = 6000; // a call is highlighted so long
const SOON_SHARE = 0.75; // of the quoted wait
const FAILED_FATES = ['failed', 'not_delivered', 'unknown'];

/**
 * Updates the rows of a list, each known by its key.
 * @template T
 * @param {HTMLElement} list
 * @param {T[]} items
 * @param {(item: T) => string} keyOf
 * @param {(row: HTMLElement, item: T) => unknown} renderRow
 */
function reconcileRows(list, items, keyOf, renderRow) {
  const children = /** @type {HTMLElement[]} */ ([...list.children]);
  const known = new Map(children.map(row => [row.dataset.key, row]));
  const rows = items.map(item => {
    const row = known.get(keyOf(item)) || createElement('li', { 'data-key': keyOf(item) });
    renderRow(row, item);
    return row;
  });
  const same =
    rows.length === list.children.length && rows.every((row, i) => row === list.children[i]);
  if (!same) list.replaceChildren(...rows);
}

/** @param {number} ms */
export const wholeMinutes = ms => Math.max(0, Math.floor(ms / 60000));

/**
 * Minutes and seconds of a timer.
 * @param {number} ms
 */
const formatDuration = ms =>
  `${Math.floor(Math.abs(ms) / 60000)}:${String(Math.floor(Math.abs(ms) / 1000) % 60).padStart(2, '0')}`;

/**
 * Compares a wait with the quoted one: in time, soon due, late, or nothing was quoted.
 * @param {ConsoleTicketView} ticket
 * @returns {'untold' | 'fine' | 'soon' | 'late'}
 */
function waitStanding({ told, taken_at: taken }) {
  if (!told?.by) return 'untold';
  if (serverNow() >= told.by) return 'late';
  return serverNow() >= taken + (told.by - taken) * SOON_SHARE ? 'soon' : 'fine';
}

/**
 * The wait so far, with its colour and word against the quoted one.
 * @param {ConsoleTicketView} ticket
 */
export function waitChip(ticket) {
  const standing = waitStanding(ticket);
  const chip = createElement(
    'span',
    { class: `wait ${standing}` },
    textElement('console.minutes', { count: wholeMinutes(serverNow() - ticket.taken_at) }, 'b'),
  );
  if (standing !== 'untold') {
    chip.append(textElement(`console.wait.${standing}`, { time: formatTime(ticket.told.by) }));
  }
  return chip;
}

/**
 * @param {string} key
 * @param {Values} [values]
 */
const badge = (key, values, kind = '') => {
  const element = textElement(key, values);
  element.className = `badge ${kind}`;
  return element;
};

/**
 * Badges of a ticket: all that is known of it beside the wait.
 * @param {ConsoleTicketView} ticket
 */
export function ticketBadges(ticket) {
  const { message } = ticket;
  const failed = message && FAILED_FATES.includes(message.fate);
  return [
    ticket.class !== undefined &&
      badge('console.class', { class: ticket.class }, ticket.class < 5 ? 'first' : ''),
    ticket.misses > 0 && badge('console.misses', { count: ticket.misses }),
    ticket.arrived && badge('console.arrived', {}, 'here'),
    ticket.coming && !ticket.arrived && badge('console.coming', {}, 'here'),
    ticket.party && badge('console.party', { count: ticket.party }),
    !ticket.wechat && badge('console.paper'),
    failed && badge('console.untold', {}, 'trouble'),
  ].filter(Boolean);
}

/**
 * Renders a ticket's row; the button opens it.
 * @param {(number: string) => void} open
 * @param {(ticket: ConsoleTicketView) => HTMLElement} detail
 * @returns {(row: HTMLElement, ticket: ConsoleTicketView) => HTMLElement}
 */
function ticketRow(open, detail) {
  return (element, ticket) => {
    let button = /** @type {HTMLButtonElement} */ (element.querySelector('.row'));
    if (!button) {
      button = createElement('button', {
        type: 'button',
        class: 'row',
        onclick: () => open(ticket.number),
      });
      element.prepend(button);
    }
    button.replaceChildren(
      createElement('b', { class: 'number' }, ticket.number),
      detail(ticket),
      createElement('span', { class: 'marks' }, ticketBadges(ticket)),
    );
    return button;
  };
}

/** @param {string} key */
const emptyRow = key => createElement('li', { class: 'none', 'data-key': '' }, textElement(key));

/**
 * Renders the tickets that wait in the queues of a counter.
 * @param {ConsoleTicketView[]} tickets
 * @param {(number: string) => void} open
 */
export function renderWaiting(tickets, open) {
  const list = byId('waiting');
  reconcileRows(list, tickets, ticket => ticket.number, ticketRow(open, waitChip));
  if (tickets.length === 0) list.replaceChildren(emptyRow('console.nobody'));
}

/**
 * Renders missed and held tickets, each with the one command that brings it back.
 * @param {ConsoleTicketView[]} tickets
 * @param {(number: string) => void} open
 * @param {(number: string, command: string) => void} bringBack
 */
export function renderAway(tickets, open, bringBack) {
  /** @param {ConsoleTicketView} ticket */
  const until = ({ until: end }) =>
    end ? textElement('console.until', { time: formatTime(end) }) : textElement('console.open-end');
  for (const [state, usualCommand] of [
    ['missed', 'return'],
    ['held', 'resume'],
  ]) {
    const inState = tickets.filter(ticket => ticket.state === state);
    byId(`aside-${state}`).hidden = inState.length === 0;
    const renderTicket = ticketRow(open, ticket =>
      createElement(
        'span',
        { class: 'away' },
        ticket.hold && textElement(`console.held.${ticket.hold.why}`),
        until(ticket),
      ),
    );
    reconcileRows(
      byId(`${state}-list`),
      inState,
      ticket => ticket.number,
      (element, ticket) => {
        renderTicket(element, ticket);
        const command = ticket.hold?.why === 'suspended' ? 'here' : usualCommand;
        if (element.querySelector(`.back[value=${command}]`)) return;
        element.querySelector('.back')?.remove();
        element.append(
          createElement(
            'button',
            {
              type: 'button',
              class: 'back',
              value: command,
              onclick: () => bringBack(ticket.number, command),
            },
            textElement(`console.${command}`),
          ),
        );
      },
    );
  }
}

/**
 * Renders every queue with its state and the number that wait.
 * @param {ConsoleQueueView[]} queues
 * @param {(queueId: string) => boolean} servesQueue
 */
export function renderQueues(queues, servesQueue) {
  reconcileRows(
    byId('queue-list'),
    queues,
    queue => queue.id,
    (element, queue) => {
      element.className = servesQueue(queue.id) ? 'own' : '';
      const state = textElement(`console.queue.${queue.state}`);
      state.className = `badge ${queue.state === 'open' ? 'here' : 'trouble'}`;
      const range = queue.waiting_count > 0 && queue.minutes;
      element.replaceChildren(
        createElement('strong', { lang: languageOf(queue.name) }, queue.name),
        state,
        textElement('waiting', { count: queue.waiting_count }),
        range ? minutesElement('console.now', range) : '',
      );
    },
  );
}

/**
 * Renders every counter with its user, and highlights a recent call.
 * @param {ConsoleCounterView[]} counters
 * @param {CallView[]} calls
 * @param {string} ownId
 */
export function renderCounters(counters, calls, ownId) {
  reconcileRows(
    byId('counter-list'),
    counters,
    counter => counter.id,
    (element, counter) => {
      const isRecent = calls.some(
        call =>
          call.counter === counter.id &&
          call.number === counter.serving &&
          serverNow() - call.called_at < RECENT_CALL_MS,
      );
      element.className = isRecent ? 'fresh' : '';
      element.replaceChildren(
        createElement('strong', { lang: languageOf(counter.name) }, counter.name),
        createElement('span', { class: 'login', translate: 'no' }, counter.login || ''),
        counter.id === ownId ? textElement('console.you') : '',
        counterState(counter),
      );
    },
  );
}

/**
 * The number at a counter, or the counter's state.
 * @param {ConsoleCounterView} counter
 */
function counterState(counter) {
  if (counter.serving) return createElement('b', { class: 'number' }, counter.serving);
  return textElement(`console.counter.${counter.state}`);
}

/**
 * Renders the counters to choose from.
 * @param {ConsoleCounterView[]} counters
 * @param {(id: string) => void} choose
 */
export function renderCounterChoice(counters, choose) {
  byId('counters').replaceChildren(
    ...counters.map(counter =>
      createElement(
        'button',
        { type: 'button', class: 'queue', onclick: () => choose(counter.id) },
        createElement('strong', { lang: languageOf(counter.name) }, counter.name),
        counterState(counter),
        counter.login && createElement('span', { class: 'login', translate: 'no' }, counter.login),
      ),
    ),
  );
}

/**
 * Renders the counter's current ticket, large, with all that is known of it.
 * @param {ConsoleCounterView} counter
 * @param {ConsoleTicketView | undefined} ticket
 * @param {string} queueName
 */
export function renderCurrent(counter, ticket, queueName) {
  const state = ticket ? ticket.state : counter.state;
  byId('desk').dataset.state = state;
  const number = byId('number');
  if (!ticket) {
    setText(number, `console.counter.${counter.state}`);
  } else if (number.textContent !== ticket.number) {
    delete number.dataset.zh;
    delete number.dataset.en;
    number.replaceChildren(ticket.number);
  }
  setText(byId('state'), ticket ? `console.state.${state}` : `console.here.${counter.state}`, {
    count: ticket?.calls,
  });
  byId('facts').replaceChildren(
    ...(ticket
      ? [
          createElement('span', { lang: languageOf(queueName) }, queueName),
          waitChip(ticket),
          ...ticketBadges(ticket),
        ]
      : []),
  );
  const message = ticket?.message;
  const isUntold = ticket?.wechat && state === 'called' && !message;
  byId('message').replaceChildren(
    ...(message
      ? [
          textElement('console.message'),
          textElement(`console.notice.${message.notice}`),
          textElement(`console.fate.${message.fate}`, {}, 'strong'),
        ]
      : []),
    ...(isUntold ? [textElement('console.message.none')] : []),
  );
  byId('message').className = message && FAILED_FATES.includes(message.fate) ? 'bad' : '';
  renderTimer(ticket);
}

/**
 * Renders the running timer: the time left to come after a call, or the time of the service.
 * @param {ConsoleTicketView | undefined} ticket
 */
export function renderTimer(ticket) {
  const timer = byId('timer');
  if (!ticket) {
    timer.replaceChildren();
  } else if (ticket.state === 'serving') {
    setText(timer, 'console.timer.serving', { time: formatDuration(serverNow() - ticket.since) });
  } else {
    const key = ticket.until > serverNow() ? 'console.timer.called' : 'console.timer.over';
    setText(timer, key, { time: formatDuration(ticket.until - serverNow()) });
  }
}
