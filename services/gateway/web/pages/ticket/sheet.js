// Sheet with the choices of a command of a ticket's holder.
/** @import { TicketView, Values } from '../../shared/types' */
import './sheet-words.js';
import { byId, createElement } from '../../shared/dom.js';
import { setText, textElement } from '../../shared/language.js';

/** Sends a command with its body. @typedef {(command: string, body?: object) => void} Send */

const PASS_CHOICES = [1, 3, 5, null];

/**
 * @param {string} key
 * @param {Values} values
 * @param {string} style
 * @param {() => void} press
 */
const choiceButton = (key, values, style, press) =>
  createElement(
    'button',
    { type: 'button', class: `button ${style}`, onclick: press },
    textElement(key, values),
  );

/**
 * @param {number | null} others people to let pass; `null` until the holder says so
 * @param {Send} send
 */
const passButton = (others, send) =>
  others === null
    ? choiceButton('ticket.sheet.let-pass.tap', {}, 'wide', () => send('let-pass'))
    : choiceButton(
        'ticket.sheet.let-pass.others',
        { count: others },
        others === 5 ? 'wide' : '',
        () => send('let-pass', { others }),
      );

/**
 * @param {number | null} people ahead at the reminder; `null` for the usual one
 * @param {TicketView} view
 * @param {Send} send
 */
function reminderButton(people, view, send) {
  if (people === null) {
    const style = view.tell_at_chosen ? 'wide' : 'wide chosen';
    const values = { count: view.usual_tell_at };
    return choiceButton('ticket.sheet.tell-me.usual', values, style, () => send('tell-me'));
  }
  const chosen = view.tell_at_chosen && view.tell_at === people;
  return choiceButton('ticket.sheet.tell-me.ahead', { count: people }, chosen ? 'chosen' : '', () =>
    send('tell-me', { ahead: people }),
  );
}

/**
 * Opens the sheet with the choices of a command.
 * @param {string} command
 * @param {TicketView} view
 * @param {(number | null)[]} reminders that are still to come
 * @param {Send} send
 */
export function openSheet(command, view, reminders, send) {
  const dialog = byId('sheet');
  const choose = (name, body) => {
    dialog.close();
    send(name, body);
  };
  /** @type {Record<string, () => HTMLElement[]>} */
  const choices = {
    'let-pass': () => PASS_CHOICES.map(others => passButton(others, choose)),
    'tell-me': () => reminders.map(people => reminderButton(people, view, choose)),
    leave: () => [choiceButton('ticket.sheet.leave.yes', {}, 'wide danger', () => choose('leave'))],
  };
  const values = { minutes: view.let_pass_minutes, number: view.number };
  dialog.dataset.act = command;
  setText(byId('sheet-title'), `ticket.sheet.${command}`, values);
  setText(byId('sheet-text'), `ticket.sheet.${command}.text`, values);
  byId('choices').replaceChildren(...choices[command]());
  dialog.showModal();
}
