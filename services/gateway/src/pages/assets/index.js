// The list of sites, each with its pages.
import { ask, byId, make } from './paihao.js';
import { put, said, say, tongue } from './language.js';

const PAGES = ['kiosk', 'board', 'console', 'poster'];

function card({ site, name }) {
  const links = PAGES.map(page => {
    const element = said(`index.${page}`, {}, 'a');
    element.href = `/${page}/${encodeURIComponent(site)}`;
    element.className = `button to-${page}`;
    return element;
  });
  return make('li', { class: 'card' }, make('h2', { lang: tongue(name) }, name), make('p', { class: 'soft', translate: 'no' }, site), make('div', { class: 'links' }, links));
}

async function show() {
  const list = byId('sites');
  try {
    const sites = await ask('/api/v1/sites');
    list.replaceChildren(...(sites.length ? sites.map(card) : [make('li', { class: 'message' }, say(make('h2'), 'index.none'))]));
  } catch (refusal) {
    list.replaceChildren(make('li', { class: 'message' }, put(make('h2'), refusal.pair)));
    setTimeout(show, 3000);
  }
}

show();
