// Form fields of the manager's page: each edits one value of a draft and shows its problems beside itself.
/** @import { SettingsProblem, Texts } from '../../shared/types' */
import { fetchJson } from '../../shared/http.js';
import { createElement } from '../../shared/dom.js';
import {
  translation,
  translations,
  setTextPair,
  textElement,
  languageOf,
} from '../../shared/language.js';
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
 * Place for the problems of values that one control edits.
 * @param {string[]} keys of the values
 * @param {HTMLElement} control
 */
export function problemLine(keys, control) {
  const wrong = createElement('span', { class: 'wrong', role: 'status' });
  for (const key of keys) fieldsByKey.set(key, { control, wrong });
  return wrong;
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
  // A name that somebody gave is of its own language in both.
  const lang = label[0] === label[1] ? languageOf(label[0]) : null;
  const text = setTextPair(createElement('label', { for: control.id, lang }), label);
  return createElement('div', { class: 'tick' }, control, text);
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
 * @param {string} name
 * @param {string} id
 * @param {HTMLElement[]} buttons
 */
export const cardTitle = (name, id, ...buttons) =>
  createElement(
    'div',
    { class: 'name' },
    createElement(
      'h3',
      { lang: languageOf(name) },
      name,
      ' ',
      createElement('small', { translate: 'no' }, id),
    ),
    buttons,
  );

/**
 * @param {string} name of the thing that is removed
 * @param {() => void} remove
 */
export function removeButton(name, remove) {
  const button = textElement('manage.remove', {}, 'button');
  Object.assign(button, { type: 'button', className: 'ghost remove' });
  button.setAttribute('aria-label', `${translation('manage.remove')} ${name}`);
  button.addEventListener('click', remove);
  return button;
}

/**
 * Function that sets a value of a draft.
 * @param {Record<string, any>} target
 * @param {string} name
 * @param {() => void} changed
 */
export const setter = (target, name, changed) => {
  /** @param {any} value */
  const set = value => {
    target[name] = value;
    changed();
  };
  return set;
};

/**
 * Ids of things by their names, as addresses spell them.
 * @param {'site' | 'queue' | 'counter'} kind
 * @param {string[]} names
 * @param {string[]} taken
 * @param {(options: any) => any} withAuth
 * @returns {Promise<string[]>}
 */
export async function idsOf(kind, names, taken, withAuth) {
  const body = JSON.stringify({ kind, names, taken });
  const { ids } = await fetchJson('/api/v1/book/ids', withAuth({ method: 'POST', body }));
  return ids;
}

/**
 * Form that adds things by their names, one a line. Their ids are made of the names, unless somebody
 * needs a certain one.
 * @param {string} word key of the button
 * @param {'queue' | 'counter'} kind
 * @param {(added: [id: string, name: string][]) => void} add
 * @param {Record<string, any>} existing
 * @param {(options: any) => any} withAuth
 */
export function addForm(word, kind, add, existing, withAuth) {
  const names = createElement('textarea', { rows: 2, autocomplete: 'off', required: true });
  const id = idInput(written => written in existing);
  id.required = false;
  const button = textElement(word, {}, 'button');
  button.className = 'ghost';
  const wrong = createElement('p', { class: 'wrong', role: 'status' });
  const form = createElement(
    'form',
    { class: 'adding card' },
    field(`new.${word}.name`, translations('manage.names'), names, {
      wide: true,
      hint: translations('manage.names.form'),
    }),
    createElement(
      'details',
      {},
      textElement('manage.id.own', {}, 'summary'),
      field(`new.${word}.id`, translations('manage.id'), id),
    ),
    button,
    wrong,
  );
  form.addEventListener('submit', async event => {
    event.preventDefault();
    const written = names.value
      .split('\n')
      .map(name => name.trim())
      .filter(Boolean);
    try {
      const made = await idsOf(kind, written, Object.keys(existing), withAuth);
      if (written.length === 1 && id.value) made[0] = id.value;
      add(written.map((name, index) => [made[index], name]));
    } catch (error) {
      setTextPair(wrong, error.texts);
    }
  });
  return form;
}
