// Manager's page: the settings of a site and its account, edited in place.
/** @import { ApiError } from '../../shared/http.js' */
/** @import { SectionContext, SettingsProblem, Texts } from '../../shared/types' */
import './words.js';
import { siteId, switchUserLink, fetchJson } from '../../shared/http.js';
import { byId, createElement } from '../../shared/dom.js';
import { useTimeZone } from '../../shared/format.js';
import { showConnection, showFatalError } from '../../shared/page.js';
import {
  translations,
  translation,
  setTextPair,
  setText,
  textElement,
  languageOf,
  setName,
  onLanguageChange,
} from '../../shared/language.js';
import {
  storeKeyFromAddress,
  isAccessError,
  handleAccessError,
  signOut,
  authHeaders,
} from '../../shared/credentials.js';
import { watchLogins } from '../../shared/new-logins.js';
import { resetFields, markProblems, copyOf } from './fields.js';
import { problemTexts } from './problems.js';
import { SECTIONS } from './sections.js';

const SAVED_SHOWN_MS = 6000;
/** Names in the order in which people count. */
const byName = new Intl.Collator('zh', { numeric: true });
const DRY_RUN_DELAY_MS = 600; // after the last key, before the server validates the draft

const SECTION_NAMES = [
  'site',
  'queues',
  'counters',
  'hours',
  'look',
  'words',
  'accounts',
  'account',
  'templates',
  'menu',
  'pages',
  'posters',
  'file',
  'history',
  'numbers',
  'letters',
  'staff',
  'kiosks',
  'keys',
  'signing',
  'webhooks',
  'audit',
  'doctor',
  'handover',
];
/** Sections of those who manage every site. */
const OF_EVERY_SITE = ['accounts', 'account', 'templates', 'menu', 'file', 'signing', 'doctor'];
/** Sections with a module of their own, which is loaded when the section is opened. */
const MODULES = {
  counters: './counters.js',
  hours: './hours.js',
  look: './look.js',
  accounts: './accounts.js',
  account: './account.js',
  templates: './templates.js',
  menu: './menu.js',
  pages: './pages.js',
  file: './transfer.js',
  numbers: './statistics.js',
  letters: './dead-letters.js',
  staff: './staff.js',
  kiosks: './kiosks.js',
  keys: './api-keys.js',
  signing: './signing-keys.js',
  webhooks: './webhooks.js',
  audit: './audit.js',
  doctor: './doctor.js',
  handover: './handover.js',
};

/**
 * Document of settings: as it was loaded, and as it is edited.
 * @typedef {object} EditedDocument
 * @property {string} path
 * @property {string | null} tag the entity tag of the saved one
 * @property {any} saved
 * @property {any} draft
 */

/** @type {{ site?: EditedDocument, account?: EditedDocument | null }} */
let documents = {};
/** The section that the address names. */
const addressedSection = () => {
  const name = location.hash.slice(1);
  return SECTION_NAMES.includes(name) ? name : 'site';
};
let currentSection = addressedSection();
let dryRunTimer = 0;
let savedTimer = 0;
let saving = false;

/** @param {any} options */
function withAuth(options) {
  return {
    ...options,
    headers: { ...authHeaders(), 'content-type': 'application/json', ...options.headers },
  };
}

const sitePath = id => `/api/v1/book/sites/${encodeURIComponent(id)}`;
const accountPath = name => `/api/v1/book/accounts/${encodeURIComponent(name)}`;

/**
 * @param {string} path
 * @returns {Promise<EditedDocument>}
 */
async function loadDocument(path) {
  let tag = null;
  const saved = await fetchJson(
    path,
    withAuth({
      onResponse: response => {
        tag = response.headers.get('etag');
      },
    }),
  );
  return { path, tag, saved, draft: copyOf(saved) };
}

async function loadDocuments() {
  documents = { site: await loadDocument(sitePath(siteId)) };
  useTimeZone({ zone: documents.site.saved.time_zone });
  documents.account = await loadDocument(accountPath(documents.site.saved.account)).catch(error => {
    if (error.status === 403) return null; // only a manager of every site may edit it
    throw error;
  });
}

/** @param {EditedDocument | null | undefined} edited */
const isDirty = edited => edited && JSON.stringify(edited.draft) !== JSON.stringify(edited.saved);
const dirtyDocuments = () => Object.values(documents).filter(isDirty);

function renderTitle() {
  const name = documents.site?.saved.name;
  const title = translation(name ? `manage.${currentSection}` : 'manage.title');
  document.title = name ? `${name} · ${title}` : title;
  if (name) setName(byId('site'), name, documents.site.saved.name_en);
}

function render() {
  renderTitle();
  const names = SECTION_NAMES.filter(name => documents.account || !OF_EVERY_SITE.includes(name));
  if (!names.includes(currentSection)) currentSection = 'site';
  byId('sections').replaceChildren(
    ...names.map(name => {
      const link = textElement(`manage.${name}`, {}, 'a');
      link.href = `#${name}`;
      link.dataset.section = name;
      if (name === currentSection) link.setAttribute('aria-current', 'page');
      return link;
    }),
  );
  showCurrentSection();
  resetFields();
  const { draft, saved } = documents.site;
  /** @type {SectionContext} */
  const context = {
    draft,
    saved,
    id: siteId,
    account: documents.account?.draft,
    changed,
    redraw,
    withAuth,
    showStatus,
    reload,
  };
  const elements = MODULES[currentSection]
    ? renderModule(currentSection, context)
    : SECTIONS[currentSection](context);
  byId('place').replaceChildren(...elements.filter(Boolean));
  byId('place').querySelector('h2').tabIndex = -1;
  renderBar();
}

/** Brings the current section into view in the list, which scrolls by itself. */
function showCurrentSection() {
  const list = byId('sections');
  const current = list.querySelector('[aria-current]');
  if (!current) return;
  const [box, around] = [current, list].map(element => element.getBoundingClientRect());
  list.scrollLeft += box.left + box.width / 2 - (around.left + around.width / 2);
  if (box.top < around.top || box.bottom > around.bottom) list.scrollTop += box.top - around.top;
}

/** Goes where the address leads: by a link, or by the browser's buttons. */
function followAddress() {
  if (!documents.site || addressedSection() === currentSection) return;
  currentSection = addressedSection();
  render();
  byId('place').querySelector('h2').focus();
  scrollTo(0, 0);
}

/** Renders the section again after a change to its fields themselves. */
function redraw() {
  render();
  changed();
}

/** Notes a change of a draft. */
function changed() {
  renderBar();
  clearTimeout(dryRunTimer);
  dryRunTimer = setTimeout(() => {
    for (const edited of dirtyDocuments()) dryRun(edited);
  }, DRY_RUN_DELAY_MS);
}

/** Shows the bar with the buttons while there is something to save or to read. */
function renderBar() {
  byId('bar').hidden = dirtyDocuments().length === 0 && !byId('said').textContent;
  byId('save').disabled = saving || dirtyDocuments().length === 0;
  byId('undo').hidden = dirtyDocuments().length === 0;
}

/**
 * @param {string} kind class of its look
 * @param {Texts | null} texts
 * @param {HTMLElement[]} more
 */
function showStatus(kind = '', texts = null, more = []) {
  const element = byId('said');
  element.className = kind;
  element.replaceChildren(...(texts ? [setTextPair(createElement('strong'), texts)] : []), ...more);
  renderBar();
}

/** Loads the documents again and renders them. */
async function reload() {
  await loadDocuments();
  render();
}

/**
 * @param {EditedDocument} edited
 * @param {string} query
 */
const putDocument = (edited, query) =>
  fetchJson(
    edited.path + query,
    withAuth({
      method: 'PUT',
      body: JSON.stringify(edited.draft),
      headers: { ...(edited.tag && { 'if-match': edited.tag }) },
    }),
  );

/**
 * Shows whether the server would accept a draft.
 * @param {EditedDocument} edited
 */
async function dryRun(edited) {
  const sent = JSON.stringify(edited.draft);
  try {
    await putDocument(edited, '?dry_run=true');
    if (sent === JSON.stringify(edited.draft)) showProblems([]);
  } catch (error) {
    if (sent === JSON.stringify(edited.draft)) showProblems(error.problems || [], error);
  }
}

/**
 * Shows problems beside their fields, and the rest below.
 * @param {SettingsProblem[]} problems
 * @param {ApiError | null} error
 */
function showProblems(problems, error = null) {
  const plain = problems.map(problem => ({
    ...problem,
    key: problem.key.split('.').slice(2).join('.'),
  }));
  const left = markProblems(plain);
  if (!error) return showStatus();
  const detail = problems.length
    ? left.map(problem =>
        createElement(
          'li',
          {},
          createElement('code', {}, problem.key),
          ' ',
          setTextPair(createElement('span'), problemTexts(problem)),
        ),
      )
    : [createElement('li', { lang: 'en' }, error.detail)];
  return showStatus('refused', error.texts, [createElement('ul', {}, detail)]);
}

async function save() {
  if (saving) return;
  saving = true;
  clearTimeout(dryRunTimer);
  renderBar();
  try {
    for (const edited of dirtyDocuments()) {
      await putDocument(edited, '');
      Object.assign(edited, await loadDocument(edited.path));
    }
    saving = false;
    render();
    showStatus('done', translations('manage.saved'));
    clearTimeout(savedTimer);
    savedTimer = setTimeout(
      () => byId('said').className === 'done' && showStatus(),
      SAVED_SHOWN_MS,
    );
  } catch (error) {
    showProblems(error.problems || [], error);
  } finally {
    saving = false;
    renderBar();
  }
}

/**
 * Renders a section whose module is loaded now.
 * @param {string} name
 * @param {object} context of the page, or what the module takes elsewhere
 */
function renderModule(name, context) {
  const element = createElement('div', { class: 'place' });
  import(MODULES[name]).then(({ section }) => element.replaceChildren(...section(context)));
  return [
    setText(createElement('h2'), `manage.${name}`),
    setText(createElement('p', { class: 'lead' }), `manage.${name}.lead`),
    element,
  ];
}

/** Renders the list of sites to choose from, and the form that adds one. */
async function renderSiteChoice() {
  const sites = await fetchJson('/api/v1/book/sites', withAuth({}));
  const accounts = await fetchJson('/api/v1/accounts', withAuth({})).catch(error => {
    if (error.status === 403) return null; // only a manager of every site sees them
    throw error;
  });
  byId('sections').replaceChildren();
  sites.sort((left, right) => byName.compare(left.name, right.name));
  const link = ({ site: id, name }) =>
    createElement(
      'a',
      { class: 'button', href: `/manage/${encodeURIComponent(id)}` },
      createElement('span', { lang: languageOf(name) }, name),
      ' ',
      createElement('small', { translate: 'no' }, id),
    );
  const { newSiteCard } = await import('./new-site.js');
  const taken = sites.map(({ site }) => site);
  const newSite = createElement('div', { class: 'place' });
  /** @param {{ account: string }[]} known */
  const accountsChanged = known =>
    newSite.replaceChildren(
      newSiteCard(
        known.map(({ account }) => account),
        taken,
      ),
    );
  // Only a manager of every site may set another one up, and an account comes before it.
  const cards = accounts ? [newSite, ...renderModule('accounts', { accountsChanged })] : [];
  if (accounts) accountsChanged(accounts);
  if (accounts?.length === 0) cards.push(...cards.splice(0, 1));
  if (accounts?.length > 0) {
    const doctor = renderModule('doctor', {});
    doctor[0].id = 'doctor'; // the light and the accounts lead there
    cards.push(...doctor);
  }
  const steps = accounts && (await import('./first-steps.js')).firstSteps();
  const list = sites.length
    ? createElement(
        'div',
        { class: 'card' },
        createElement('div', { class: 'links wide' }, sites.map(link)),
      )
    : !steps && setText(createElement('p', { class: 'soft' }), 'manage.no-sites');
  byId('place').replaceChildren(
    ...[
      steps?.card,
      list && setText(createElement('h2'), 'index.title'),
      list,
      steps?.again,
    ].filter(Boolean),
    ...cards,
  );
}

async function start() {
  try {
    await (siteId ? loadDocuments() : renderSiteChoice());
  } catch (error) {
    if (!error.status && error.code !== 'offline') throw error;
    if (isAccessError(error)) return handleAccessError(error);
    if (!error.retryable) return showFatalError(error, switchUserLink());
    showConnection(false);
    return setTimeout(start, 3000);
  }
  showConnection(true);
  for (const id of ['work', 'sign-out']) byId(id).hidden = false;
  if (siteId) render();
  // Only a manager of every site may read it.
  if (documents.account) {
    import('./doctor.js').then(({ watchLight }) => watchLight());
    import('./first-steps.js').then(({ watchFirstSteps }) => watchFirstSteps());
  }
}

byId('sign-out').addEventListener('click', signOut);
byId('save').addEventListener('click', save);
byId('undo').addEventListener('click', () => {
  for (const edited of dirtyDocuments()) edited.draft = copyOf(edited.saved);
  showStatus();
  render();
});
document.addEventListener('keydown', event => {
  if (event.key.toLowerCase() !== 's' || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  save();
});
addEventListener('beforeunload', event => {
  if (dirtyDocuments().length) event.preventDefault();
});

onLanguageChange(renderTitle);
addEventListener('hashchange', followAddress);
addEventListener('resize', showCurrentSection);
storeKeyFromAddress().then(() => {
  start();
  watchLogins();
});
