// The list of sites, each with its pages.
import { ask, byId, english, make } from './paihao.js';

const PAGES = [
  ['kiosk', '取号', 'Kiosk'],
  ['board', '大屏', 'Board'],
  ['staff', '叫号', 'Staff'],
  ['poster', '海报', 'Poster'],
];

function card({ site, name }) {
  const links = PAGES.map(([page, title, text]) =>
    make('a', { href: `/${page}/${encodeURIComponent(site)}`, class: `button to-${page}` }, title, english(text)));
  return make('li', { class: 'card' }, make('h2', {}, name), make('p', { class: 'soft' }, site), make('div', { class: 'links' }, links));
}

async function show() {
  const list = byId('sites');
  try {
    const sites = await ask('/api/v1/sites');
    list.replaceChildren(...(sites.length ? sites.map(card) : [make('li', { class: 'message' }, make('h2', {}, '还没有门店'), english('The configuration has no sites yet'))]));
  } catch (refusal) {
    list.replaceChildren(make('li', { class: 'message' }, make('h2', {}, refusal.title), english(refusal.english)));
    setTimeout(show, 3000);
  }
}

show();
