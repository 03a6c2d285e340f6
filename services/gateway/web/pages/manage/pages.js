// Section of the pages of the site: their addresses and codes, to open them on screens and phones.
/** @import { SectionContext } from '../../shared/types' */
import { fetchJson } from '../../shared/http.js';
import { createElement } from '../../shared/dom.js';
import { nameElement, setText, setTextPair, textElement } from '../../shared/language.js';

/**
 * Page of a site, as the server lists it.
 * @typedef {object} PageLink
 * @property {'kiosk' | 'board' | 'console'} page
 * @property {string} [queue]
 * @property {string} [queue_name]
 * @property {string} [queue_name_en]
 * @property {string} url
 * @property {string} [code] QR code as SVG
 */

/** @param {PageLink} link */
export function linkCard({ page, queue_name: queue, queue_name_en: english, url, code }) {
  const title = createElement(
    'h3',
    {},
    textElement(`manage.page.${page}`),
    ...(queue ? [nameElement(queue, english)] : []),
  );
  title.lastElementChild?.classList.toggle('of', Boolean(queue));
  const picture = `data:image/svg+xml,${encodeURIComponent(code || '')}`;
  return createElement(
    'div',
    { class: 'card page-link' },
    code &&
      createElement('img', { class: 'page-code', src: picture, alt: '', width: 132, height: 132 }),
    createElement(
      'div',
      {},
      title,
      !queue && setText(createElement('p', { class: 'soft' }), `manage.page.${page}.use`),
      createElement(
        'a',
        { href: url, target: '_blank', rel: 'noopener', translate: 'no', class: 'page-url' },
        url,
      ),
    ),
  );
}

/**
 * @param {SectionContext} context
 * @returns {HTMLElement[]}
 */
export function section({ id, withAuth }) {
  const place = createElement(
    'div',
    { class: 'page-links' },
    textElement('manage.loading', {}, 'p'),
  );
  fetchJson(`/api/v1/sites/${encodeURIComponent(id)}/page-links`, withAuth({})).then(
    links => place.replaceChildren(...links.map(linkCard)),
    error => place.replaceChildren(setTextPair(createElement('p'), error.texts)),
  );
  return [place];
}
