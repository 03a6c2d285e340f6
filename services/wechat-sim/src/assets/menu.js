// Menu below a phone's chat: its buttons, and the entries above a heading.
import { createElement } from './dom.js';
import { languageOf, setLabel } from './language.js';

const safeUrl = url => (/^https?:/.test(url || '') ? url : null);

/**
 * Creates an empty menu of this person's phone. `press` is called with the places of a button and
 * of an entry below it.
 * @param {string} name
 * @param {(button: number, entry?: number) => void} press
 */
export function createMenu(name, press) {
  const element = setLabel(createElement('nav', { class: 'menu', hidden: true }), 'menu', { name });
  let shown = null;
  /** @type {{ heading: HTMLElement, list: HTMLElement }[]} */
  let headings = [];

  const close = () => {
    for (const { heading, list } of headings) {
      list.hidden = true;
      heading.setAttribute('aria-expanded', 'false');
    }
  };

  /** An entry that acts: a page opens at once, since a browser blocks what opens later. */
  function entryElement(entry, button, below) {
    const act = () => {
      close();
      press(button, below);
    };
    const { name } = entry;
    return entry.type === 'view'
      ? createElement(
          'a',
          {
            href: safeUrl(entry.url),
            target: '_blank',
            rel: 'noopener',
            lang: languageOf(name),
            onclick: act,
          },
          name,
        )
      : createElement('button', { type: 'button', lang: languageOf(name), onclick: act }, name);
  }

  function buttonElement(button, index) {
    if (!button.sub_button.length)
      return createElement('div', { class: 'entry' }, entryElement(button, index));
    const list = createElement(
      'ul',
      { hidden: true },
      button.sub_button.map((entry, below) =>
        createElement('li', {}, entryElement(entry, index, below)),
      ),
    );
    const heading = createElement(
      'button',
      {
        type: 'button',
        class: 'heading',
        lang: languageOf(button.name),
        'aria-expanded': 'false',
        onclick: () => {
          const opening = list.hidden;
          close();
          list.hidden = !opening;
          heading.setAttribute('aria-expanded', String(opening));
        },
      },
      button.name,
    );
    headings.push({ heading, list });
    return createElement('div', { class: 'entry' }, list, heading);
  }

  /** Shows these buttons, or none; what is open stays so if they are the same. */
  const show = buttons => {
    if (buttons === shown) return;
    shown = buttons;
    headings = [];
    element.replaceChildren(...buttons.map(buttonElement));
    element.hidden = buttons.length === 0;
  };
  return { element, show, close };
}
