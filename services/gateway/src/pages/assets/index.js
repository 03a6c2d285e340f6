// The list of sites, each with its pages.
import { ask, byId, make, toLogin } from './paihao.js';
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
    // The same list stands where consoles are chosen from, and that is for staff.
    if (location.pathname === '/console') await ask('/api/v1/me');
    const sites = await ask('/api/v1/sites');
    list.replaceChildren(...(sites.length ? sites.map(card) : [make('li', { class: 'message' }, say(make('h2'), 'index.none'))]));
  } catch (refusal) {
    if (refusal.status === 401) return toLogin();
    list.replaceChildren(make('li', { class: 'message' }, put(make('h2'), refusal.pair)));
    setTimeout(show, 3000);
  }
}

show();
