// The manager's fields: each shows one value of what is being edited, and says beside itself what is
// wrong with it.
import { make } from './paihao.js';
import { pair, put, said, tongue } from './language.js';

let count = 0;

/** Fields on the page by the key of their value: `queues.cash.prefix`. */
let shown = new Map();
export const forget = () => { shown = new Map(); };

/** Marks the fields that something is wrong with; what no field shows is returned. */
export function mark(problems) {
  for (const { control, wrong } of shown.values()) {
    control.removeAttribute('aria-invalid');
    wrong.replaceChildren();
  }
  return problems.filter(({ key, what, advice }) => {
    const parts = key.split('.');
    let place = null;
    while (parts.length && !place) place = shown.get(parts.join('.')) || (parts.pop(), null);
    if (!place) return true;
    place.control.setAttribute('aria-invalid', 'true');
    place.wrong.append(make('span', { lang: 'en' }, `${what}${advice ? ` → ${advice}` : ''} `));
    return false;
  });
}

/** A label, a control and what goes with them. `key` is where the value stands. */
export function field(key, label, control, { wide = false, hint = null } = {}) {
  count += 1;
  control.id = `f${count}`;
  const wrong = make('span', { class: 'wrong', id: `w${count}` });
  control.setAttribute('aria-describedby', wrong.id);
  shown.set(key, { control, wrong });
  const name = put(make('label', { for: control.id }), label);
  return make('div', { class: wide ? 'field wide' : 'field' }, make('span', {}, name), control, hint && put(make('span', { class: 'soft' }), hint), wrong);
}

/** A line of text. */
export function text(key, label, value, set, more = {}) {
  const control = make('input', { value: value ?? '', autocomplete: 'off', lang: tongue(value ?? ''), ...more.attributes });
  control.addEventListener('input', () => set(control.value));
  return field(key, label, control, more);
}

/** A whole number. */
export function number(key, label, value, set, more = {}) {
  const control = make('input', { type: 'number', value, inputmode: 'numeric', step: 1, ...more.attributes });
  control.addEventListener('input', () => set(control.value === '' ? 0 : Math.round(Number(control.value))));
  return field(key, label, control, more);
}

/** Several lines of text. */
export function lines(key, label, value, set, more = {}) {
  const control = make('textarea', { spellcheck: 'false', rows: Math.max(3, value.length + 1) });
  control.value = value.join('\n');
  control.addEventListener('input', () => set(control.value.split('\n').map(line => line.trim()).filter(Boolean)));
  return field(key, label, control, { wide: true, ...more });
}

/** A longer text; `null` when it is emptied. */
export function area(key, label, value, set, more = {}) {
  const control = make('textarea', { rows: 3, placeholder: more.usual });
  control.value = value ?? '';
  control.addEventListener('input', () => set(control.value === '' ? null : control.value));
  return field(key, label, control, { wide: true, ...more });
}

/** One of several. */
export function choice(key, label, value, options, set) {
  const control = make('select');
  for (const [name, words] of options) control.append(make('option', { value: name, selected: name === value }, words.join(' · ')));
  control.addEventListener('change', () => set(control.value));
  return field(key, label, control);
}

/** Yes or no. */
export function tick(label, value, set) {
  count += 1;
  const control = make('input', { type: 'checkbox', id: `f${count}`, checked: value });
  control.addEventListener('change', () => set(control.checked));
  return make('div', { class: 'tick' }, control, put(make('label', { for: control.id }), label));
}

/** A name of the owner's as both texts of a pair. */
export const named = name => [name, name];

/** Asks for an id and a name, and hands them on. */
export function adding(word, add, taken) {
  const id = make('input', { autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', pattern: '[a-z0-9\\-]{1,24}', maxlength: 24, required: true });
  const name = make('input', { autocomplete: 'off', maxlength: 40, required: true });
  const form = make('form', { class: 'adding card' },
    field(`new.${word}.id`, pair('manage.id'), id), field(`new.${word}.name`, pair('manage.name'), name),
    said(word, {}, 'button'));
  form.lastChild.className = 'ghost';
  id.addEventListener('input', () => id.setCustomValidity(taken(id.value) ? pair('manage.taken').join(' ') : ''));
  form.addEventListener('submit', event => {
    event.preventDefault();
    add(id.value, name.value);
  });
  return form;
}
