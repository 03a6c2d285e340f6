// Lists of the console: tickets that wait, tickets that are away, queues and counters. Rows are updated
// in place, so that none moves under a finger.
/** @import { CallView, ConsoleCounterView, ConsoleQueueView, ConsoleTicketView, Values } from '../../shared/types' */
import { serverNow } from '../../shared/http.js';
import { byId, createElement } from '../../shared/dom.js';
import { formatTime, minutesElement } from '../../shared/format.js';
import { languageOf, nameElement, setText, textElement } from '../../shared/language.js';

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
 * What rows need beside their tickets.
 * @typedef {object} RowContext
 * @property {(number: string) => void} open opens a ticket
 * @property {(ticket: ConsoleTicketView) => readonly [string, string | undefined] | null} queueNames names
 *   of its queue, where there are several
 */

/**
 * Renders a ticket's row; the button opens it.
 * @param {RowContext} context
 * @param {(ticket: ConsoleTicketView) => HTMLElement} detail
 * @returns {(row: HTMLElement, ticket: ConsoleTicketView) => HTMLElement}
 */
function ticketRow({ open, queueNames }, detail) {
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
    const [names, badges, reason] = [queueNames(ticket), ticketBadges(ticket), ticket.hold?.reason];
    const queue = names ? nameElement(...names) : createElement('span');
    queue.className = 'of';
    if (names) queue.title = queue.textContent || '';
    button.replaceChildren(
      createElement('b', { class: 'number' }, ticket.number),
      queue,
      detail(ticket),
      ...(reason
        ? [createElement('span', { class: 'reason', lang: languageOf(reason) }, reason)]
        : []),
      ...(badges.length > 0 ? [createElement('span', { class: 'marks' }, badges)] : []),
    );
    return button;
  };
}

/** @param {string} key */
const emptyRow = key => createElement('li', { class: 'none', 'data-key': '' }, textElement(key));

/**
 * Renders the tickets that wait in the queues of a counter.
 * @param {ConsoleTicketView[]} tickets
 * @param {RowContext} context
 * @param {string} emptyKey words for an empty list
 */
export function renderWaiting(tickets, context, emptyKey) {
  const list = byId('waiting');
  reconcileRows(list, tickets, ticket => ticket.number, ticketRow(context, waitChip));
  if (tickets.length === 0) list.replaceChildren(emptyRow(emptyKey));
}

/**
 * Button that brings a ticket back, and the act that it stands for.
 * @typedef {'return' | 'resume' | 'here'} WayBack
 * @type {Record<WayBack, string>}
 */
const ACT_OF_WAY_BACK = { return: 'return', resume: 'resume', here: 'resume_here' };

/** @param {ConsoleTicketView} ticket */
function wayBack({ state, hold }) {
  if (state === 'missed') return 'return';
  return hold?.why === 'suspended' ? 'here' : 'resume';
}

/**
 * Renders missed and held tickets, each with the one command that brings it back.
 * @param {ConsoleTicketView[]} tickets
 * @param {RowContext} context
 * @param {(ticket: ConsoleTicketView, act: string) => boolean} isAllowed
 * @param {(number: string, command: WayBack) => void} bringBack
 */
export function renderAway(tickets, context, isAllowed, bringBack) {
  /** @param {ConsoleTicketView} ticket */
  const until = ({ until: end }) =>
    end ? textElement('console.until', { time: formatTime(end) }) : textElement('console.open-end');
  for (const state of ['missed', 'held']) {
    const inState = tickets.filter(ticket => ticket.state === state);
    byId(`aside-${state}`).hidden = inState.length === 0;
    const renderTicket = ticketRow(context, ticket =>
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
        const command = wayBack(ticket);
        let button = /** @type {HTMLButtonElement} */ (
          element.querySelector(`.back[value=${command}]`)
        );
        if (!button) {
          element.querySelector('.back')?.remove();
          button = createElement(
            'button',
            {
              type: 'button',
              class: 'back',
              value: command,
              onclick: () => bringBack(ticket.number, command),
            },
            textElement(`console.${command}`),
          );
          element.append(button);
        }
        button.disabled = !isAllowed(ticket, ACT_OF_WAY_BACK[command]);
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
        nameElement(queue.name, queue.name_en, 'strong'),
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
        nameElement(counter.name, counter.name_en, 'strong'),
        loginElement(counter),
        counter.id === ownId ? textElement('console.you') : '',
        counterState(counter),
      );
    },
  );
}

/** @param {ConsoleCounterView} counter */
const loginName = counter => counter.login_name || counter.login || '';

/** @param {ConsoleCounterView} counter */
function loginElement(counter) {
  const name = loginName(counter);
  const attributes = { class: 'login', translate: 'no', lang: languageOf(name) };
  return createElement('span', attributes, name);
}

/**
 * Says who is at a counter if it is somebody else, and what comes after the current ticket.
 * @param {ConsoleCounterView} counter
 * @param {string} own login of the user
 */
export function renderOwner(counter, own) {
  const { login, login_left: isLeft, login_since: since, serving, state } = counter;
  let key = null;
  if (login && login !== own) key = isLeft ? 'console.owner.left' : 'console.owner';
  else if (serving && state !== 'open') key = `console.after.${state}`;
  byId('owner').hidden = !key;
  if (key) {
    setText(byId('owner'), key, { name: loginName(counter), time: since ? formatTime(since) : '' });
  }
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
  if (counters.length === 0) {
    byId('counters').replaceChildren(textElement('console.no-counter', {}, 'p'));
    return;
  }
  byId('counters').replaceChildren(
    ...counters.map(counter =>
      createElement(
        'button',
        { type: 'button', onclick: () => choose(counter.id) },
        nameElement(counter.name, counter.name_en, 'strong'),
        counterState(counter),
        counter.login && loginElement(counter),
      ),
    ),
  );
}

/**
 * Renders the counter's current ticket, large, with all that is known of it.
 * @param {ConsoleCounterView} counter
 * @param {ConsoleTicketView | undefined} ticket
 * @param {HTMLElement | undefined} queueName
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
    ...(ticket ? [queueName, waitChip(ticket), ...ticketBadges(ticket)] : []),
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
