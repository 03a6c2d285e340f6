// Form fields of the manager's page: each edits one value of a draft and shows its problems beside itself.
/** @import { SettingsProblem, Texts } from '../../shared/types' */
import { createElement } from '../../shared/dom.js';
import { translations, setTextPair, textElement, languageOf } from '../../shared/language.js';
import { problemTexts } from './problems.js';

/**
 * Copy of settings, which are JSON.
 * @template T
 * @param {T} value
 * @returns {T}
 */
export const copyOf = value => JSON.parse(JSON.stringify(value));

let fieldCount = 0;

/**
 * Fields on the page by the key of their value, for example `queues.cash.prefix`.
 * @type {Map<string, { control: HTMLElement, wrong: HTMLElement }>}
 */
let fieldsByKey = new Map();
export const resetFields = () => {
  fieldsByKey = new Map();
};

/**
 * Marks the fields with problems, and returns the problems that no field shows.
 * @param {SettingsProblem[]} problems
 */
export function markProblems(problems) {
  for (const { control, wrong } of fieldsByKey.values()) {
    control.removeAttribute('aria-invalid');
    wrong.replaceChildren();
  }
  return problems.filter(problem => {
    const { key } = problem;
    const parts = key.split('.');
    /** @type {{ control: HTMLElement, wrong: HTMLElement } | null} */
    let found = null;
    while (parts.length && !found) {
      found = fieldsByKey.get(parts.join('.')) || null;
      parts.pop();
    }
    if (!found) return true;
    found.control.setAttribute('aria-invalid', 'true');
    found.wrong.append(setTextPair(createElement('span'), problemTexts(problem)), ' ');
    return false;
  });
}

/**
 * A control with its label, a hint and its problems.
 * @param {string} key of the value
 * @param {Texts} label
 * @param {HTMLElement} control
 * @param {{ wide?: boolean, hint?: Texts | null }} [options]
 */
export function field(key, label, control, { wide = false, hint = null } = {}) {
  fieldCount += 1;
  control.id = `f${fieldCount}`;
  const wrong = createElement('span', { class: 'wrong', id: `w${fieldCount}` });
  control.setAttribute('aria-describedby', wrong.id);
  fieldsByKey.set(key, { control, wrong });
  const name = setTextPair(createElement('label', { for: control.id }), label);
  // A name that WeChat's console has in English is of no language.
  if (label[0] === label[1]) name.translate = false;
  return createElement(
    'div',
    { class: wide ? 'field wide' : 'field' },
    createElement('span', {}, name),
    control,
    hint && setTextPair(createElement('span', { class: 'soft' }), hint),
    wrong,
  );
}

/**
 * Field of one line of text.
 * @param {string} key of the value
 * @param {Texts} label
 * @param {string | null | undefined} value
 * @param {(value: string) => void} set
 * @param {{ wide?: boolean, hint?: Texts, attributes?: object }} [more]
 */
export function textField(key, label, value, set, more = {}) {
  const control = createElement('input', {
    value: value ?? '',
    autocomplete: 'off',
    lang: languageOf(value ?? ''),
    ...more.attributes,
  });
  control.addEventListener('input', () => set(control.value));
  return field(key, label, control, more);
}

/**
 * Field of the English name of a draft.
 * @param {string} key of the value
 * @param {{ name_en?: string }} draft
 * @param {() => void} changed
 */
export function englishNameField(key, draft, changed) {
  /** @param {string} value */
  const set = value => {
    if (value.trim()) draft.name_en = value;
    else delete draft.name_en;
    changed();
  };
  const attributes = { maxlength: 40, lang: 'en' };
  return textField(key, translations('manage.name-en'), draft.name_en || '', set, { attributes });
}

/**
 * Field of a whole number.
 * @param {string} key of the value
 * @param {Texts} label
 * @param {number} value
 * @param {(value: number) => void} set
 * @param {{ hint?: Texts, attributes?: object }} [more]
 */
export function numberField(key, label, value, set, more = {}) {
  const control = createElement('input', {
    type: 'number',
    value,
    inputmode: 'numeric',
    step: 1,
    ...more.attributes,
  });
  control.addEventListener('input', () =>
    set(control.value === '' ? 0 : Math.round(Number(control.value))),
  );
  return field(key, label, control, more);
}

/**
 * Field of several lines of text.
 * @param {string} key of the value
 * @param {Texts} label
 * @param {string[]} value
 * @param {(value: string[]) => void} set
 * @param {{ hint?: Texts }} [more]
 */
export function linesField(key, label, value, set, more = {}) {
  const control = createElement('textarea', {
    spellcheck: 'false',
    rows: Math.max(3, value.length + 1),
  });
  control.value = value.join('\n');
  control.addEventListener('input', () =>
    set(
      control.value
        .split('\n')
        .map(line => line.trim())
        .filter(Boolean),
    ),
  );
  return field(key, label, control, { wide: true, ...more });
}

/**
 * Field of a longer text; `null` when it is emptied.
 * @param {string} key of the value
 * @param {Texts} label
 * @param {string | null | undefined} value
 * @param {(value: string | null) => void} set
 * @param {{ hint?: Texts, usual?: string }} [more]
 */
export function textAreaField(key, label, value, set, more = {}) {
  const control = createElement('textarea', { rows: 3, placeholder: more.usual });
  control.value = value ?? '';
  control.addEventListener('input', () => set(control.value === '' ? null : control.value));
  return field(key, label, control, { wide: true, ...more });
}

/**
 * Field of one choice of several.
 * @param {string} key of the value
 * @param {Texts} label
 * @param {string} value
 * @param {[value: string, texts: string[]][]} options
 * @param {(value: string) => void} set
 */
export function selectField(key, label, value, options, set) {
  const control = createElement('select');
  for (const [name, texts] of options) {
    const label = texts.join(' · ');
    control.append(createElement('option', { value: name, selected: name === value }, label));
  }
  control.addEventListener('change', () => set(control.value));
  return field(key, label, control);
}

/**
 * Field of yes or no.
 * @param {Texts} label
 * @param {boolean} value
 * @param {(value: boolean) => void} set
 */
export function checkboxField(label, value, set) {
  fieldCount += 1;
  const control = createElement('input', {
    type: 'checkbox',
    id: `f${fieldCount}`,
    checked: value,
  });
  control.addEventListener('change', () => set(control.checked));
  return createElement(
    'div',
    { class: 'tick' },
    control,
    setTextPair(createElement('label', { for: control.id }), label),
  );
}

/**
 * A name that somebody gave as both texts of a pair.
 * @param {string} name
 * @returns {Texts}
 */
export const sameInBoth = name => [name, name];

/**
 * Input of an id, which stands in addresses.
 * @param {(id: string) => boolean} isTaken
 */
export function idInput(isTaken) {
  const id = createElement('input', {
    autocomplete: 'off',
    autocapitalize: 'none',
    spellcheck: 'false',
    pattern: '[a-z0-9\\-]{1,24}',
    maxlength: 24,
    required: true,
  });
  id.addEventListener('input', () =>
    id.setCustomValidity(isTaken(id.value) ? translations('manage.taken').join(' ') : ''),
  );
  return id;
}

/**
 * Form that adds something with an id and a name.
 * @param {string} word key of the button
 * @param {(id: string, name: string) => void} add
 * @param {(id: string) => boolean} isTaken
 */
export function addForm(word, add, isTaken) {
  const id = idInput(isTaken);
  const name = createElement('input', { autocomplete: 'off', maxlength: 40, required: true });
  const button = textElement(word, {}, 'button');
  button.className = 'ghost';
  const form = createElement(
    'form',
    { class: 'adding card' },
    field(`new.${word}.id`, translations('manage.id'), id),
    field(`new.${word}.name`, translations('manage.name'), name),
    button,
  );
  form.addEventListener('submit', event => {
    event.preventDefault();
    add(id.value, name.value);
  });
  return form;
}
