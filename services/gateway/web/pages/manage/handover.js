// Section of the hand-over: paper, screens, staff and menu, from which a shop begins to serve.
/** @import { SectionContext } from '../../shared/types' */
import './handover-words.js';
import { fetchJson } from '../../shared/http.js';
import { createElement } from '../../shared/dom.js';
import { nameElement, setText, setTextPair, textElement } from '../../shared/language.js';
import { entriesOf } from './order.js';
import { linkCard } from './pages.js';
import { section as staffSection } from './staff.js';

const SIZES = ['a4', 'a5', 'tent'];

/**
 * Card of one step.
 * @param {string} name
 * @param {...HTMLElement} content
 */
const stepCard = (name, ...content) =>
  createElement(
    'section',
    { class: 'card handover', 'data-step': name },
    textElement(`handover.${name}`, {}, 'h3'),
    setText(createElement('p', { class: 'soft' }), `handover.${name}.use`),
    ...content,
  );

/**
 * Links to a poster in each size.
 * @param {string[]} path
 */
const sizeLinks = path =>
  SIZES.map(size => {
    const href = `/poster/${path.map(encodeURIComponent).join('/')}?size=${size}`;
    const link = createElement('a', { class: 'button', href, target: '_blank' });
    return setText(link, `handover.size.${size}`);
  });

/** @param {SectionContext} context */
function postersCard({ id, saved }) {
  const queues = entriesOf(saved.queues);
  return stepCard(
    'posters',
    createElement('div', { class: 'links wide' }, sizeLinks([id])),
    createElement(
      'details',
      {},
      setText(createElement('summary', {}), 'handover.posters.each', { count: queues.length }),
      createElement(
        'ul',
        { class: 'rows' },
        queues.map(([queue, { name, name_en: english }]) =>
          createElement(
            'li',
            { class: 'one' },
            nameElement(name, english),
            createElement('span', { class: 'links' }, sizeLinks([id, queue])),
          ),
        ),
      ),
    ),
  );
}

/** @param {SectionContext} context */
function screensCard({ id, withAuth }) {
  const list = createElement(
    'div',
    { class: 'page-links' },
    textElement('manage.loading', {}, 'p'),
  );
  fetchJson(`/api/v1/sites/${encodeURIComponent(id)}/page-links`, withAuth({})).then(
    links => list.replaceChildren(...links.filter(({ queue }) => !queue).map(linkCard)),
    error => list.replaceChildren(setTextPair(createElement('p'), error.texts)),
  );
  const more = createElement('a', { class: 'button', href: '#pages' });
  return stepCard(
    'screens',
    list,
    createElement('div', { class: 'links wide' }, setText(more, 'handover.screens.more')),
  );
}

/** @param {SectionContext} context */
export function section(context) {
  const { id, account } = context;
  const button = (href, word, more = {}) =>
    setText(createElement('a', { class: 'button', href, ...more }), word);
  const paper = { target: '_blank' };
  return [
    postersCard(context),
    screensCard(context),
    stepCard('staff', createElement('div', { class: 'place' }, staffSection(context))),
    stepCard(
      'clerk',
      createElement(
        'div',
        { class: 'links wide' },
        button(`/clerk/${encodeURIComponent(id)}`, 'handover.clerk.open', paper),
      ),
    ),
    // Only a manager of every site may edit the account.
    ...(account
      ? [
          stepCard(
            'menu',
            createElement('div', { class: 'links wide' }, button('#menu', 'handover.menu.open')),
          ),
        ]
      : []),
  ];
}
