// Look of a site on a page that stays open: the colour and the logo, as the owner changes them.
import { byId, createElement } from './dom.js';

/** @param {import('./types').BrandView} [brand] */
export function followBrand({ style, logo } = {}) {
  const sheet = byId('brand');
  if ((sheet?.getAttribute('href') ?? undefined) !== style) {
    sheet?.remove();
    if (style) {
      document.head.append(createElement('link', { id: 'brand', rel: 'stylesheet', href: style }));
    }
  }
  const image = byId('logo');
  if ((image?.getAttribute('src') ?? undefined) === logo?.url) return;
  image?.remove();
  if (!logo) return;
  const { url, width, height } = logo;
  byId('site').before(
    createElement('img', { id: 'logo', class: 'logo', src: url, width, height, alt: '' }),
  );
}
