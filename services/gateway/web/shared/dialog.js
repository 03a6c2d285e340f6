// Questions in a window of their own: the browser's dialog, which keeps the focus inside, ends with
// Esc, and gives the focus back to where it was.
import { byId, make } from './paihao.js';
import { put, said, tongue } from './language.js';

/** Whether one is open. */
export const asking = () => byId('dialog').open;

/** A text for people: a pair of both languages, or a name that somebody gave. */
const spoken = (text, tag = 'span') => (Array.isArray(text) ? put(make(tag), text) : make(tag, { lang: tongue(text) }, text));

function choice({ name, label, options, value, wide }) {
  const one = option => make('label', { class: 'option' },
    make('input', { type: 'radio', name, value: option.value, checked: option.value === value, disabled: option.disabled }),
    make('span', {}, spoken(option.label), option.note && make('em', {}, spoken(option.note))));
  return make('fieldset', { class: wide ? 'wide' : null }, make('legend', {}, spoken(label)), make('div', { class: 'options' }, options.map(one)));
}

function text({ name, label, value, kind, min, max, optional }) {
  const id = `field-${name}`;
  return make('div', { class: 'field' }, make('label', { for: id }, spoken(label)),
    make('input', { id, name, type: kind, value, min, max, required: !optional, maxlength: kind === 'text' ? 80 : null, autocomplete: 'off', inputmode: kind === 'number' ? 'numeric' : null }));
}

const check = ({ name, label, value }) => make('label', { class: 'option' }, make('input', { type: 'checkbox', name, checked: value }), spoken(label));

const FIELDS = { choice, text, number: text, check };

/**
 * Asks, and answers with the fields' values, or null when nothing is to be done. `problem` looks at
 * the values and says what is wrong with them, as a pair.
 */
export function ask({ title, body = [], fields = [], confirm, danger, problem = () => null }) {
  const dialog = byId('dialog');
  const wrong = make('p', { role: 'alert', class: 'wrong' });
  const form = make('form', { method: 'dialog', novalidate: true },
    make('h2', { id: 'dialog-title' }, spoken(title)), ...body, ...fields.map(field => FIELDS[field.kind](field)), wrong,
    make('div', { class: 'buttons' },
      make('button', { type: 'button', class: 'ghost', onclick: () => dialog.close() }, said(confirm ? 'console.cancel' : 'console.back')),
      confirm && make('button', { type: 'submit', class: danger ? 'primary danger' : 'primary' }, spoken(confirm))));
  return new Promise(answered => {
    let answer = null;
    const values = () => {
      const given = Object.fromEntries(new FormData(form));
      for (const { name, kind } of fields) if (kind === 'check') given[name] = name in given;
      return given;
    };
    form.addEventListener('submit', event => {
      event.preventDefault();
      const found = problem(values());
      if (found) {
        put(wrong, found);
        return;
      }
      answer = values();
      dialog.close();
    });
    dialog.replaceChildren(form);
    dialog.onclose = () => {
      dialog.replaceChildren();
      answered(answer);
    };
    dialog.showModal();
    const first = ['[type=radio]:checked', 'input:enabled', '.acts button:enabled', '[type=submit]', 'button'].map(css => form.querySelector(css));
    first.find(Boolean)?.focus();
  });
}

/** Closes whatever is open, with no answer. */
export const dismiss = () => byId('dialog').close();
