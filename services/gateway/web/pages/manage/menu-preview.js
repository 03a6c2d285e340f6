// Picture of a menu as WeChat shows it below a chat: three buttons, and the entries above a heading.
import './menu-words.js';
import { createElement } from '../../shared/dom.js';
import { languageOf, textElement } from '../../shared/language.js';

/** A button or entry; without a name it is still there to be pressed. */
const nameOf = ({ name }) => name || '…';

/** Creates an empty preview. A press on a heading shows its entries, any other press nothing. */
export function menuPreview() {
  const bar = createElement('div', { class: 'menu-bar' });
  const empty = textElement('menu.empty', {}, 'p');
  const element = createElement('div', { class: 'phone-view menu-view' }, empty, bar);
  let open = -1;

  function buttonElement(button, index, show) {
    const name = nameOf(button);
    const entries = button.entries || [];
    if (!entries.length) {
      return createElement(
        'div',
        { class: 'menu-button' },
        createElement('span', { lang: languageOf(name) }, name),
      );
    }
    const isOpen = index === open;
    return createElement(
      'div',
      { class: 'menu-button' },
      createElement(
        'ul',
        { hidden: !isOpen },
        entries.map(entry =>
          createElement('li', { lang: languageOf(nameOf(entry)) }, nameOf(entry)),
        ),
      ),
      createElement(
        'button',
        {
          type: 'button',
          class: 'menu-heading',
          lang: languageOf(name),
          'aria-expanded': String(isOpen),
          onclick: () => show(index),
        },
        name,
      ),
    );
  }

  const show = buttons => {
    empty.hidden = buttons.length > 0;
    bar.hidden = buttons.length === 0;
    const press = index => {
      open = open === index ? -1 : index;
      show(buttons);
      /** @type {HTMLElement | null} */
      const heading = bar.children[index].querySelector('button');
      heading?.focus();
    };
    bar.replaceChildren(...buttons.map((button, index) => buttonElement(button, index, press)));
  };
  return { element, show };
}
