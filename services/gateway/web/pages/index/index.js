// The list of sites, each with its pages.
import { ask, byId, make, toLogin } from './paihao.js';
import { put, said, say, tongue } from './language.js';

const PAGES = ['kiosk', 'board', 'console', 'manage', 'poster'];

function card({ site, name }) {
  const links = PAGES.map(page => {
    const element = said(`index.${page}`, {}, 'a');
    element.href = `/${page}/${encodeURIComponent(site)}`;
    element.className = `button to-${page}`;
    return element;
  });
  return make('li', { class: 'card' }, make('h2', { lang: tongue(name) }, name), make('p', { class: 'soft', translate: 'no' }, site), make('div', { class: 'links' }, links));
}

/** Where nothing is set up yet, the way to begin. */
function none() {
  const begin = said('index.begin', {}, 'a');
  begin.href = '/manage';
  begin.className = 'button';
  return make('li', { class: 'message' }, say(make('h2'), 'index.none'), begin);
}

async function show() {
  const list = byId('sites');
  try {
    // The same list stands where consoles are chosen from, and that is for staff.
    if (location.pathname === '/console') await ask('/api/v1/me');
    const sites = await ask('/api/v1/sites');
    list.replaceChildren(...(sites.length ? sites.map(card) : [none()]));
  } catch (refusal) {
    if (refusal.status === 401) return toLogin();
    list.replaceChildren(make('li', { class: 'message' }, put(make('h2'), refusal.pair)));
    setTimeout(show, 3000);
  }
}

show();
