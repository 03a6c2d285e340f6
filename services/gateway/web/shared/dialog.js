// Modal dialog with a form: the browser's own, which keeps the focus inside, closes on Esc, and returns
// the focus to where it was. The page holds its element, `#dialog`.
/** @import { Child, Texts } from './types' */
import { byId, createElement } from './dom.js';
import { languageOf, setTextPair, translations } from './language.js';

/**
 * A text for people: both languages, or a name that somebody gave.
 * @typedef {Texts | string} Label
 *
 * @typedef {object} Field
 * @property {'choice' | 'text' | 'number' | 'check'} kind
 * @property {string} name
 * @property {Label} label
 * @property {any} [value]
 * @property {{ value: string, label: Label, note?: Label, disabled?: boolean }[]} [options] of a choice
 * @property {boolean} [wide] a choice in one column
 * @property {boolean} [optional]
 * @property {number} [min]
 * @property {number} [max]
 */

export const isDialogOpen = () => byId('dialog').open;

/** @param {Label} label */
const labelElement = label =>
  Array.isArray(label)
    ? setTextPair(createElement('span'), label)
    : createElement('span', { lang: languageOf(label) }, label);

/** @param {Field} field */
function choiceField({ name, label, options = [], value, wide }) {
  const items = options.map(option =>
    createElement(
      'label',
      { class: 'option' },
      createElement('input', {
        type: 'radio',
        name,
        value: option.value,
        checked: option.value === value,
        disabled: option.disabled,
      }),
      createElement(
        'span',
        {},
        labelElement(option.label),
        option.note && createElement('em', {}, labelElement(option.note)),
      ),
    ),
  );
  const legend = createElement('legend', {}, labelElement(label));
  return createElement(
    'fieldset',
    { class: wide ? 'wide' : null },
    legend,
    createElement('div', { class: 'options' }, items),
  );
}

/** @param {Field} field */
function inputField({ name, label, value, kind, min, max, optional }) {
  const id = `field-${name}`;
  const input = createElement('input', {
    id,
    name,
    type: kind,
    value,
    min,
    max,
    required: !optional,
    maxlength: kind === 'text' ? 80 : null,
    autocomplete: 'off',
    inputmode: kind === 'number' ? 'numeric' : null,
  });
  return createElement(
    'div',
    { class: 'field' },
    createElement('label', { for: id }, labelElement(label)),
    input,
  );
}

/** @param {Field} field */
const checkField = ({ name, label, value }) =>
  createElement(
    'label',
    { class: 'option' },
    createElement('input', { type: 'checkbox', name, checked: value }),
    labelElement(label),
  );

const FIELDS = { choice: choiceField, text: inputField, number: inputField, check: checkField };

/** Elements that get the focus at first, the best one first. */
const FOCUS_ORDER = [
  '[type=radio]:checked',
  'input:enabled',
  '.acts button:enabled',
  '[type=submit]',
  'button',
];

/**
 * Resolves the dialog that was opened last. The browser reports its end a moment later, when another
 * one may be open by then.
 * @type {(() => void) | null}
 */
let settleLast = null;

/**
 * Opens the dialog and resolves to the fields' values, or to `null` when it is cancelled. Without
 * `confirm` it can only be closed. `validate` returns what is wrong with the values.
 * @param {object} options
 * @param {Label} options.title
 * @param {Child[]} [options.body]
 * @param {Field[]} [options.fields]
 * @param {Label} [options.confirm] the button that submits
 * @param {Label} [options.dismiss] the button that does not, where "cancel" would say too much
 * @param {boolean} [options.danger] the button's look
 * @param {(values: Record<string, any>) => Texts | null} [options.validate]
 * @returns {Promise<Record<string, any> | null>}
 */
export function openDialog({
  title,
  body = [],
  fields = [],
  confirm,
  dismiss = translations(confirm ? 'dialog.cancel' : 'dialog.close'),
  danger,
  validate = () => null,
}) {
  const dialog = byId('dialog');
  const problem = createElement('p', { role: 'alert', class: 'wrong' });
  const form = createElement(
    'form',
    { method: 'dialog', novalidate: true },
    createElement('h2', { id: 'dialog-title' }, labelElement(title)),
    ...body,
    ...fields.map(field => FIELDS[field.kind](field)),
    problem,
    createElement(
      'div',
      { class: 'buttons' },
      createElement(
        'button',
        { type: 'button', class: 'ghost', onclick: () => dialog.close() },
        labelElement(dismiss),
      ),
      confirm &&
        createElement(
          'button',
          { type: 'submit', class: danger ? 'primary danger' : 'primary' },
          labelElement(confirm),
        ),
    ),
  );
  const values = () => {
    /** @type {Record<string, any>} */
    const entries = Object.fromEntries(new FormData(form));
    for (const { name, kind } of fields) if (kind === 'check') entries[name] = name in entries;
    return entries;
  };
  return new Promise(resolve => {
    /** @type {Record<string, any> | null} */
    let result = null;
    form.addEventListener('submit', event => {
      event.preventDefault();
      const invalid = validate(values());
      if (invalid) {
        setTextPair(problem, invalid);
        return;
      }
      result = values();
      dialog.close();
    });
    settleLast?.();
    settleLast = () => resolve(result);
    dialog.replaceChildren(form);
    dialog.onclose = () => {
      if (dialog.open) return;
      dialog.replaceChildren();
      settleLast?.();
    };
    dialog.showModal();
    const focusable = FOCUS_ORDER.map(
      selector => /** @type {HTMLElement | null} */ (form.querySelector(selector)),
    );
    focusable.find(Boolean)?.focus();
  });
}

/** Closes the open dialog without a result. */
export const closeDialog = () => byId('dialog').close();
