// The manager's page: what is set up about a site and its account, changed where one has seen it.
// First of all: what the page's words are looked up in.
import './manage-words.js';
import { asSomebodyElse, ask, byId, giveUp, make, showConnected, site } from './paihao.js';
import { headers, isAboutWho, signOut, takeFromAddress, turnedAway } from './key.js';
import { onSwitch, pair, put, putName, said, say, tongue, word } from './language.js';
import { adding, area, field, forget, lines, mark, text } from './manage-fields.js';
import * as sections from './manage-sections.js';

const CHECK_MS = 600; // after the last letter, before the server is asked what it thinks

const NAMES = ['site', 'queues', 'counters', 'hours', 'words', 'account', 'posters', 'file', 'history', 'numbers', 'letters', 'staff', 'keys', 'webhooks'];
const OWN = { account, file, numbers, letters, staff: later('staff'), keys: later('keys'), webhooks: later('webhooks') };

/** What is being edited: as it was read, and as it will be. */
let docs = {};
let current = NAMES.includes(location.hash.slice(1)) ? location.hash.slice(1) : 'site';
let checking = 0;
let busy = false;

function authorised(options) {
  return { ...options, headers: { ...headers(), 'content-type': 'application/json', ...options.headers } };
}

const sitePath = id => `/api/v1/book/sites/${encodeURIComponent(id)}`;
const accountPath = name => `/api/v1/book/accounts/${encodeURIComponent(name)}`;

async function read(path) {
  let tag = null;
  const saved = await ask(path, authorised({ seen: answer => { tag = answer.headers.get('etag'); } }));
  return { path, tag, saved, draft: structuredClone(saved) };
}

async function load() {
  docs = { site: await read(sitePath(site)) };
  docs.account = await read(accountPath(docs.site.saved.account)).catch(refusal => {
    if (refusal.status === 403) return null; // for whoever has every site
    throw refusal;
  });
}

const dirty = doc => doc && JSON.stringify(doc.draft) !== JSON.stringify(doc.saved);
const edited = () => Object.values(docs).filter(dirty);

function title() {
  const name = docs.site?.saved.name;
  document.title = name ? `${name} · ${word('manage.title')}` : word('manage.title');
  if (name) putName(byId('site'), name);
}

function draw() {
  title();
  const names = NAMES.filter(name => docs.account || !['account', 'file'].includes(name));
  if (!names.includes(current)) current = 'site';
  byId('sections').replaceChildren(...names.map(name => {
    const button = said(`manage.${name}`, {}, 'button');
    button.type = 'button';
    button.dataset.section = name;
    if (name === current) button.setAttribute('aria-current', 'page');
    button.addEventListener('click', () => {
      current = name;
      draw();
      byId('place').querySelector('h2').focus();
    });
    return button;
  }));
  forget();
  const { draft, saved } = docs.site;
  const draws = OWN[current] || sections[current];
  byId('place').replaceChildren(...draws({ draft, saved, id: site, changed, again, authorised }).filter(Boolean));
  byId('place').querySelector('h2').tabIndex = -1;
  bar();
}

/** Something else is shown because of what was changed. */
function again() {
  draw();
  changed();
}

function changed() {
  bar();
  clearTimeout(checking);
  checking = setTimeout(() => edited().forEach(doc => tried(doc)), CHECK_MS);
}

function bar() {
  byId('bar').hidden = edited().length === 0 && !byId('said').textContent;
  byId('save').disabled = busy || edited().length === 0;
  byId('undo').hidden = edited().length === 0;
}

function tell(kind = '', texts = null, more = []) {
  const place = byId('said');
  place.className = kind;
  place.replaceChildren(...(texts ? [put(make('strong'), texts)] : []), ...more);
  bar();
}

const write = (doc, query) => ask(doc.path + query, authorised({
  method: 'PUT', body: JSON.stringify(doc.draft), headers: { ...(doc.tag && { 'if-match': doc.tag }) },
}));

/** Whether the server would take it as it stands. */
async function tried(doc) {
  const asked = JSON.stringify(doc.draft);
  try {
    await write(doc, '?dry_run=true');
    if (asked === JSON.stringify(doc.draft)) told([]);
  } catch (refusal) {
    if (asked === JSON.stringify(doc.draft)) told(refusal.problems || [], refusal);
  }
}

function told(problems, refusal = null) {
  const plain = problems.map(problem => ({ ...problem, key: problem.key.split('.').slice(2).join('.') }));
  const left = mark(plain);
  if (!refusal) return tell();
  const detail = problems.length ? left.map(({ key, what }) => make('li', {}, `${key}: ${what}`)) : [make('li', {}, refusal.detail)];
  return tell('refused', refusal.pair, [make('ul', { lang: 'en' }, detail)]);
}

async function save() {
  if (busy) return;
  busy = true;
  clearTimeout(checking);
  bar();
  try {
    for (const doc of edited()) {
      await write(doc, '');
      Object.assign(doc, await read(doc.path));
    }
    busy = false;
    draw();
    tell('done', pair('manage.saved'));
  } catch (refusal) {
    told(refusal.problems || [], refusal);
  } finally {
    busy = false;
    bar();
  }
}

/** What an account says: its answers, and the templates that WeChat has. */
function account({ changed: change }) {
  const { draft } = docs.account;
  const set = name => value => {
    if (value == null) delete draft[name];
    else draft[name] = value;
    change();
  };
  const kinds = ['called', 'missed', 'progress'].map(kind => {
    const how = draft[kind] || { template_id: '', fields: {} };
    const setting = name => value => {
      how[name] = value;
      if (value == null) delete how[name];
      draft[kind] = how;
      change();
    };
    const rows = Object.entries(how.fields).map(([key, wording]) => `${key} = ${wording}`);
    const fields = value => setting('fields')(Object.fromEntries(value.map(line => line.split(/\s*=\s*(.*)/s).slice(0, 2)).map(([key, wording]) => [key, wording ?? ''])));
    return make('div', { class: 'card' }, say(make('h3'), `manage.account.${kind}`),
      text(`${kind}.template_id`, pair('manage.template'), how.template_id, setting('template_id'), { wide: true, attributes: { spellcheck: 'false' } }),
      lines(`${kind}.fields`, pair('manage.fields'), rows, fields, { hint: pair('manage.fields.form') }),
      area(`${kind}.text`, pair('manage.text'), how.text, setting('text')));
  });
  return [say(make('h2'), 'manage.account'), say(make('p', { class: 'lead' }), 'manage.account.lead'),
    make('div', { class: 'card' }, area('greeting', pair('manage.greeting'), draft.greeting, set('greeting')), area('failure', pair('manage.failure'), draft.failure, set('failure'))), ...kinds];
}

/** All of it as a file, out and in. */
function file() {
  const out = kind => {
    const button = said(`manage.export.${kind}`, {}, 'button');
    Object.assign(button, { type: 'button', className: 'ghost' });
    button.addEventListener('click', async () => {
      const answer = await fetch(`/api/v1/book?format=${kind}`, authorised({})).catch(() => null);
      if (!answer?.ok) return tell('refused', pair('unreachable'));
      const link = make('a', { href: URL.createObjectURL(await answer.blob()), download: `paihao-book.${kind}` });
      link.click();
      return URL.revokeObjectURL(link.href);
    });
    return button;
  };
  const list = make('ul', { class: 'rows', lang: 'en' });
  const chosen = make('input', { type: 'file', accept: '.toml,.json' });
  const take = said('manage.import.take', {}, 'button');
  Object.assign(take, { type: 'button', className: 'primary', hidden: true });
  const send = async query => {
    const [given] = chosen.files;
    const type = given.name.endsWith('.json') ? 'application/json' : 'application/toml';
    return ask(`/api/v1/book${query}`, authorised({ method: 'PUT', body: await given.text(), headers: { 'content-type': type } }));
  };
  const shown = ({ written }) => list.replaceChildren(...written.flatMap(({ of, id, changed: all }) => all.map(({ key }) => make('li', {}, make('code', {}, `${of} ${id} ${key}`)))));
  chosen.addEventListener('change', async () => {
    take.hidden = true;
    list.replaceChildren();
    if (!chosen.files.length) return;
    try {
      const would = await send('?dry_run=true');
      shown(would);
      take.hidden = would.written.length === 0;
      tell(would.written.length ? 'waiting' : 'done', pair(would.written.length ? 'manage.import.would' : 'manage.import.same'));
    } catch (refusal) {
      tell('refused', refusal.pair);
      list.replaceChildren(...(refusal.problems || [{ key: '', what: refusal.detail }]).map(({ key, what, advice }) => make('li', {}, make('code', {}, key), make('span', {}, `${what}${advice ? ` → ${advice}` : ''}`))));
    }
  });
  take.addEventListener('click', async () => {
    try {
      await send('');
      await load();
      draw();
      tell('done', pair('manage.saved'));
    } catch (refusal) {
      tell('refused', refusal.pair);
    }
  });
  return [say(make('h2'), 'manage.file'), say(make('p', { class: 'lead' }), 'manage.file.lead'),
    make('div', { class: 'card' }, say(make('h3'), 'manage.export'), make('div', { class: 'adding' }, out('toml'), out('json'))),
    make('div', { class: 'card' }, say(make('h3'), 'manage.import'), field('file', pair('manage.import.which'), chosen), list, take)];
}

/** The numbers and their charts are loaded when somebody looks at them. */
function numbers(how) {
  const place = make('div', { class: 'place' });
  import('./manage-numbers.js').then(({ figures }) => place.replaceChildren(...figures(how)));
  return [say(make('h2'), 'manage.numbers'), say(make('p', { class: 'lead' }), 'manage.numbers.lead'), place];
}

/** So are the dead letters. */
function letters(how) {
  const place = make('div', { class: 'place' });
  import('./manage-letters.js').then(({ all }) => place.replaceChildren(...all(how)));
  return [say(make('h2'), 'manage.letters'), say(make('p', { class: 'lead' }), 'manage.letters.lead'), place];
}

/** And other sections. */
function later(name) {
  return how => {
    const place = make('div', { class: 'place' });
    import(`./manage-${name}.js`).then(({ section }) => place.replaceChildren(...section(how)));
    return [say(make('h2'), `manage.${name}`), say(make('p', { class: 'lead' }), `manage.${name}.lead`), place];
  };
}

/** Which site, for whoever came without one; and a new one. */
async function choose() {
  const all = await ask('/api/v1/book/sites', authorised({}));
  byId('sections').replaceChildren();
  const link = ({ site: id, name }) => make('a', { class: 'button', href: `/manage/${encodeURIComponent(id)}` }, make('span', { lang: tongue(name) }, name), ' ', make('small', { translate: 'no' }, id));
  const add = async (id, name) => {
    try {
      const { account: of } = await ask(sitePath(all[0].site), authorised({}));
      await ask(sitePath(id), authorised({ method: 'PUT', body: JSON.stringify({ account: of, name }) }));
      location.href = `/manage/${encodeURIComponent(id)}`;
    } catch (refusal) {
      told(refusal.problems || [], refusal);
    }
  };
  byId('place').replaceChildren(say(make('h2'), 'index.title'), make('div', { class: 'card' }, make('div', { class: 'links wide' }, all.map(link))),
    adding('manage.add.site', add, id => all.some(one => one.site === id)));
}

async function start() {
  try {
    await (site ? load() : choose());
  } catch (refusal) {
    if (!refusal.status && refusal.code !== 'offline') throw refusal;
    if (isAboutWho(refusal)) return turnedAway(refusal);
    if (!refusal.passing) return giveUp(refusal, asSomebodyElse());
    showConnected(false);
    return setTimeout(start, 3000);
  }
  showConnected(true);
  for (const id of ['work', 'sign-out']) byId(id).hidden = false;
  if (site) draw();
}

byId('sign-out').addEventListener('click', signOut);
byId('save').addEventListener('click', save);
byId('undo').addEventListener('click', () => {
  for (const doc of edited()) doc.draft = structuredClone(doc.saved);
  tell();
  draw();
});
document.addEventListener('keydown', event => {
  if (event.key.toLowerCase() !== 's' || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  save();
});
addEventListener('beforeunload', event => { if (edited().length) event.preventDefault(); });

onSwitch(title);
takeFromAddress();
start();
