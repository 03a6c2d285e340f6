// Dialogs of the console: each asks for what a command needs (a reason, a queue, a number) and runs it.
/** @import { ConsoleContext } from './console.js' */
/** @import { ConsoleCounterView, ConsoleQueueView, ConsoleTicketView, Texts } from '../../shared/types' */
/** @import { Field } from '../../shared/dialog.js' */
import { siteId, serverNow } from '../../shared/http.js';
import { createElement } from '../../shared/dom.js';
import { formatTime, minutesElement } from '../../shared/format.js';
import {
  hasTranslation,
  translations,
  setTextPair,
  setText,
  textElement,
  languageOf,
  localName,
  nameElement,
} from '../../shared/language.js';
import { openDialog, closeDialog } from '../../shared/dialog.js';
import { wholeMinutes, waitChip, ticketBadges } from './lists.js';
import { fetchFromSite } from './commands.js';
import { ticketsOfNumber } from './numbers.js';

/**
 * Fields of a reason: one of the usual ones, or free text.
 * @param {string} kind
 * @returns {Field[]}
 */
function reasonFields(kind) {
  const usual = [1, 2, 3].map(i => ({
    value: translations(`console.why.${kind}.${i}`)[0],
    label: translations(`console.why.${kind}.${i}`),
  }));
  return [
    { kind: 'choice', name: 'usual', label: translations('console.why'), options: usual },
    { kind: 'text', name: 'own', label: translations('console.why.own'), optional: true },
  ];
}

/** @param {Record<string, any>} values */
const reasonOf = ({ usual, own }) => (own || '').trim() || usual || '';
/** @param {Record<string, any>} values */
const reasonProblem = values => (reasonOf(values) ? null : translations('console.why.wanted'));

/**
 * Asks for a reason, beside other fields.
 * @param {string} kind the command
 * @param {Texts} title
 * @param {{ fields?: Field[], danger?: boolean }} more
 */
async function askReason(kind, title, { fields = [], danger } = {}) {
  const input = await openDialog({
    title,
    fields: [...reasonFields(kind), ...fields],
    confirm: translations(`console.${kind}`),
    validate: reasonProblem,
    danger,
  });
  return input && /** @type {Record<string, any>} */ ({ ...input, reason: reasonOf(input) });
}

/**
 * @param {ConsoleContext} context
 * @param {string} excludedId
 */
const queueOptions = (context, excludedId) =>
  context
    .view()
    .queues.filter(queue => queue.id !== excludedId)
    .map(queue => ({
      value: queue.id,
      label: localName(queue.name, queue.name_en),
      note: translations('waiting', { count: queue.waiting_count }),
    }));

/** @param {ConsoleContext} context */
async function hold(context) {
  const { number } = context.currentTicket();
  const input = await askReason('hold', translations('console.hold.title', { number }), {
    fields: [
      { kind: 'check', name: 'affinity', label: translations('console.hold.here'), value: true },
    ],
  });
  if (input) {
    await context.runCounterCommand('hold', 'suspend', {
      number,
      reason: input.reason,
      affinity: input.affinity,
    });
  }
}

/**
 * Asks whether to take the counter over, and says from whom.
 * @param {ConsoleContext} context
 * @param {ConsoleCounterView} counter
 */
async function takeOver(context, counter) {
  const { login, login_name: name, login_since: since, serving } = counter;
  const values = { name: name || login, number: serving, time: since ? formatTime(since) : '' };
  const input = await openDialog({
    title: translations('console.take-over.title', values),
    body: [
      textElement('console.owner', values, 'p'),
      textElement(`console.take-over.${serving ? 'ticket' : 'means'}`, values, 'p'),
    ],
    confirm: translations('console.take-over'),
  });
  if (input) await context.runCounterCommand('take-over', 'take-over', { from: login });
}

/**
 * Asks for the other queue of a ticket: the one at the counter, or one that waits.
 * @param {ConsoleContext} context
 * @param {ConsoleTicketView} [shown]
 */
async function transfer(context, shown) {
  const { number, queue } = shown || context.currentTicket();
  const options = queueOptions(context, queue);
  const input = await openDialog({
    title: translations('console.transfer.title', { number }),
    fields: [
      {
        kind: 'choice',
        name: 'queue',
        label: translations('console.transfer.to'),
        options,
        value: options[0].value,
        wide: true,
      },
    ],
    confirm: translations('console.transfer'),
  });
  if (input)
    await context.runCommand('transfer', `tickets/${number}/transfer`, { queue: input.queue });
}

/**
 * Calls a ticket out of turn; a missed one needs no reason.
 * @param {ConsoleContext} context
 * @param {ConsoleTicketView} ticket
 */
async function callNow(context, ticket) {
  const { number, state } = ticket;
  if (state === 'missed') return context.runCounterCommand('call', 'call', { number });
  const input = await askReason('call', translations('console.call.title', { number }));
  return input && context.runCounterCommand('call', 'call', { number, reason: input.reason });
}

/** @param {ConsoleContext} context */
async function call(context) {
  const callable = context
    .view()
    .tickets.filter(ticket => context.servesQueue(ticket.queue) && context.mayHere(ticket, 'call'));
  /** @param {Record<string, any>} values */
  const meant = ({ number }) => ticketsOfNumber(callable, number || '');
  const input = await openDialog({
    title: translations('console.call'),
    body: [textElement('console.call.how', {}, 'p')],
    fields: [{ kind: 'text', name: 'number', label: translations('console.call.number') }],
    confirm: translations('console.next-step'),
    validate: values => {
      const tickets = meant(values);
      if (tickets.length === 1) return null;
      if (tickets.length === 0) return translations('console.call.nobody');
      const numbers = tickets.map(({ number }) => number).join(' ');
      return translations('console.call.several', { numbers });
    },
  });
  if (input) await callNow(context, meant(input)[0]);
}

/** @param {ConsoleContext} context */
async function undo(context) {
  const undoable = context.undoableCommands();
  const options = undoable.map((action, i) => ({
    value: String(i),
    label: translations(`console.undo.${action.state}`, { ...action }),
    note: translations(`console.undo.to.${action.to}`, { time: formatTime(action.at) }),
  }));
  const input = await openDialog({
    title: translations('console.undo.title'),
    fields: [
      {
        kind: 'choice',
        name: 'end',
        label: translations('console.undo.what'),
        options,
        value: '0',
        wide: true,
      },
    ],
    confirm: translations('console.undo'),
  });
  if (!input) return;
  const { number, act: command } = undoable[Number(input.end)];
  if (command) await context.runCounterCommand('undo', command, { number });
  else await context.runCommand('undo', `tickets/${number}/undo`);
}

/** @param {ConsoleContext} context */
async function take(context) {
  const options = context
    .view()
    .queues.filter(queue => context.servesQueue(queue.id) || context.view().you.manages)
    .map(queue => ({
      value: queue.id,
      label: localName(queue.name, queue.name_en),
      note: translations(`console.queue.${queue.state}`),
    }));
  const openLimit = () => {
    closeDialog();
    import('./limit.js').then(({ liftLimit }) => liftLimit(context));
  };
  const limit = createElement('button', { type: 'button', class: 'small', onclick: openLimit });
  const input = await openDialog({
    title: translations('console.take.title'),
    body: [setText(limit, 'console.take.limit')],
    fields: [
      {
        kind: 'choice',
        name: 'queue',
        label: translations('console.take.for'),
        options,
        value: options[0].value,
        wide: true,
      },
      { kind: 'check', name: 'first', label: translations('console.take.first'), value: false },
    ],
    confirm: translations('console.take'),
  });
  if (!input) return;
  const done = await context.runCommand(
    'take',
    `queues/${input.queue}/tickets`,
    input.first ? { class: 2 } : undefined,
  );
  if (done) await offerSlip(done.number);
}

/** @param {string} number */
const slipUrl = number => `/slip/${encodeURIComponent(siteId)}/${encodeURIComponent(number)}`;

/** @param {string} number */
async function offerSlip(number) {
  const confirmed = await openDialog({
    title: translations('console.done.take', { number }),
    body: [
      createElement('p', { class: 'number' }, number),
      textElement('console.slip.why', {}, 'p'),
    ],
    confirm: translations('console.slip.print'),
    dismiss: translations('console.slip.none'),
  });
  if (confirmed) window.open(`${slipUrl(number)}#print`, '_blank');
}

/** @param {ConsoleContext} context */
async function queues(context) {
  const { you, queues: all } = context.view();
  const row = queue =>
    createElement(
      'li',
      {},
      nameElement(queue.name, queue.name_en, 'strong'),
      createElement(
        'div',
        { class: 'acts' },
        ['open', 'pause', 'halt', 'close', 'clear'].map(action => {
          const button = createElement('button', {
            type: 'button',
            class: action === 'clear' ? 'danger' : '',
            'aria-pressed': action === 'clear' ? null : String(QUEUE_STATES[action] === queue.set),
            disabled:
              !you.manages ||
              QUEUE_STATES[action] === queue.set ||
              (action === 'clear' &&
                queue.waiting_count + queue.held_count + queue.missed_count === 0),
            onclick: () => {
              closeDialog();
              setTimeout(() => changeQueue(context, queue, action));
            },
          });
          return setText(button, `console.queue.do.${action}`);
        }),
      ),
    );
  await openDialog({
    title: translations('console.queues'),
    body: [
      you.manages ? '' : textElement('console.queue.manager', {}, 'p'),
      createElement('ul', { class: 'set' }, all.map(row)),
    ],
  });
}

/** State of a queue after each action. */
const QUEUE_STATES = { open: 'open', pause: 'paused', halt: 'halted', close: 'closed' };

/**
 * @param {ConsoleContext} context
 * @param {ConsoleQueueView} queue
 * @param {string} action
 */
async function changeQueue(context, queue, action) {
  const people = queue.waiting_count + queue.held_count + queue.missed_count;
  const input = await openDialog({
    title: translations(`console.queue.sure.${action}`),
    body: [
      createElement('p', {}, nameElement(queue.name, queue.name_en, 'strong')),
      people > 0 || action === 'open'
        ? textElement(`console.queue.means.${action}`, { count: people }, 'p')
        : textElement('console.queue.nobody', {}, 'p'),
    ],
    fields:
      action === 'clear'
        ? [{ kind: 'check', name: 'sure', label: translations('console.queue.sure') }]
        : [],
    confirm: translations(`console.queue.do.${action}`),
    danger: action === 'clear',
    validate: values =>
      action === 'clear' && !values.sure ? translations('console.queue.tick') : null,
  });
  if (input) {
    await context.runCommand(
      action === 'clear' ? 'clear' : 'queue',
      `queues/${queue.id}/${action}`,
    );
  }
}

/**
 * Shows all that is known of a ticket, and the commands for it.
 * @param {ConsoleContext} context
 * @param {string} number
 */
async function ticket(context, number) {
  const shown = context.ticketByNumber(number);
  if (!shown) return;
  const closeThen = next => () => {
    closeDialog();
    setTimeout(next);
  };
  const command = (name, path) =>
    closeThen(() => context.runCommand(name, `tickets/${number}/${path}`));
  const dialog = open => closeThen(() => open(context, shown));
  const resumeHere = () => context.runCounterCommand('here', 'resume-here', { number });
  /** By the key of its words: the act that the server lists, and what runs it. */
  const acts = {
    call: ['call', dialog(callNow)],
    return: ['return', command('return', 'return')],
    here: ['resume_here', closeThen(resumeHere)],
    resume: ['resume', command('resume', 'resume')],
    park: ['hold', dialog(putAside)],
    transfer: ['transfer', dialog(transfer)],
    first: ['priority', dialog(raisePriority)],
    arrived: ['arrived', command('arrived', 'arrived')],
    people: ['party', dialog(changeParty)],
    remove: ['leave', dialog(removeTicket)],
  };
  const usual = {
    waiting: ['call', 'park', 'transfer', 'first', 'arrived', 'people', 'remove'],
    missed: ['return', 'call', 'remove'],
    held: [shown.hold?.why === 'suspended' ? 'here' : 'resume', 'remove'],
  };
  const messages = createElement('ul', { class: 'messages', 'aria-live': 'polite' });
  if (shown.wechat) renderNotices(number, messages);
  await openDialog({
    title: `${number} · ${context.queueName(shown.queue)}`,
    body: [
      createElement('p', { class: 'facts' }, waitChip(shown), ticketBadges(shown)),
      createElement(
        'p',
        {},
        textElement('console.taken', { time: formatTime(shown.taken_at) }),
        shown.told ? minutesElement('console.told', shown.told.minutes) : '',
      ),
      shown.hold?.reason
        ? createElement(
            'p',
            {},
            createElement('span', { lang: languageOf(shown.hold.reason) }, shown.hold.reason),
            ' ',
            textElement('console.held.since', { count: wholeMinutes(serverNow() - shown.since) }),
          )
        : '',
      createElement(
        'div',
        { class: 'acts' },
        (usual[shown.state] || []).map(key =>
          setText(
            createElement('button', {
              type: 'button',
              class: key === 'remove' ? 'danger' : '',
              disabled: !context.mayHere(shown, acts[key][0]),
              onclick: acts[key][1],
            }),
            `console.${key}`,
          ),
        ),
      ),
      shown.wechat
        ? messages
        : createElement(
            'p',
            {},
            createElement(
              'a',
              { href: slipUrl(number), target: '_blank' },
              textElement('console.slip.again'),
            ),
          ),
    ],
  });
}

/**
 * Shows the delivery status of a ticket's messages.
 * @param {string} number
 * @param {HTMLElement} list
 */
async function renderNotices(number, list) {
  try {
    const { notices } = await fetchFromSite(`tickets/${number}/notices`);
    list.replaceChildren(
      ...notices.map(notice =>
        createElement(
          'li',
          {},
          textElement(`console.notice.${notice.notice}`),
          textElement(`console.fate.${notice.fate}`, {}, 'strong'),
          createElement('time', {}, formatTime(notice.since || notice.at || serverNow())),
          notice.why && createElement('code', { translate: 'no' }, notice.why),
        ),
      ),
    );
    if (notices.length === 0) {
      list.replaceChildren(createElement('li', {}, textElement('console.notices.none')));
    }
  } catch (error) {
    list.replaceChildren(createElement('li', {}, setTextPair(createElement('span'), error.texts)));
  }
}

/**
 * @param {ConsoleContext} context
 * @param {ConsoleTicketView} ticket
 */
async function putAside(context, { number }) {
  const input = await askReason('park', translations('console.park.title', { number }), {
    fields: [
      {
        kind: 'number',
        name: 'minutes',
        label: translations('console.park.minutes'),
        min: 1,
        max: 600,
        optional: true,
      },
    ],
  });
  if (input) {
    await context.runCommand('park', `tickets/${number}/hold`, {
      reason: input.reason,
      ...(input.minutes && { minutes: Number(input.minutes) }),
    });
  }
}

/**
 * @param {ConsoleContext} context
 * @param {ConsoleTicketView} ticket
 */
async function raisePriority(context, { number }) {
  const input = await askReason('first', translations('console.first.title', { number }));
  if (input) {
    await context.runCommand('first', `tickets/${number}/priority`, {
      class: 2,
      reason: input.reason,
    });
  }
}

/**
 * @param {ConsoleContext} context
 * @param {ConsoleTicketView} ticket
 */
async function removeTicket(context, { number }) {
  const input = await askReason('remove', translations('console.remove.title', { number }), {
    danger: true,
  });
  if (input)
    await context.runCommand('remove', `tickets/${number}/remove`, { reason: input.reason });
}

/**
 * @param {ConsoleContext} context
 * @param {ConsoleTicketView} ticket
 */
async function changeParty(context, { number, party: people }) {
  const input = await openDialog({
    title: translations('console.party.title', { number }),
    fields: [
      {
        kind: 'number',
        name: 'people',
        label: translations('console.party.count'),
        value: people,
        min: 1,
        max: 99,
      },
    ],
    confirm: translations('console.party.save'),
    validate: values => (Number(values.people) >= 1 ? null : translations('console.party.wanted')),
  });
  if (input) {
    await context.runCommand('party', `tickets/${number}/party`, { people: Number(input.people) });
  }
}

/**
 * Shows every key and its command.
 * @param {Record<string, string>} keys
 */
async function help(keys) {
  const rows = [
    ...Object.entries(keys),
    ['v', 'sound'],
    ['l', 'line'],
    ['/', 'search'],
    ['↑ ↓', 'rows'],
    ['Esc', 'dialog.cancel'],
  ];
  await openDialog({
    title: translations('console.help'),
    body: [
      createElement(
        'dl',
        { class: 'keys' },
        rows.flatMap(([key, action]) => [
          createElement(
            'dt',
            {},
            createElement('kbd', { translate: 'no' }, key.length === 1 ? key.toUpperCase() : key),
          ),
          createElement(
            'dd',
            {},
            textElement(
              [`console.key.${action}`, `console.${action}`, action].find(hasTranslation) || action,
            ),
          ),
        ]),
      ),
    ],
  });
}

export const dialogs = { hold, takeOver, transfer, call, undo, take, queues, ticket, help };
