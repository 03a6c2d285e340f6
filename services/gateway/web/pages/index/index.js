// List of sites, each with links to its pages.
import './words.js';
import { redirectToLogin, fetchJson } from '../../shared/http.js';
import { byId, createElement } from '../../shared/dom.js';
import { nameElement, setTextPair, setText, textElement } from '../../shared/language.js';

const PAGES = ['kiosk', 'board', 'console', 'manage', 'poster'];

function siteCard({ site, name, name_en: nameEn }) {
  const links = PAGES.map(page => {
    const element = textElement(`index.${page}`, {}, 'a');
    element.href = `/${page}/${encodeURIComponent(site)}`;
    element.className = `button to-${page}`;
    return element;
  });
  return createElement(
    'li',
    { class: 'card' },
    nameElement(name, nameEn, 'h2'),
    createElement('p', { class: 'soft', translate: 'no' }, site),
    createElement('div', { class: 'links' }, links),
  );
}

/** Shown while there is no site: the link to set one up. */
function emptyState() {
  const link = textElement('index.begin', {}, 'a');
  link.href = '/manage';
  link.className = 'button';
  return createElement(
    'li',
    { class: 'message' },
    setText(createElement('h2'), 'index.none'),
    link,
  );
}

async function renderSites() {
  const list = byId('sites');
  try {
    // At /console the same list is for staff, to choose a console from.
    if (location.pathname === '/console') await fetchJson('/api/v1/me');
    const sites = await fetchJson('/api/v1/sites');
    list.replaceChildren(...(sites.length ? sites.map(siteCard) : [emptyState()]));
  } catch (error) {
    if (error.status === 401) return redirectToLogin();
    list.replaceChildren(
      createElement('li', { class: 'message' }, setTextPair(createElement('h2'), error.texts)),
    );
    setTimeout(renderSites, 3000);
  }
}

renderSites();
